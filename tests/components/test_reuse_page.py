"""What docs/reuse.md shows works: its programs run, and a pip installation from a path holds what they need."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pulumi
import pytest

from components.code_archive import source_files
from components.runtime_layer import layer_files
from tests.components.graph import ROOT, record

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "reuse.md").read_text("utf-8")
PROGRAMS = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "..." not in code]


@pytest.mark.parametrize("code", [code for code in PROGRAMS if "local.environment" not in code])
def test_programs_of_the_page_run(code: str) -> None:
    graph = record(lambda: exec(code, {"pulumi": pulumi}))
    assert graph.nodes or "AssetArchive" in code


def test_the_local_environments_names_are_right() -> None:
    (code,) = [code for code in PROGRAMS if "local.environment" in code]
    lines = [line for line in code.splitlines() if line.startswith("from ")]
    exec("\n".join(lines), {})
    outputs = re.findall(r"outputs\[\"(\w+)\"\]", code)
    program = (ROOT / "examples" / "other-game" / "__main__.py").read_text("utf-8")
    assert outputs
    assert all(f'pulumi.export("{name}"' in program for name in outputs)


def test_pip_installs_libraries_and_components_with_their_types_and_data() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {pattern.removesuffix("*") for pattern in setuptools["packages"]["find"]["include"]}
    assert {"patterns", "components"} <= folders
    data = setuptools["package-data"]["*"]
    kept = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    left_out = [
        path for path in kept if path.suffix not in {".py", ".pyc"} and not any(path.match(pattern) for pattern in data)
    ]
    assert left_out == []
    # Without it a type checker takes nothing from an installed package.
    assert all((ROOT / folder / "py.typed").is_file() for folder in ("patterns", "components"))


def test_an_installation_beside_other_packages_deploys_only_what_is_ours(tmp_path: Path) -> None:
    """As pip leaves it: our folders lie in one with botocore's, which the run-time brings in its own version."""
    for folder in ("patterns", "components"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "botocore").mkdir()
    (tmp_path / "botocore" / "__init__.py").touch()
    (tmp_path / "botocore" / "exceptions.py").touch()
    files = source_files("patterns.historic.recorder_function.handler", tmp_path)
    assert "patterns/historic/recorder.py" in files
    assert {name.partition("/")[0] for name in files} == {"patterns"}


def test_the_libraries_need_nothing_else_of_this_repository(tmp_path: Path) -> None:
    """What the layer holds imports on its own: no domain, no handlers, no Pulumi."""
    for name, source in layer_files().items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    program = f"""
import importlib, pkgutil, sys
sys.path[:0] = [{str(tmp_path / "python")!r}]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
import patterns
assert patterns.__file__.startswith({str(tmp_path)!r})
for module in pkgutil.walk_packages(patterns.__path__, "patterns."):
    if not module.name.endswith("_function") and not module.name.endswith(".timeouts"):  # they read their settings
        importlib.import_module(module.name)
assert not {{"pulumi", "market", "functions", "aws_lambda_powertools"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True, cwd=tmp_path)
