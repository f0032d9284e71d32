"""The report's plots as inline SVG. Colors and type come from the report's style sheet, by class; nothing is loaded."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Final, cast
from xml.etree import ElementTree as ET

import pygal

from cli.latency.figures import GOAL_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency.figures import HopFigures
    from cli.latency.statistics import Bin, Spell

_pygal = cast("Any", pygal)  # it has no types
# For maps that we do not draw pygal adds a finder of modules that Python 3.12 no longer understands, nor pytest.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

_WIDTH: Final = 960
_ROW_HEIGHT, _FRAME_HEIGHT = 34, 70


def plot_over_time(spells: Sequence[Spell]) -> str:
    """Draw p50, p90 and p99 of the whole way over the run's time, with the goal as a line."""
    end_s = max(spells[-1].start_ms / 1000, 1) if spells else 1
    seen = [value for spell in spells if math.isfinite(value := spell.latencies.p99_ms)]
    chart = _chart(
        _pygal.XY,
        height=340,
        dots_size=1.5,
        range=(0, max([*seen, GOAL_MS]) * 1.08),
        xrange=(0, end_s),
        x_title="seconds since the start",
        y_title="ms",
        show_y_guides=True,
        show_x_guides=False,
        value_formatter=_milliseconds,
        x_value_formatter=_number,
    )
    for name in ("p50", "p90", "p99"):
        points = [(spell.start_ms / 1000, _finite(getattr(spell.latencies, f"{name}_ms"))) for spell in spells]
        chart.add(name, points)
    chart.add("goal", [(0, GOAL_MS), (end_s, GOAL_MS)], show_dots=False)
    return _svg(chart, "over-time", "Whole way over time")


def plot_waterfall(hops: Sequence[HopFigures]) -> str:
    """Draw each hop as a bar from its median start: p50 in full color, from there to p99 pale."""
    drawn = [hop for hop in reversed(hops) if math.isfinite(hop.latencies.p99_ms)]  # drawn from the bottom
    chart = _chart(
        _pygal.HorizontalStackedBar,
        height=_FRAME_HEIGHT + _ROW_HEIGHT * max(1, len(drawn)),
        x_title="ms since the mutation was due",
        x_labels=[hop.label for hop in drawn],
        value_formatter=_number,
        spacing=24,
    )
    chart.add("start", [max(0.0, hop.start_p50_ms) for hop in drawn])
    chart.add("p50", [max(0.0, hop.latencies.p50_ms) for hop in drawn])
    chart.add("p99", [max(0.0, hop.latencies.p99_ms - max(0.0, hop.latencies.p50_ms)) for hop in drawn])
    return _svg(chart, "waterfall", "Way by hop")


def plot_histogram(bins: Sequence[Bin]) -> str:
    """Draw how many mutations took how long; those that missed the goal in the color of the goal's line."""
    used = [bar for bar in bins if bar.to_ms < math.inf] or list(bins)
    width = used[0].to_ms - used[0].from_ms if used and used[0].to_ms < math.inf else 1.0
    chart = _chart(
        _pygal.Histogram,
        height=300,
        x_title="ms, the last bar: this much or more",
        y_title="mutations",
        show_y_guides=True,
        show_x_guides=False,
        value_formatter=_number,
        x_value_formatter=_number,
    )
    bars = [(bar.count, bar.from_ms, min(bar.to_ms, bar.from_ms + width)) for bar in bins]
    chart.add("under", [bar for bar in bars if bar[1] < GOAL_MS])
    chart.add("over", [bar for bar in bars if bar[1] >= GOAL_MS])
    return _svg(chart, "histogram", "Whole way, distribution")


def _chart(kind: Any, **config: Any) -> Any:
    return kind(
        width=_WIDTH,
        js=[],
        css=[],
        show_legend=False,
        no_prefix=True,
        margin=8,
        print_values=False,
        **config,
    )


def _svg(chart: Any, name: str, title: str) -> str:
    """Render without what a browser would load or run, and with the values as the tooltips it has by itself."""
    root = cast("ET.Element", chart.render_tree())
    for parent in list(root.iter()):
        _tidy(parent)
    root.attrib.pop("id", None)
    root.set("class", f"plot-{name}")
    root.set("role", "img")
    root.set("aria-label", title)
    return ET.tostring(root, encoding="unicode")


def _tidy(parent: ET.Element) -> None:
    described: str | None = None
    for child in list(parent):
        if child.tag in (ET.Comment, "defs", "title"):
            parent.remove(child)
        elif child.tag == "desc":
            if "value" in child.get("class", "") and described is None:
                described = child.text
            parent.remove(child)
    if described is not None:
        ET.SubElement(parent, "title").text = described


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
