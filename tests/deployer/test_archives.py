"""A function's archive depends on its members alone, so that an unchanged working copy is an unchanged function."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pulumi

from local.deployer.archives import content_of

if TYPE_CHECKING:
    from pathlib import Path


def test_same_members_same_hash_whatever_their_order_and_age(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A")
    (tmp_path / "b.py").write_text("B")
    first = content_of(
        pulumi.AssetArchive({"x/a.py": pulumi.FileAsset(str(tmp_path / "a.py")), "x/b.py": pulumi.StringAsset("B")})
    )
    os.utime(tmp_path / "a.py", (0, 0))
    second = content_of(pulumi.AssetArchive({"x": pulumi.FileArchive(str(tmp_path))}))
    assert first == second
    assert zipfile.ZipFile(io.BytesIO(first.data)).namelist() == ["x/a.py", "x/b.py"]

    (tmp_path / "b.py").write_text("B2")
    assert content_of(pulumi.FileArchive(str(tmp_path))).sha256 != first.sha256
