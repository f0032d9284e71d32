"""The one archive every function runs: run-time Python sources, in a form that never changes by itself."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pulumi

RUN_TIME_FOLDERS = ("functions", "market", "patterns")

_ROOT = Path(__file__).resolve().parent.parent
# The earliest time a zip entry can carry: a real one would change the bytes of unchanged sources.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def source_files(root: Path = _ROOT) -> Mapping[str, Path]:
    """List the files of the archive.

    Parameters
    ----------
    root
        Repository root that holds the run-time folders.

    Returns
    -------
    Mapping[str, Path]
        Archive path (``functions/matcher.py``) → file, sorted by archive path. Only ``*.py``: compiled caches differ
        from machine to machine and would redeploy every function.
    """
    files = (path for folder in RUN_TIME_FOLDERS for path in (root / folder).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path for path in sorted(files)}


def code_archive(root: Path = _ROOT) -> pulumi.Archive:
    """Package the run-time folders as a Pulumi archive whose hash depends on nothing but the sources."""
    return pulumi.AssetArchive({name: pulumi.FileAsset(str(path)) for name, path in source_files(root).items()})


def archive_bytes(root: Path = _ROOT) -> bytes:
    """Build the archive as a deployment would upload it.

    Returns
    -------
    bytes
        A zip file; the same bytes for the same sources on every machine.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in source_files(root).items():
            entry = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
