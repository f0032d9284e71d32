"""Adding hops up by simulation: seeded, with the standard library only.

Hops are drawn independently of each other, or all with one and the same luck: the truth lies between these two, nearer
to the first where hops are different services. What is not in it: waiting behind a batch that is being matched,
throttling, and conflicts; they depend on the load, which `market latency` drives and measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency_model.way import Hop

_NORMAL = NormalDist()
_BELOW_ONE = math.nextafter(1, 0)

LEAST_SAMPLES = 1000
"""Below, a p99 rests on fewer than ten samples."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds of many samples."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float


@dataclass(frozen=True, slots=True)
class HopResult:
    """What a hop contributes.

    Attributes
    ----------
    figures
        Of the hop alone.
    share
        Its part of the whole way's mean, 0..1.
    slow_ms
        What it takes on average in the slowest 1 % of the whole ways.
    """

    figures: Figures
    share: float
    slow_ms: float


@dataclass(frozen=True, slots=True)
class Simulated:
    """The whole way, and each hop's part, in the order of the hops.

    Attributes
    ----------
    whole, hops
        The figures.
    within
        Share of the ways that stay within the limit, 0..1.
    """

    whole: Figures
    hops: tuple[HopResult, ...]
    within: float


def simulate(hops: Sequence[Hop], *, samples: int, seed: int, limit_ms: float, together: bool = False) -> Simulated:
    """Draw the whole way many times.

    Parameters
    ----------
    hops
        Waited for one after the other.
    samples
        How many ways, `LEAST_SAMPLES` or more.
    seed
        The same seed gives the same figures.
    limit_ms
        What `Simulated.within` is about.
    together
        Whether all hops of a way are as fast or slow as each other, instead of independent.

    Raises
    ------
    ValueError
        Too few samples, or no hops.
    """
    if samples < LEAST_SAMPLES:
        raise ValueError(f"samples must be {LEAST_SAMPLES} at least, got {samples}")
    if not hops:
        raise ValueError("hops must be one at least")
    random = Random(seed)
    shared = [random.gauss(0, 1) for _ in range(samples)] if together else None
    drawn = [_draw(hop, shared or [random.gauss(0, 1) for _ in range(samples)], random) for hop in hops]
    whole = [sum(parts) for parts in zip(*drawn, strict=True)]
    figures = _figures(whole)
    slowest = sorted(range(samples), key=whole.__getitem__)[-max(samples // 100, 1) :]
    results = tuple(
        HopResult(
            figures=(of_hop := _figures(values)),
            share=of_hop.mean_ms / figures.mean_ms,
            slow_ms=sum(values[index] for index in slowest) / len(slowest),
        )
        for values in drawn
    )
    return Simulated(figures, results, sum(value < limit_ms for value in whole) / samples)


def _draw(hop: Hop, normals: Sequence[float], random: Random) -> list[float]:
    at = hop.figures.latency.at
    if hop.at_a_time > 1:
        return [at(_highest(normal, hop.at_a_time)) for normal in normals]
    if hop.chance < 1:
        return [at(normal) if random.random() < hop.chance else 0.0 for normal in normals]
    return [at(normal) for normal in normals]


def _highest(normal: float, of: int) -> float:
    """Where the highest of so many normal variates lies with the probability with which one lies here."""
    return _NORMAL.inv_cdf(min(_NORMAL.cdf(normal) ** (1 / of), _BELOW_ONE))


def _figures(values: Sequence[float]) -> Figures:
    ordered = sorted(values)

    def percentile(percent: int) -> float:
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]

    return Figures(percentile(50), percentile(90), percentile(99), sum(ordered) / len(ordered))
