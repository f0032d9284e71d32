"""The page's code is code that runs, and its errors are the library's."""

from __future__ import annotations

import re
from pathlib import Path

import patterns.periodic_aggregator
from components.periodic_aggregator import PeriodicAggregatorArgs

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "patterns" / "periodic_aggregator" / "README.md").read_text("utf-8")


def test_every_snippet_is_an_excerpt_of_the_example() -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    texts = [path.read_text("utf-8") for path in (ROOT / "examples" / "periodic_aggregator").rglob("*.py")]
    assert len(snippets) >= 4
    for snippet in snippets:
        assert any(snippet in text for text in texts), snippet


def test_every_input_is_on_the_page() -> None:
    assert [name for name in PeriodicAggregatorArgs.__annotations__ if f"`{name}`" not in PAGE] == []


def test_every_error_is_on_the_page() -> None:
    errors = [name for name in patterns.periodic_aggregator.__all__ if name.endswith("Error")]
    assert [name for name in errors if name not in PAGE] == []
