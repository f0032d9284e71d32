"""When the mutations of a run are due: a pattern spreads a mean rate over the run's time.

The times are fixed before the run. Nothing that the market answers moves them: this is what makes the loop an open
one (Schroeder et al., "Open Versus Closed: A Cautionary Tale", NSDI 2006).
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Final


class Pattern(StrEnum):
    """How the rate moves during a run; the mean is the same for all."""

    STEADY = "steady"
    """The same rate all the time."""

    BURST = "burst"
    """Five times the rate for a tenth of every ten seconds, a little more than half of it otherwise."""

    AUCTION_CLOSE = "auction-close"
    """From half the rate to two and a half times the rate, most of the rise in the last third."""

    @property
    def peak_factor(self) -> float:
        """Its highest rate, as a multiple of the mean."""
        return {Pattern.STEADY: 1.0, Pattern.BURST: BURST_FACTOR, Pattern.AUCTION_CLOSE: _CLOSE_FACTOR}[self]


BURST_PERIOD_S: Final = 10.0
BURST_FACTOR: Final = 5.0
_BURST_SHARE = 0.1  # of a period
_CLOSE_POWER = 4
_CLOSE_FACTOR = (1 + _CLOSE_POWER) / 2

_QUIET_FACTOR = (1 - BURST_FACTOR * _BURST_SHARE) / (1 - _BURST_SHARE)
_BURST_START, _BURST_END = (1 - _BURST_SHARE) / 2, (1 + _BURST_SHARE) / 2
# Share of a period's time → share of its mutations.
_BURST_CORNERS = (
    (0.0, 0.0),
    (_BURST_START, _QUIET_FACTOR * _BURST_START),
    (_BURST_END, 1 - _QUIET_FACTOR * (1 - _BURST_END)),
    (1.0, 1.0),
)
_HALVINGS = 50


def due_times_ms(pattern: Pattern, *, rate_per_s: float, duration_s: float) -> list[float]:
    """Return when each mutation is due.

    Parameters
    ----------
    pattern
        How the rate moves.
    rate_per_s
        Mean rate, above zero.
    duration_s
        Length of the run, above zero.

    Returns
    -------
    list[float]
        Milliseconds since the start, rising; as many as rate times duration, rounded, and at least one.
    """
    mutations = max(1, round(rate_per_s * duration_s))
    periods = max(1, round(duration_s / BURST_PERIOD_S))
    return [
        _time_share(pattern, (number + 0.5) / mutations, periods) * duration_s * 1000 for number in range(mutations)
    ]


def _time_share(pattern: Pattern, share: float, periods: int) -> float:
    """Return the share of the run's time by which a share of its mutations is due."""
    match pattern:
        case Pattern.STEADY:
            return share
        case Pattern.BURST:
            period, within = divmod(share * periods, 1)
            return (period + _between_corners(within)) / periods
        case Pattern.AUCTION_CLOSE:
            return _closing(share)


def _between_corners(share: float) -> float:
    for (start, below), (end, above) in pairwise(_BURST_CORNERS):
        if share <= above:
            return start + (end - start) * (share - below) / (above - below)
    return 1.0


def _closing(share: float) -> float:
    """Solve x/2 + x⁴/2 = share: a rate of 1/2 + 2x³ times the mean."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (middle + middle**_CLOSE_POWER) / 2 < share:
            low = middle
        else:
            high = middle
    return high
