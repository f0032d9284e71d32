"""The page's code is code that runs: every snippet stands in the example or in a test."""

from __future__ import annotations

import re

from local.environment import PROJECT_ROOT

PAGE = PROJECT_ROOT / "patterns" / "historic" / "README.md"
SOURCES = (PROJECT_ROOT / "examples" / "historic", PROJECT_ROOT / "tests" / "patterns" / "historic")


def test_every_snippet_is_an_excerpt_of_a_tested_file() -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    texts = [path.read_text(encoding="utf-8") for folder in SOURCES for path in folder.rglob("*.py")]
    assert snippets
    for snippet in snippets:
        assert any(snippet in text for text in texts), snippet
