"""The catalogue page tells the truth: its session runs, its excerpts are in the example."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import TYPE_CHECKING

import patterns.optimistic_locking
from tests.patterns.optimistic_locking.accounts import ANN

if TYPE_CHECKING:
    from tests.patterns.stores import Store

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "patterns" / "optimistic_locking" / "README.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_session_runs_as_printed(store: Store) -> None:
    session = "".join(block for block in BLOCKS if block.startswith(">>>"))
    (partition_key,) = ANN
    session = session.replace('"accounts"', f'"{store.create_table(partition_key)}"')
    test = doctest.DocTestParser().get_doctest(session, {"client": store.client}, "README.md", None, 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.failures == 0
    assert runner.tries > 15


def test_every_excerpt_is_in_the_example() -> None:
    files = [file.read_text("utf-8") for file in (ROOT / "examples" / "optimistic_locking").rglob("*.py")]
    excerpts = [block for block in BLOCKS if not block.startswith(">>>")]
    assert len(excerpts) == 4
    assert [excerpt for excerpt in excerpts if not any(excerpt in file for file in files)] == []


def test_every_public_error_is_on_the_page() -> None:
    names = [name for name in patterns.optimistic_locking.__all__ if name.endswith("Error")]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
