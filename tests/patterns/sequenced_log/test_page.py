"""The catalogue page shows code that runs: each of its blocks is a piece of the tested example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patterns import sequenced_log

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "patterns" / "sequenced_log" / "README.md").read_text("utf-8")
EXAMPLE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "examples" / "sequenced_log").rglob("*.py")))


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_each_block_is_a_piece_of_the_example(block: str) -> None:
    assert block in EXAMPLE


def test_the_page_lists_every_error() -> None:
    errors = {name for name in sequenced_log.__all__ if name.endswith("Error")} - {"SequencedLogError"}
    assert {name for name in errors if f"| `{name}` |" not in PAGE} == set()
