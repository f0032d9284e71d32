"""Play the tape on this repository's `market.matching.order_book`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, Message, serve
from market.matching.order_book import Fill, OrderBook, TimeInForce
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator


FIRST_ID = 1_000_000  # orders that rest since before the tape have negative numbers


class MarketOrderBook:
    """Order ids are as long as the uuids of production, and as those sort in the order of placing."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.trades: list[Fill] = []

    def prepare(self, messages: list[Message]) -> list[Any]:
        return [
            (
                message.kind == CANCEL,
                f"{FIRST_ID + message.order:036d}",
                Side.BUY if message.side == BUY else Side.SELL,
                message.price,
                message.quantity,
                TimeInForce.IMMEDIATE_OR_CANCEL
                if message.kind == IMMEDIATE_OR_CANCEL
                else TimeInForce.GOOD_TIL_CANCELED,
            )
            for message in messages
        ]

    def play(self, prepared: list[Any]) -> None:
        place, cancel, trades = self.book.place, self.book.cancel, self.trades
        for cancels, order_id, side, price, quantity, time_in_force in prepared:
            if cancels:
                cancel(order_id)
            else:
                trades += place(order_id, side, price, quantity, time_in_force)

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        for fill in self.trades:
            yield int(fill.maker_id) - FIRST_ID, int(fill.taker_id) - FIRST_ID, fill.price_minor, fill.quantity
        self.trades.clear()


if __name__ == "__main__":
    serve(MarketOrderBook)
