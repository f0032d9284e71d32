"""The catalogue's index is complete and true: every pattern has its page, component, library, example and tests."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = (ROOT / "patterns" / "README.md").read_text("utf-8")
SHARED = {"dynamodb"}
PATTERNS = sorted(path.parent.name for path in ROOT.glob("patterns/*/__init__.py") if path.parent.name not in SHARED)


def test_the_index_has_every_pattern() -> None:
    assert re.findall(r"\[page\]\((\w+)/README\.md\)", INDEX) == [
        "aggregator",
        "periodic_aggregator",
        "processor",
        "optimistic_locking",
        "historic",
        "sequenced_log",
    ]
    assert set(re.findall(r"\[page\]\((\w+)/", INDEX)) == set(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_the_index_names_is_there(pattern: str) -> None:
    (row,) = [line for line in INDEX.splitlines() if f"({pattern}/README.md)" in line]
    component = re.search(r"`(components/\w+\.py)`", row)
    library = re.search(r"`(patterns\.\w+)`", row)
    assert component
    assert (ROOT / component[1]).is_file()
    assert library
    module = import_module(library[1])
    assert all(hasattr(module, name) for name in module.__all__)
    page = (ROOT / "patterns" / pattern / "README.md").read_text("utf-8").lower()
    for part in ("example", "guarantee", "limit", "pro", "con", "cost"):
        assert part in page, part
    assert (ROOT / "examples" / pattern / "__main__.py").is_file()
    assert list((ROOT / "tests" / "patterns" / pattern).glob("test_*.py"))


@pytest.mark.parametrize("page", ["patterns/README.md", "docs/reuse.md", "examples/other-game/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists() and "://" not in link] == []
