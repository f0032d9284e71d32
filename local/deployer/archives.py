"""Turns Pulumi assets and archives into bytes with a stable hash."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pulumi

from local.deployer.errors import DeployError

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o644 << 16


@dataclass(frozen=True)
class Content:
    """Bytes of an asset or of a zipped archive.

    Attributes
    ----------
    data
        The bytes; for an archive a zip file that depends on nothing but names and contents of its members.
    sha256
        Base64 of the SHA-256 of `data`, the form AWS Lambda reports as `CodeSha256`.
    """

    data: bytes
    sha256: str


def content_of(value: pulumi.Asset | pulumi.Archive) -> Content:
    """Read an asset or zip an archive.

    Raises
    ------
    DeployError
        The asset is remote: a deployment to one machine downloads nothing.
    """
    if isinstance(value, pulumi.Archive):
        whole = getattr(value, "path", None)
        is_zip_file = isinstance(whole, str) and Path(whole).is_file()
        data = Path(str(whole)).read_bytes() if is_zip_file else _zip(_members(value))
    else:
        data = _asset_bytes(value)
    return Content(data, base64.b64encode(hashlib.sha256(data).digest()).decode())


def _asset_bytes(asset: Any) -> bytes:
    if isinstance(asset, pulumi.FileAsset):
        return Path(str(asset.path)).read_bytes()
    if isinstance(asset, pulumi.StringAsset):
        return asset.text.encode()
    raise DeployError(f"remote assets are not supported by the local deployer: {getattr(asset, 'uri', asset)}")


def _members(archive: Any) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    if isinstance(archive, pulumi.FileArchive):
        folder = Path(archive.path)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                members[path.relative_to(folder).as_posix()] = path.read_bytes()
        return members
    if not isinstance(archive, pulumi.AssetArchive):
        raise DeployError(
            f"remote archives are not supported by the local deployer: {getattr(archive, 'uri', archive)}"
        )
    for name, child in cast("dict[str, Any]", archive.assets).items():
        if isinstance(child, pulumi.Archive):
            members.update({f"{name}/{inner}": data for inner, data in _members(child).items()})
        else:
            members[name] = _asset_bytes(child)
    return members


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _REGULAR_FILE
            archive.writestr(entry, members[name])
    return buffer.getvalue()
