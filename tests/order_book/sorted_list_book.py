"""An order book that is obviously correct: one list of orders, searched and sorted anew for every question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from market.matching.order_book import Fill, RestingOrder, TimeInForce
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator


class RefusedError(Exception):
    """The model does not accept this operation."""


@dataclass
class Order:
    """One open order; `arrival` decides between equal prices."""

    order_id: str
    side: Side
    price_minor: int
    quantity: int
    remaining: int
    arrival: int

    def crosses(self, other: Order) -> bool:
        """Whether the two are on opposite sides and the buyer pays at least what the seller asks."""
        if self.side == other.side:
            return False
        buy, sell = (self, other) if self.side == Side.BUY else (other, self)
        return buy.price_minor >= sell.price_minor


class SortedListBook:
    """The same operations as `OrderBook`, without a thought about speed."""

    def __init__(self) -> None:
        self.open: list[Order] = []
        self.arrivals = 0

    def place(
        self, order_id: str, side: Side, price_minor: int, quantity: int, time_in_force: TimeInForce
    ) -> list[Fill]:
        order = self._new_order(order_id, side, price_minor, quantity, quantity)
        return self._match(order, rests=time_in_force == TimeInForce.GOOD_TIL_CANCELED)

    def rest(self, order_id: str, side: Side, price_minor: int, remaining: int, filled: int) -> None:
        order = self._new_order(order_id, side, price_minor, remaining + filled, remaining)
        if any(order.crosses(other) for other in self.open):
            raise RefusedError
        self.open.append(order)

    def cancel(self, order_id: str) -> int:
        order = self._find(order_id)
        self.open.remove(order)
        return order.remaining

    def replace(self, order_id: str, price_minor: int, quantity: int) -> list[Fill]:
        order = self._find(order_id)
        filled = order.quantity - order.remaining
        if quantity <= filled:
            raise RefusedError
        keeps_place = price_minor == order.price_minor and quantity <= order.quantity
        order.price_minor, order.quantity, order.remaining = price_minor, quantity, quantity - filled
        if keeps_place:
            return []
        self.open.remove(order)
        self.arrivals += 1
        order.arrival = self.arrivals
        return self._match(order, rests=True)

    def in_priority(self, side: Side) -> list[Order]:
        sign = -1 if side == Side.BUY else 1
        mine = [order for order in self.open if order.side == side]
        return sorted(mine, key=lambda order: (sign * order.price_minor, order.arrival))

    def orders(self, side: Side) -> Iterator[RestingOrder]:
        for order in self.in_priority(side):
            yield RestingOrder(order.order_id, side, order.price_minor, order.quantity, order.remaining)

    def depth(self, side: Side, levels: int) -> list[tuple[int, int, int]]:
        prices = sorted({order.price_minor for order in self.in_priority(side)}, reverse=side == Side.BUY)
        at_price = [[order.remaining for order in self.in_priority(side) if order.price_minor == p] for p in prices]
        return [(price, sum(open_), len(open_)) for price, open_ in zip(prices, at_price, strict=True)][:levels]

    def remaining(self, order_id: str) -> int:
        return sum(order.remaining for order in self.open if order.order_id == order_id)

    def _new_order(self, order_id: str, side: Side, price_minor: int, quantity: int, remaining: int) -> Order:
        if any(order.order_id == order_id for order in self.open):
            raise RefusedError
        self.arrivals += 1
        return Order(order_id, side, price_minor, quantity, remaining, self.arrivals)

    def _find(self, order_id: str) -> Order:
        for order in self.open:
            if order.order_id == order_id:
                return order
        raise RefusedError

    def _match(self, taker: Order, *, rests: bool) -> list[Fill]:
        fills: list[Fill] = []
        for maker in self.in_priority(Side.SELL if taker.side == Side.BUY else Side.BUY):
            if taker.remaining and taker.crosses(maker):
                quantity = min(taker.remaining, maker.remaining)
                taker.remaining -= quantity
                maker.remaining -= quantity
                fills.append(Fill(maker.order_id, taker.order_id, maker.price_minor, quantity))
        self.open = [order for order in self.open if order.remaining]
        if rests and taker.remaining:
            self.open.append(taker)
        return fills
