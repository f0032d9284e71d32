"""Distributions of latencies through published percentiles.

The family is piecewise lognormal: the logarithm of the latency is a piecewise linear function of the standard normal
quantile. It goes through every given point exactly; with two points it is the lognormal distribution through them; with
more it follows tails that no single lognormal has. Outside the first and the last point the nearest piece goes on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Latency:
    """How long something takes.

    Parameters
    ----------
    percentiles
        Percent (strictly between 0 and 100) to milliseconds (above 0), at least two, both ascending.
    lowest_ms, highest_ms
        Nothing is below or above; not within the percentiles.

    Raises
    ------
    ValueError
        The points break these rules.
    """

    percentiles: Mapping[float, float]
    lowest_ms: float = 0.0
    highest_ms: float = math.inf

    def __post_init__(self) -> None:
        percents, milliseconds = list(self.percentiles), list(self.percentiles.values())
        if len(percents) < 2:
            raise ValueError(f"percentiles must be two at least, got {dict(self.percentiles)}")
        if percents != sorted({*percents}) or not 0 < percents[0] <= percents[-1] < 100:
            raise ValueError(f"percentiles must ascend between 0 and 100, got {percents}")
        if milliseconds != sorted(milliseconds) or milliseconds[0] <= 0:
            raise ValueError(f"latencies must be above 0 and ascend with their percentiles, got {milliseconds}")
        if not self.lowest_ms <= milliseconds[0] <= milliseconds[-1] <= self.highest_ms:
            raise ValueError(f"latencies {milliseconds} must be within {self.lowest_ms}..{self.highest_ms}")

    def quantile(self, percent: float) -> float:
        """Return the milliseconds that this percentage, strictly between 0 and 100, does not exceed."""
        return self.at(_NORMAL.inv_cdf(percent / 100))

    def at(self, normal: float) -> float:
        """Return the milliseconds at a standard normal quantile: applied to normal variates it draws samples."""
        knots, logarithms, slopes = self._pieces
        piece = min(max(bisect_right(knots, normal) - 1, 0), len(slopes) - 1)
        exponent = logarithms[piece] + slopes[piece] * (normal - knots[piece])
        return min(max(math.exp(exponent), self.lowest_ms), self.highest_ms)

    def times(self, factor: float) -> Latency:
        """Return the distribution of something that takes `factor` times as long."""
        points = {percent: factor * milliseconds for percent, milliseconds in self.percentiles.items()}
        return Latency(points, factor * self.lowest_ms, factor * self.highest_ms)

    @cached_property
    def _pieces(self) -> tuple[list[float], list[float], list[float]]:
        knots = [_NORMAL.inv_cdf(percent / 100) for percent in self.percentiles]
        logarithms = [math.log(milliseconds) for milliseconds in self.percentiles.values()]
        slopes = [
            (logarithms[index + 1] - logarithms[index]) / (knots[index + 1] - knots[index])
            for index in range(len(knots) - 1)
        ]
        return knots, logarithms, slopes


def between(low: Latency, high: Latency, share: float) -> Latency:
    """Return the distribution so far (0..1) on the way from one to another with the same percentiles."""
    if list(low.percentiles) != list(high.percentiles):
        raise ValueError(f"percentiles differ: {list(low.percentiles)} and {list(high.percentiles)}")

    def mixed(first: float, second: float) -> float:
        return first + share * (second - first)

    points = {percent: mixed(value, high.percentiles[percent]) for percent, value in low.percentiles.items()}
    return Latency(points, mixed(low.lowest_ms, high.lowest_ms), mixed(low.highest_ms, high.highest_ms))
