"""The archive every function runs: small, sources only, and the same bytes for the same sources."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, cast

from components.code_archive import archive_bytes, code_archive, source_files

if TYPE_CHECKING:
    from pathlib import Path

    import pulumi


def test_the_archive_is_small_and_holds_sources_only() -> None:
    archive = archive_bytes()
    names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    assert len(archive) < 100_000
    assert names == sorted(names)
    assert {name.partition("/")[0] for name in names} == {"functions", "market", "patterns"}
    assert all(name.endswith(".py") for name in names)
    assert list(cast("pulumi.AssetArchive", code_archive()).assets) == names


def test_only_sources_change_the_archive(tmp_path: Path) -> None:
    for folder in ("functions", "market", "patterns"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("", "utf-8")
    before = archive_bytes(tmp_path)

    (tmp_path / "functions" / "__pycache__").mkdir()
    (tmp_path / "functions" / "__pycache__" / "__init__.cpython-313.pyc").write_bytes(b"compiled")
    (tmp_path / "functions" / "notes.md").write_text("notes", "utf-8")
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "table.py").write_text("import pulumi", "utf-8")
    os.utime(tmp_path / "market" / "__init__.py", (1, 1))
    assert archive_bytes(tmp_path) == before

    (tmp_path / "market" / "money.py").write_text("CENT = 1", "utf-8")
    assert archive_bytes(tmp_path) != before
    assert "market/money.py" in source_files(tmp_path)
