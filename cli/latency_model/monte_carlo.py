"""Adding hops up by simulation: seeded, with the standard library only.

Hops are drawn independently of each other. What is not in it: waiting behind a batch that is being matched, throttling,
and conflicts; they depend on the load, which `market latency` drives and measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency_model.way import Hop

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


def simulate(hops: Sequence[Hop], *, samples: int, seed: int, limit_ms: float) -> Simulated:
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
    drawn = [_draw(hop, samples, random) for hop in hops]
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


def _draw(hop: Hop, samples: int, random: Random) -> list[float]:
    at, gauss = hop.figures.latency.at, random.gauss
    if hop.chance < 1:
        return [at(gauss(0, 1)) if random.random() < hop.chance else 0.0 for _ in range(samples)]
    if hop.at_a_time == 1:
        return [at(gauss(0, 1)) for _ in range(samples)]
    return [max(at(gauss(0, 1)) for _ in range(hop.at_a_time)) for _ in range(samples)]


def _figures(values: Sequence[float]) -> Figures:
    ordered = sorted(values)

    def percentile(percent: int) -> float:
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]

    return Figures(percentile(50), percentile(90), percentile(99), sum(ordered) / len(ordered))
