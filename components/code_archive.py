"""What a function of the market runs: its handler and what that imports, in a form that never changes by itself."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pulumi

from components.import_closure import import_closure

_ROOT = Path(__file__).resolve().parent.parent
_RUN_TIME_FOLDERS = ("functions", "market", "patterns")
# The earliest time a zip entry can carry: a real one would change the bytes of unchanged sources.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def source_files(handler: str, root: Path = _ROOT) -> Mapping[str, Path]:
    """List the files of a function's archive.

    Parameters
    ----------
    handler
        Dotted path of the handler, such as ``functions.matcher.handler``.
    root
        Repository root that holds the run-time folders.

    Returns
    -------
    Mapping[str, Path]
        Archive path (``functions/matcher.py``) → file, sorted by archive path. Only ``*.py``: compiled caches differ
        from machine to machine and would redeploy every function.
    """
    return import_closure(root, [handler.rpartition(".")[0]], _RUN_TIME_FOLDERS)


def code_archive(handler: str, root: Path = _ROOT) -> pulumi.Archive:
    """Package a function as a Pulumi archive whose hash depends on nothing but the sources its handler imports.

    Parameters are those of `source_files`.
    """
    return pulumi.AssetArchive(
        {name: pulumi.FileAsset(str(path)) for name, path in source_files(handler, root).items()}
    )


def archive_bytes(handler: str, root: Path = _ROOT) -> bytes:
    """Build the archive as a deployment would upload it.

    Parameters are those of `source_files`.

    Returns
    -------
    bytes
        A zip file; the same bytes for the same sources on every machine.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in source_files(handler, root).items():
            entry = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
