"""Play the tape on `akhil4n-orderbook`: it numbers orders from 1 and knows no immediate-or-cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orderbook import Order, OrderBook, OrderSide

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, Message, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class AkhilOrderBook:
    """Prices are given as ints, which it takes as they are and handles faster than the Decimals of its examples."""

    def __init__(self) -> None:
        self.book = OrderBook()

    def prepare(self, messages: list[Message]) -> list[Any]:
        return [
            (m.kind, str(m.order + 1), OrderSide.BID if m.side == BUY else OrderSide.ASK, m.price, m.quantity)
            for m in messages
        ]

    def play(self, prepared: list[Any]) -> None:
        book = self.book
        for kind, order_id, side, price, quantity in prepared:
            if kind == CANCEL:
                book.cancel_order(order_id)
                continue
            order = Order(side, price, quantity)
            book.add_limit_order(order)
            if kind == IMMEDIATE_OR_CANCEL and order.remaining_quantity:
                book.cancel_order(order_id)

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        for trade in self.book.trade_log:
            yield int(trade.filler_id) - 1, int(trade.aggressor_id) - 1, trade.price, trade.quantity_filled
        self.book.trade_log.clear()


if __name__ == "__main__":
    serve(AkhilOrderBook)
