"""Play the tape on `order-matching`: sizes are floats there, and an order is matched at a time of day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from loguru import logger
from order_matching.enums import Side
from order_matching.matching_engine import MatchingEngine
from order_matching.order import LimitOrder
from order_matching.orders import Orders

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, Message, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from order_matching.trade import Trade

OPENS_AT = datetime(2026, 1, 1)  # noqa: DTZ001 the peer compares with its own naive datetime.max


class OrderMatching:
    """Each order is placed and matched at its own millisecond. Logging to stderr is switched off."""

    def __init__(self) -> None:
        logger.remove()
        self.engine = MatchingEngine(seed=1)
        self.trades: list[Trade] = []

    def prepare(self, messages: list[Message]) -> list[Any]:
        return [
            (
                m.kind,
                str(m.order),
                Side.BUY if m.side == BUY else Side.SELL,
                m.price,
                m.quantity,
                OPENS_AT + timedelta(milliseconds=m.order),
            )
            for m in messages
        ]

    def play(self, prepared: list[Any]) -> None:
        engine, trades = self.engine, self.trades
        for kind, order_id, side, price, quantity, at in prepared:
            if kind == CANCEL:
                engine.cancel_order(order_id)
                continue
            order = LimitOrder(
                side=side,
                price=price,
                size=quantity,
                timestamp=at,
                order_id=order_id,
                trader_id="player",
                price_number_of_digits=0,
            )
            engine.place(Orders([order]))
            trades += engine.match(timestamp=at).trades
            if kind == IMMEDIATE_OR_CANCEL and order.size:
                engine.cancel_order(order_id)

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        for trade in self.trades:
            yield int(trade.book_order_id), int(trade.incoming_order_id), int(trade.price), int(trade.size)
        self.trades.clear()


if __name__ == "__main__":
    serve(OrderMatching)
