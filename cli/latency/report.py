"""The report of a run: one HTML file with everything in it, which opens without a network."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from cli.latency.figures import GOAL_MS
from cli.latency.plots import plot_histogram, plot_over_time, plot_waterfall
from cli.latency.wording import clock_sentence, findings_of, latency_text, parameters_of, share_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency.figures import Figures
    from cli.latency.samples import Run
    from cli.latency.statistics import Summary

_STYLE: Final = Path(__file__).with_name("report.css")

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<h1>From click to every client</h1>
<p class="quiet">$subtitle</p>
<div class="tiles">$tiles</div>
<h2>Over time</h2>
<figure><figcaption>Whole way of the mutations by the time they were due.
<i class="swatch-p50"></i>p50<i class="swatch-p90"></i>p90<i class="swatch-p99"></i>p99<i class="swatch-goal"></i>goal,
$goal ms</figcaption>$over_time</figure>
<h2>Hop by hop</h2>
<figure><figcaption>Each hop from its median start.
<i class="swatch-p50"></i>p50<i class="swatch-pale"></i>from there to p99</figcaption>$waterfall</figure>
<h2>Distribution</h2>
<figure><figcaption>Whole way.
<i class="swatch-p50"></i>under $goal ms<i class="swatch-over"></i>over</figcaption>$histogram</figure>
<h2>Figures, ms</h2>
<table><thead><tr><th></th><th>mutations</th><th>p50</th><th>p90</th><th>p99</th><th>max</th></tr></thead>
<tbody>
$rows
</tbody></table>
<p class="quiet">$clock</p>
<h2>Delivery</h2>
<ul>
$findings
</ul>
<h2>Run</h2>
<table class="parameters"><tbody>
$parameters
</tbody></table>
</body>
</html>
""")


def html_report(run: Run, figures: Figures) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    run
        Its circumstances.
    figures
        What it came to.
    """
    parameters = parameters_of(run)
    return _PAGE.substitute(
        title=escape(f"Latency of {run.environment}, {run.started_at}"),
        style=_STYLE.read_text(encoding="utf-8"),
        subtitle=escape(f"{run.environment} · {run.started_at}"),
        tiles=_tiles(figures),
        goal=GOAL_MS,
        over_time=plot_over_time(figures.spells),
        waterfall=plot_waterfall(figures.hops),
        histogram=plot_histogram(figures.bins),
        rows="\n".join(_rows(figures)),
        clock=escape(clock_sentence(figures.clock)),
        findings="\n".join(
            f'<li class="{"" if finding.sound else "bad"}">{escape(finding.text)}</li>'
            for finding in findings_of(run, figures)
        ),
        parameters="\n".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in parameters),
    )


def _tiles(figures: Figures) -> str:
    whole = figures.whole
    tiles = [
        (share_text(figures.share_under_goal), f"with every client in under {GOAL_MS} ms", None),
        (f"{latency_text(whole.p50_ms)} ms", "p50", whole.p50_ms < GOAL_MS),
        (f"{latency_text(whole.p99_ms)} ms", "p99", whole.p99_ms < GOAL_MS),
        (f"{figures.counted:,}", "mutations", None),
        (f"{figures.lost:,}", "lost", figures.lost == 0),
    ]
    return "".join(
        f'<div class="tile"><b class="{_judged(good)}">{escape(value)}</b>'
        f'<span class="quiet">{escape(name)}</span></div>'
        for value, name, good in tiles
    )


def _judged(good: bool | None) -> str:
    return "" if good is None else "good" if good else "bad"


def _rows(figures: Figures) -> Sequence[str]:
    return [
        _row("whole way: due → last client", figures.whole, "whole"),
        _row("due → its player's client", figures.own, "whole"),
        _row("due → HTTP answer", figures.answer),
        *(_row(hop.label, hop.latencies) for hop in figures.hops),
    ]


def _row(label: str, latencies: Summary, kind: str = "") -> str:
    values = (latencies.p50_ms, latencies.p90_ms, latencies.p99_ms, latencies.max_ms)
    cells = "".join(f"<td>{'' if math.isnan(value) else escape(latency_text(value))}</td>" for value in values)
    return f'<tr class="{kind}"><td>{escape(label)}</td><td>{latencies.count:,}</td>{cells}</tr>'
