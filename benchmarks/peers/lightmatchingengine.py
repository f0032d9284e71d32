"""Play the tape on `lightmatchingengine`: it numbers orders from 1 and knows no immediate-or-cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side, Trade

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, Message, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class LightEngine:
    """Its answer lists the taker's trade of a price level, then the makers' trades at that level."""

    def __init__(self) -> None:
        self.engine = LightMatchingEngine()
        self.answers: list[tuple[int, list[Trade]]] = []

    def prepare(self, messages: list[Message]) -> list[Any]:
        return [(m.kind, m.order + 1, Side.BUY if m.side == BUY else Side.SELL, m.price, m.quantity) for m in messages]

    def play(self, prepared: list[Any]) -> None:
        engine, answers = self.engine, self.answers
        for kind, order_id, side, price, quantity in prepared:
            if kind == CANCEL:
                engine.cancel_order(order_id, "iron")
                continue
            order, trades = engine.add_order("iron", price, quantity, side)
            if trades:
                answers.append((order_id, trades))
            if kind == IMMEDIATE_OR_CANCEL and order.leaves_qty:
                engine.cancel_order(order_id, "iron")

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        for taker_id, trades in self.answers:
            for trade in trades:
                if trade.order_id != taker_id:
                    yield trade.order_id - 1, taker_id - 1, trade.trade_price, trade.trade_qty
        self.answers.clear()


if __name__ == "__main__":
    serve(LightEngine)
