"""A function's archive: what its handler imports, small, sources only, and the same bytes for the same sources."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, cast

import pytest

from components.code_archive import archive_bytes, code_archive, source_files
from components.import_closure import import_closure
from tests.components.graph import ENVIRONMENTS, ROOT, environment_graph

if TYPE_CHECKING:
    from pathlib import Path

    import pulumi


IMPORTS = """
from __future__ import annotations
import json
import market.money
from typing import TYPE_CHECKING
from patterns.log import append
if TYPE_CHECKING:
    from market.types import Order

def place(order: Order) -> None:
    from market.orders import limits
"""


LAZY = """
from importlib import import_module
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from log.reading import Reader
    from log.writing import Writer
_MODULE_OF = {"Reader": "reading", "Writer": "writing"}

def __getattr__(name: str) -> object:
    return getattr(import_module(f"log.{_MODULE_OF[name]}"), name)
"""


HANDLERS = sorted(
    path.stem for path in ROOT.glob("functions/*.py") if re.search(r"^(def )?handler\b", path.read_text("utf-8"), re.M)
)


_MOST_BYTES = 100_000
"""What a function that somebody waits for may have to unpack and load on a cold start."""

_MOST_BYTES_UNSEEN = 150_000
"""What one may that works behind everybody's back, or for the operator alone."""

_UNSEEN = {"settlement", "audit_api"}


@pytest.fixture(params=HANDLERS)
def handler(request: pytest.FixtureRequest) -> str:
    return f"functions.{request.param}.handler"


def test_an_archive_is_small_and_holds_sources_only(handler: str) -> None:
    archive = archive_bytes(handler)
    names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    assert len(archive) < (_MOST_BYTES_UNSEEN if handler.split(".")[1] in _UNSEEN else _MOST_BYTES)
    assert names == sorted(names)
    assert handler.replace(".", "/").removesuffix("/handler") + ".py" in names
    assert {name.partition("/")[0] for name in names} <= {"functions", "market", "patterns"}
    assert all(name.endswith(".py") for name in names)
    assert list(cast("pulumi.AssetArchive", code_archive(handler)).assets) == names


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_function_of_the_market_has_its_handlers_archive(environment: str) -> None:
    for function in environment_graph(environment).of_type("aws:lambda/function:Function"):
        assert sorted(function.inputs["code"].assets) == list(source_files(function.inputs["handler"]))


def test_only_imported_sources_change_the_archive(tmp_path: Path) -> None:
    for name, text in {
        "functions/__init__.py": "",
        "functions/place.py": IMPORTS,
        "market/__init__.py": "from market import rounding",
        "market/rounding.py": "",
        "market/money.py": "",
        "market/orders/__init__.py": "",
        "market/orders/limits.py": "",
        "market/types.py": "",
        "patterns/__init__.py": "",
        "patterns/log/__init__.py": "from patterns.log.batches import append",
        "patterns/log/batches.py": "def append(): ...",
        "patterns/aggregator/__init__.py": "",
        # pip installs the folders beside other people's packages.
        "json/__init__.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert list(source_files("functions.place.handler", tmp_path)) == [
        "functions/__init__.py",
        "functions/place.py",
        "market/__init__.py",
        "market/money.py",
        "market/orders/__init__.py",
        "market/orders/limits.py",
        "market/rounding.py",
        "patterns/__init__.py",
        "patterns/log/__init__.py",
        "patterns/log/batches.py",
    ]
    before = archive_bytes("functions.place.handler", tmp_path)

    (tmp_path / "functions" / "__pycache__").mkdir()
    (tmp_path / "functions" / "__pycache__" / "__init__.cpython-313.pyc").write_bytes(b"compiled")
    (tmp_path / "functions" / "notes.md").write_text("notes", "utf-8")
    (tmp_path / "patterns" / "aggregator" / "__init__.py").write_text("GROWN = True", "utf-8")
    os.utime(tmp_path / "market" / "__init__.py", (1, 1))
    assert archive_bytes("functions.place.handler", tmp_path) == before

    (tmp_path / "market" / "money.py").write_text("CENT = 1", "utf-8")
    assert archive_bytes("functions.place.handler", tmp_path) != before


def test_of_a_lazy_package_only_what_is_used_comes_along(tmp_path: Path) -> None:
    for name, text in {
        "handler.py": "from log import Reader",
        "log/__init__.py": LAZY,
        "log/reading.py": "class Reader: ...",
        "log/writing.py": "class Writer: ...",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    ours = ["handler", "log"]
    assert list(import_closure(tmp_path, ["handler"], ours)) == ["handler.py", "log/__init__.py", "log/reading.py"]
    subprocess.run([sys.executable, "-c", "import handler; handler.Reader()"], check=True, cwd=tmp_path)


def test_a_module_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"functions\.place does not exist"):
        import_closure(tmp_path, ["functions.place"], ["functions"])


def test_the_archive_alone_runs_the_handler(tmp_path: Path, handler: str) -> None:
    with zipfile.ZipFile(io.BytesIO(archive_bytes(handler))) as archive:
        archive.extractall(tmp_path)
    # Without the working copy on the path, every module of ours must come from the archive.
    program = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
try:
    import {handler.removesuffix(".handler")}
except Exception as error:  # it has no variables here; by then all is imported
    assert type(error).__name__ == "EnvironmentVariableError", error
ours = [m for n, m in sys.modules.items() if n.partition(".")[0] in ("functions", "market", "patterns")]
assert all(m.__file__.startswith({str(tmp_path)!r}) for m in ours), ours
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True, cwd=tmp_path)
