"""Candles: what was traded of a material within a window of time, as open, high, low, close and sums.

Candles of parts add up to the candle of the whole, in any order: open and close are those of the lowest and the highest
sequence number on the tape, not of whatever came first. So a minute is the sum of its commits, and a day that of its
hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.tape import TapeCommit


class Interval(StrEnum):
    """Widths of candles, finest first; each is a whole number of the one before. Windows begin at multiples in UTC."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def width_ms(self) -> int:
        """Milliseconds in a window."""
        return _WIDTHS_MS[self]

    @property
    def finer(self) -> Interval | None:
        """The next finer interval; None for minutes."""
        position = _FINEST_FIRST.index(self)
        return _FINEST_FIRST[position - 1] if position else None

    def start_of(self, time_ms: int) -> int:
        """Return where the window begins that a time (epoch ms) falls into."""
        return time_ms - time_ms % self.width_ms


_FINEST_FIRST = tuple(Interval)
_WIDTHS_MS = {
    Interval.MINUTE: 60_000,
    Interval.FIVE_MINUTES: 300_000,
    Interval.HOUR: 3_600_000,
    Interval.DAY: 86_400_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """What was traded in some commits of one material.

    Parameters
    ----------
    open_minor, high_minor, low_minor, close_minor
        Prices of the first, dearest, cheapest and last trade, in minor units.
    volume
        Units traded.
    value_minor
        Sum of price times quantity, in minor units.
    trades
        Number of trades.
    first_sequence, last_sequence
        The commits of the first and of the last trade.
    """

    open_minor: int
    high_minor: int
    low_minor: int
    close_minor: int
    volume: int
    value_minor: int
    trades: int
    first_sequence: int
    last_sequence: int


def candle_of(commit: TapeCommit) -> Candle | None:
    """Return the candle of one commit; None if it traded nothing."""
    if not commit.fills:
        return None
    prices = [fill.price_minor for fill in commit.fills]
    return Candle(
        open_minor=prices[0],
        high_minor=max(prices),
        low_minor=min(prices),
        close_minor=prices[-1],
        volume=sum(fill.quantity for fill in commit.fills),
        value_minor=sum(fill.price_minor * fill.quantity for fill in commit.fills),
        trades=len(commit.fills),
        first_sequence=commit.sequence,
        last_sequence=commit.sequence,
    )


def merged(parts: Iterable[Candle]) -> Candle | None:
    """Add up candles of different commits of one material, in any order; None if there are none."""
    candles = tuple(parts)
    if not candles:
        return None
    first = min(candles, key=lambda candle: candle.first_sequence)
    last = max(candles, key=lambda candle: candle.last_sequence)
    return Candle(
        open_minor=first.open_minor,
        high_minor=max(candle.high_minor for candle in candles),
        low_minor=min(candle.low_minor for candle in candles),
        close_minor=last.close_minor,
        volume=sum(candle.volume for candle in candles),
        value_minor=sum(candle.value_minor for candle in candles),
        trades=sum(candle.trades for candle in candles),
        first_sequence=first.first_sequence,
        last_sequence=last.last_sequence,
    )


class Span(NamedTuple):
    """Neighbouring windows of one interval: those that begin from `start_ms` on and before `end_ms`, epoch ms."""

    interval: Interval
    start_ms: int
    end_ms: int


def cover(start_ms: int, end_ms: int) -> tuple[Span, ...]:
    """Cover a stretch of time with as few windows as possible, so that few candles have to be read to sum it up.

    Parameters
    ----------
    start_ms, end_ms
        Epoch ms, both on the minute; the end is not part of it.

    Returns
    -------
    tuple[Span, ...]
        In order of time, without gaps and without overlaps: finer towards both ends, at most two spans an interval.
        Empty if the stretch is.
    """
    return tuple(_cover(start_ms, end_ms, len(_FINEST_FIRST) - 1))


def _cover(start_ms: int, end_ms: int, coarsest: int) -> Iterable[Span]:
    if start_ms >= end_ms:
        return
    interval = _FINEST_FIRST[coarsest]
    if coarsest == 0:
        yield Span(interval, start_ms, end_ms)
        return
    whole_start_ms = interval.start_of(start_ms + interval.width_ms - 1)
    whole_end_ms = interval.start_of(end_ms)
    if whole_start_ms >= whole_end_ms:
        yield from _cover(start_ms, end_ms, coarsest - 1)
        return
    yield from _cover(start_ms, whole_start_ms, coarsest - 1)
    yield Span(interval, whole_start_ms, whole_end_ms)
    yield from _cover(whole_end_ms, end_ms, coarsest - 1)


def basis_points(part: int, whole: int) -> int:
    """Return a part of a positive whole in ten-thousandths, rounded towards zero."""
    points = abs(part) * 10_000 // whole
    return -points if part < 0 else points
