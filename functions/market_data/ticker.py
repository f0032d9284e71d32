"""The ticker: what a material did within the last day, and the best prices of this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from market.candles import Interval

if TYPE_CHECKING:
    from functions.api.book_store import BookSnapshot, BookStore
    from functions.market_data.candle_store import CandleStore
    from market.candles import Candle

MINUTES: Final = 1440
"""Minutes in the ticker's day, the one that runs included."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """A material's last day.

    Parameters
    ----------
    candle
        Everything traded within the last `MINUTES`; None if nothing was.
    last_minor
        Price of the last trade, however long ago; None if there has never been one.
    book
        The best price of each side.
    """

    candle: Candle | None
    last_minor: int | None
    book: BookSnapshot


def read_ticker(material: str, candles: CandleStore, books: BookStore, now_ms: int) -> Ticker:
    """Read a material's ticker, epoch ms.

    Some ten read units, whatever is traded in a day: five stretches of candles at half a unit each, four queries of the
    book, and a unit for each 25 commits of the running minute.

    Raises
    ------
    functions.api.problems.Problem
        503, as for `BookStore.snapshot`.
    """
    width_ms = Interval.MINUTE.width_ms
    candle = candles.sum_of(material, Interval.MINUTE.start_of(now_ms) - (MINUTES - 1) * width_ms, now_ms)
    last_minor = candle.close_minor if candle else candles.last_minor(material)
    return Ticker(candle, last_minor, books.snapshot(material, 1))
