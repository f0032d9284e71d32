"""One side of a stored book, brought into memory best first, and only as far as takers reach."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from market.matching.order_book import OrderBook
    from market.matching.turns import Target
    from market.tables import RestingOrder

_ORDER_ID: dict[Side, Callable[[Any], str]] = {Side.SELL: attrgetter("ask_id"), Side.BUY: attrgetter("bid_id")}
_OWNER: dict[Side, Callable[[Any], str]] = {Side.SELL: attrgetter("seller"), Side.BUY: attrgetter("buyer")}


class RestingSide:
    """The resting orders of one side during a batch: those in memory, those that wait, those not read yet.

    In memory (in the order book) are the best orders, as many as takers have reached. Waiting are orders that came to
    rest in this batch behind them. Not read are the stored ones behind the last one read. All sort by their price key.

    Parameters
    ----------
    side
        Which side.
    stored
        Its stored orders, best first.
    book
        The in-memory book of both sides.
    now_ms
        Epoch ms; orders that expire at it or before do not rest any longer.

    Attributes
    ----------
    known
        Every order that was read, or came to rest, by id, as it then was.
    owners
        Players whose orders are or were in memory.
    expired
        Orders found to be over, to be withdrawn by whoever clears the list.
    """

    def __init__(self, side: Side, stored: Iterable[RestingOrder], book: OrderBook, now_ms: int) -> None:
        self.side = side
        self.known: dict[str, RestingOrder] = {}
        self.owners: set[str] = set()
        self.expired: list[RestingOrder] = []
        self.open_quantity = 0  # in memory
        self._book = book
        self._stored = iter(stored)
        self.order_id = _ORDER_ID[side]
        self.owner = _OWNER[side]
        self._now_ms = now_ms
        self._next: RestingOrder | None = None  # read, not in memory
        self._exhausted = False
        self._waiting: dict[str, RestingOrder] = {}
        self._queue: list[tuple[str, str]] = []  # price key and id; stale where the id does not wait any longer
        self._changed: dict[str, RestingOrder | None] = {}  # before they were read
        self._worst_key = ""  # no order in memory has a higher price key

    def peek(self) -> RestingOrder | None:
        """Return the best order that is not in memory."""
        stored = self._next or self._read()
        if self._queue:
            waiting = self._first_waiting()
            if waiting is not None and (stored is None or waiting.price_key < stored.price_key):
                return waiting
        return stored

    def take(self) -> RestingOrder:
        """Return what `peek` does without resting it: it is to be placed."""
        order = self.peek()
        if order is None:
            raise LookupError("no order left to take")
        if order is self._next:
            self._next = None
        else:
            heappop(self._queue)
            del self._waiting[self.order_id(order)]
        return order

    def best_price(self) -> int | None:
        """Return this side's best price, in memory or not; expired orders count until they are withdrawn."""
        price_minor = self._book.best_bid if self.side is Side.BUY else self._book.best_ask
        if price_minor is None:
            unread = self.peek()
            price_minor = unread.price_minor if unread is not None else None
        for order in self.expired:
            if price_minor is None or self._reaches(order.price_minor, price_minor):
                price_minor = order.price_minor
        return price_minor

    def is_reached(self, limit_minor: int) -> bool:
        """Whether a taker with this limit would find an order."""
        price_minor = self._book.best_bid if self.side is Side.BUY else self._book.best_ask
        if price_minor is None:
            order = self.peek()
            return order is not None and self._reaches(order.price_minor, limit_minor)
        return self._reaches(price_minor, limit_minor)

    def load(self, limit_minor: int, quantity: int, player: str) -> None:
        """Bring into memory what a taker with this limit and quantity reaches, up to an order of its own player."""
        while self.open_quantity < quantity:
            order = self.load_next(limit_minor)
            if order is None or self.owner(order) == player:
                return

    def load_next(self, limit_minor: int) -> RestingOrder | None:
        """Bring the next order into memory and return it; None if a taker with this limit does not reach it."""
        order = self.peek()
        if order is None or not self._reaches(order.price_minor, limit_minor):
            return None
        self.take()
        filled = order.quantity - order.remaining
        self._book.rest(self.order_id(order), self.side, order.price_minor, order.remaining, filled=filled)
        self.owners.add(self.owner(order))
        self.open_quantity += order.remaining
        self._worst_key = max(self._worst_key, order.price_key)
        return order

    def reached(self, limit_minor: int) -> Iterator[tuple[RestingOrder, int]]:
        """Yield the orders a taker with this limit reaches, best first, and their open quantities.

        Loads as it goes; orders already yielded may be withdrawn meanwhile.
        """
        for resting in list(self._book.orders(self.side)):
            if not self._reaches(resting.price_minor, limit_minor):
                return
            yield self.known[resting.order_id], resting.remaining
        while (order := self.load_next(limit_minor)) is not None:
            yield order, order.remaining

    def better_or_at(self, price_minor: int) -> list[RestingOrder]:
        """Take all orders at this price or better out of the book, and return them."""
        taken = [
            self._unload(resting.order_id)
            for resting in list(self._book.orders(self.side))
            if self._reaches(resting.price_minor, price_minor)
        ]
        while (order := self.peek()) is not None and self._reaches(order.price_minor, price_minor):
            taken.append(self.take())
        return taken

    def stand(self, order: RestingOrder) -> None:
        """Let an order rest."""
        order_id = self.order_id(order)
        self.known[order_id] = order
        if order.price_key < self._worst_key:
            # Only the best orders may be in memory: those behind this one wait with it.
            for resting in list(self._book.orders(self.side)):
                if self.known[resting.order_id].price_key > order.price_key:
                    self._wait(self._unload(resting.order_id))
            self._worst_key = order.price_key
        self._wait(order)

    def find(self, target: Target) -> RestingOrder | None:
        """Return an order as it rests now; None if it does not."""
        order_id = target.order_id
        if order_id not in self.known:
            return self._changed.get(order_id, target.resting)
        if order_id in self._book:
            order = self.known[order_id]
            remaining = self._book.remaining(order_id)
            return order if remaining == order.remaining else replace(order, remaining=remaining)
        if self._next is not None and self.order_id(self._next) == order_id:
            return self._next
        return self._waiting.get(order_id)

    def withdraw(self, order: RestingOrder) -> None:
        """Take a resting order out."""
        order_id = self.order_id(order)
        if order_id in self._book:
            self.open_quantity -= self._book.cancel(order_id)
        elif order is self._next:
            self._next = None
        elif self._waiting.pop(order_id, None) is None:
            self._changed[order_id] = None

    def reduce(self, order: RestingOrder, quantity: int) -> None:
        """Lower the total of a resting order to a quantity above what it has traded."""
        order_id = self.order_id(order)
        remaining = quantity - (order.quantity - order.remaining)
        reduced = replace(order, quantity=quantity, remaining=remaining)
        if order_id in self._book:
            self._book.replace(order_id, order.price_minor, quantity)
            self.open_quantity -= order.remaining - remaining
        elif order is self._next:
            self._next = reduced
        elif order_id in self._waiting:
            self._waiting[order_id] = reduced
        else:
            self._changed[order_id] = reduced
            return
        self.known[order_id] = reduced

    def _read(self) -> RestingOrder | None:
        """Read the next stored order that still rests."""
        if self._exhausted:
            return None
        for stored in self._stored:
            order_id = self.order_id(stored)
            # A page read after a commit of this batch shows orders that this batch has let rest.
            if order_id in self.known:
                continue
            order = self._changed.get(order_id, stored) if self._changed else stored
            if order is None:
                continue
            self.known[order_id] = order
            if order.expires_at_ms is not None and order.expires_at_ms <= self._now_ms:
                self.expired.append(order)
                continue
            self._next = order
            return order
        self._exhausted = True
        return None

    def _first_waiting(self) -> RestingOrder | None:
        while self._queue:
            order = self._waiting.get(self._queue[0][1])
            if order is not None:
                return order
            heappop(self._queue)
        return None

    def _wait(self, order: RestingOrder) -> None:
        order_id = self.order_id(order)
        self._waiting[order_id] = order
        heappush(self._queue, (order.price_key, order_id))

    def _unload(self, order_id: str) -> RestingOrder:
        order = self.known[order_id]
        remaining = self._book.cancel(order_id)
        self.open_quantity -= remaining
        if remaining != order.remaining:
            order = self.known[order_id] = replace(order, remaining=remaining)
        return order

    def _reaches(self, price_minor: int, limit_minor: int) -> bool:
        return price_minor <= limit_minor if self.side is Side.SELL else price_minor >= limit_minor
