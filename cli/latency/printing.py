"""A run's figures on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from cli.latency.wording import clock_sentence, findings_of, latency_text
from cli.screen import listing

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cli.latency.figures import Figures
    from cli.latency.samples import Run
    from cli.latency.statistics import Summary


def print_run(console: Console, run: Run, figures: Figures) -> None:
    """Print the table of the way and its hops, what it rests on, and what clients noticed."""
    numbers = ("mutations", "p50", "p90", "p99", "max")
    table = listing("milliseconds", "", *numbers, numbers=numbers)
    _add(table, "due → every client", figures.whole, style="bold")
    _add(table, "due → its player's client", figures.own)
    _add(table, "due → HTTP answer", figures.answer)
    table.add_section()
    for hop in figures.hops:
        _add(table, hop.label, hop.latencies)
    console.print(table)
    console.print(clock_sentence(figures.clock), style="dim")
    for finding in findings_of(run, figures):
        console.print(escape(finding.text), style=None if finding.sound else "yellow", soft_wrap=True)


def _add(table: Table, label: str, latencies: Summary, style: str | None = None) -> None:
    values = (latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms)
    table.add_row(escape(label), f"{latencies.count:,}", *map(latency_text, values), style=style)
