"""The samples file: what is written is read again; anything else is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.failures import UnusableCommandError
from cli.latency.samples import Detection, read_run, write_run
from tests.latency.ways import mutation, run_of

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    unanswered = replace(
        mutation(3, 60), answered_ms=None, order_id=None, failed=True, receipts={}, told_ms=None, stamps={}
    )
    run = replace(
        run_of([*(mutation(number, number * 20) for number in range(3)), unanswered]),
        detection=Detection(12, 1, 2, ("watcher 1: a line",)),
        ended_early="interrupted",
        unsent=7,
        troubles=("watcher 2 stopped listening: 403", "ünïcode"),
    )
    write_run(run, tmp_path / "samples.json")
    assert read_run(tmp_path / "samples.json") == run
    assert "Infinity" not in (tmp_path / "samples.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps({"format": "another"}), '{"format": "market-latency-1"}']
)
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "samples.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UnusableCommandError, match=r"samples\.json is no samples file"):
        read_run(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableCommandError, match="is no samples file"):
        read_run(tmp_path / "nowhere.json")
