"""The figures of a set of latencies. Pure functions; nothing is interpolated: each figure is a value that was seen."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set of latencies comes to, in milliseconds; `math.inf` stands for a message that never came.

    Attributes
    ----------
    count
        How many latencies; all others are NaN if it is 0.
    p50_ms, p90_ms, p99_ms
        Percentiles by nearest rank.
    max_ms
        The largest.
    """

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of a run: what was due in it.

    Attributes
    ----------
    start_ms
        Since the start of the run.
    latencies
        Of the mutations that were due in it.
    """

    start_ms: float
    latencies: Summary


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram: how many values are at least `from_ms` and below `to_ms`, which is infinite in the last."""

    from_ms: float
    to_ms: float
    count: int


def percentile(rising: Sequence[float], percent: float) -> float:
    """Return a percentile by nearest rank: the smallest value that so many of the values do not exceed.

    Parameters
    ----------
    rising
        Values from the smallest to the largest, at least one.
    percent
        0..100.

    Raises
    ------
    ValueError
        There are no values, or the percentage is out of range.
    """
    if not rising:
        raise ValueError("a percentile of no values does not exist")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be 0..100, but is {percent}")
    return rising[max(0, math.ceil(percent * len(rising) / 100) - 1)]


def summarize(values: Iterable[float]) -> Summary:
    """Return the figures of values in any order."""
    rising = sorted(values)
    if not rising:
        return Summary(0, math.nan, math.nan, math.nan, math.nan)
    p50, p90, p99 = (percentile(rising, percent) for percent in (50, 90, 99))
    return Summary(len(rising), p50, p90, p99, rising[-1])


def share_under(values: Sequence[float], limit_ms: float) -> float:
    """Return the share of the values below a limit, 0..1; 0 of none."""
    return sum(value < limit_ms for value in values) / len(values) if values else 0.0


def over_time(points: Iterable[tuple[float, float]], spell_ms: float) -> list[Spell]:
    """Summarize a run stretch by stretch.

    Parameters
    ----------
    points
        (time due in ms since the start, latency in ms), in any order.
    spell_ms
        Length of a stretch.

    Returns
    -------
    list[Spell]
        In order of time; stretches in which nothing was due are left out.
    """
    spells: defaultdict[int, list[float]] = defaultdict(list)
    for due_ms, latency_ms in points:
        spells[int(due_ms // spell_ms)].append(latency_ms)
    return [Spell(number * spell_ms, summarize(spells[number])) for number in sorted(spells)]


def histogram(values: Iterable[float], edges_ms: Sequence[float]) -> list[Bin]:
    """Count values between edges.

    Parameters
    ----------
    values
        In any order; those below the first edge count in the first bin.
    edges_ms
        Rising; the last starts the open bin.

    Returns
    -------
    list[Bin]
        One for each edge; their counts add up to the number of values.
    """
    counts = [0] * len(edges_ms)
    for value in values:
        counts[max(0, bisect_right(edges_ms, value) - 1)] += 1
    ends = [*edges_ms[1:], math.inf]
    return [Bin(*bounds) for bounds in zip(edges_ms, ends, counts, strict=True)]


def bin_edges(largest_ms: float, bins: int) -> list[float]:
    """Return the edges of about so many bins of one round width (1, 2 or 5 times a power of ten) from 0 to a value."""
    wanted = max(largest_ms, 1.0) / bins
    power = 10.0 ** math.floor(math.log10(wanted))
    width = next((factor * power for factor in (1, 2, 5) if factor * power >= wanted), 10 * power)
    return [number * width for number in range(math.ceil(max(largest_ms, 1.0) / width) + 1)]
