"""The report: one file that loads nothing, says what the figures say, and copes with the worst of runs."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cli.latency.figures import figures_of
from cli.latency.printing import print_run
from cli.latency.report import html_report
from cli.latency.samples import Detection, Run
from cli.latency.wording import share_text
from tests.latency.ways import WATCHERS, mutation, run_of

if TYPE_CHECKING:
    from cli.latency.samples import Sample

GOOD = run_of(mutation(number, number * 20) for number in range(3000))
LOST = run_of([mutation(0, 0, missed_by=WATCHERS)])
NOT_TAKEN = replace(mutation(0, 0), order_id=None, receipts={}, told_ms=None, stamps={})
REFUSED = run_of([replace(NOT_TAKEN, refusal="<b>no</b> [field price]")])
MANY = replace(
    run_of(replace(NOT_TAKEN, refusal=f"<b>no</b> {number}") for number in range(500)),
    detection=Detection(9, 0, 0, tuple(f"<something> {number}" for number in range(500))),
)
CUT = replace(
    GOOD,
    environment="<b>no</b>",
    ended_early="<b>no</b> answer",
    unsent=5,
    troubles=("<something> stopped listening: 403 <b>no</b>",),
)
ALONE = run_of([mutation(0, 0)], minutes=0.05)
UNNOTICED = replace(GOOD, detection=Detection(9, 0, 0, ("watcher 1 lost <something>",)))
EMPTY = run_of([])
SLOW = run_of(mutation(number, number * 20, back_ms=5000) for number in range(50))

RUNS = {
    "good": GOOD,
    "lost": LOST,
    "refused": REFUSED,
    "many": MANY,
    "cut": CUT,
    "alone": ALONE,
    "unnoticed": UNNOTICED,
    "empty": EMPTY,
    "slow": SLOW,
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_report_is_one_file_that_loads_and_runs_nothing(run: Run) -> None:
    html = html_report(run, figures_of(run))
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|href=|src=|\son\w+=", html)
    assert html.count("<svg") == 3
    assert "NaN" not in html
    assert "nan" not in re.findall(r"(?<![a-z])nan(?![a-z])", html)
    assert "<b>no</b>" not in html
    assert "<something>" not in html


def test_the_report_shows_the_figures_and_the_run() -> None:
    html = html_report(GOOD, figures_of(GOOD))
    for text in ("100.00 %", "sequenced → matched", "published → last client", "simulated", "± ", "300 ms", "steady"):
        assert text in html


def text_of(run: Run) -> str:
    console = Console(file=StringIO(), width=120)
    print_run(console, run, figures_of(run))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_report_marks_what_is_wrong_and_nothing_else() -> None:
    assert 'class="bad"' not in html_report(GOOD, figures_of(GOOD))
    for run in (LOST, REFUSED, MANY, CUT, UNNOTICED):
        assert '<li class="bad">' in html_report(run, figures_of(run))


def test_the_screen_shows_every_hop_and_what_clients_noticed() -> None:
    shown = text_of(replace(GOOD, detection=Detection(9000, 3, 2, ())))
    for text in ("matched → committed", "± ", "3 duplicates and 2 gaps", "nothing was lost or repeated", "100.00 %"):
        assert text in shown


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (LOST, "1 were lost"),
        (LOST, "never"),
        (REFUSED, "1 × <b>no</b> [field price]"),
        (UNNOTICED, "unnoticed: watcher 1 lost <something>"),
        (MANY, "1 × <b>no</b> 7\n… and 492 more of that kind"),
        (MANY, "unnoticed: <something> 7\n… and 492 more of that kind"),
        (LOST, "of fewer than 100 mutations p99 is the maximum"),
        (CUT, "ended early, 5 were not sent: <b>no</b> answer"),
        (CUT, "<something> stopped listening: 403 <b>no</b>"),
    ],
)
def test_the_screen_tells_what_is_wrong(run: Run, text: str) -> None:
    assert text in text_of(run)


def test_a_share_is_shown_as_it_is() -> None:
    assert [share_text(number / 10_000) for number in range(10_001)] == [
        f"{number // 100}.{number % 100:02} %" for number in range(10_001)
    ]


def test_almost_all_is_not_shown_as_all() -> None:
    samples: list[Sample] = [mutation(number, number * 20) for number in range(30_000)]
    samples.append(mutation(30_000, 0, missed_by=WATCHERS))
    assert "99.99 %" in text_of(run_of(samples))
    assert math.isinf(figures_of(run_of(samples)).whole.max_ms)
