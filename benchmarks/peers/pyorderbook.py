"""Play the tape on `pyorderbook`: it names orders itself and knows no immediate-or-cancel, so the rest is canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyorderbook import Book, Order, Side, Trade

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, Message, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class PyOrderBook:
    """Open orders are kept by number: a cancel takes the peer's own order object."""

    def __init__(self) -> None:
        self.book = Book()
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []

    def prepare(self, messages: list[Message]) -> list[Any]:
        return [(m.kind, m.order, Side.BID if m.side == BUY else Side.ASK, m.price, m.quantity) for m in messages]

    def play(self, prepared: list[Any]) -> None:
        book, orders, trades = self.book, self.orders, self.trades
        for kind, number, side, price, quantity in prepared:
            if kind == CANCEL:
                book.cancel(orders[number])
                continue
            order = Order(side, "iron", price, quantity)
            orders[number] = order
            trades += book.match(order).trades
            if kind == IMMEDIATE_OR_CANCEL and order.quantity:
                book.cancel(order)

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        numbers = {order.id: number for number, order in self.orders.items()}
        for trade in self.trades:
            maker, taker = numbers[trade.standing_order_id], numbers[trade.incoming_order_id]
            yield maker, taker, int(trade.fill_price), trade.fill_quantity
        self.trades.clear()
        self.orders = {number: order for number, order in self.orders.items() if self.book.get_order(order.id)}


if __name__ == "__main__":
    serve(PyOrderBook)
