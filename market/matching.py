"""Matching one batch: who trades with whom, in which order, whatever the storage.

What the tables promise, and this module keeps: after the matcher has worked on a material, no standing bid is priced at
or above an open ask. So an ask that does cross the best standing bid is one the matcher has not seen, and nothing else
is. A batch is therefore matched in three steps:

1. A standing bid that was cut inside its sweep (``taking``) goes on taking, at the asks' prices.
2. Unseen crossing asks are placed, earliest id first, at the standing bids' prices.
   One that was stored while the sweep of step 1 was cut may have sold to it before: what is left of it takes now.
3. The batch's bids are placed in order of arrival, at the asks' prices; what is left of each stands.

Both sides are iterators, best first, read only as deep as the batch trades.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from market.order_book import OrderBook, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from market.tables import Bid, OpenAsk, StandingBid


class Placement(NamedTuple):
    """One order's turn as taker.

    `taker` is the order as it was read. `makers` are the resting orders it traded with, in order and as they were read;
    `quantities` says how much of each, always at the maker's price.
    """

    taker: OpenAsk | StandingBid | Bid
    makers: tuple[OpenAsk | StandingBid, ...]
    quantities: tuple[int, ...]


def match(asks: Iterable[OpenAsk], standing_bids: Iterable[StandingBid], bids: Iterable[Bid]) -> Iterator[Placement]:
    """Match a batch against the book of one material.

    Parameters
    ----------
    asks
        Open asks, lowest price first, at one price the earliest first.
    standing_bids
        Bids that stand, highest price first, at one price the earliest first.
    bids
        New bids in order of arrival, each id once.

    Yields
    ------
    Placement
        Each taker's turn in the order it happened, also of bids that traded nothing. Left out are asks that traded
        nothing, and bids that were read as standing: a delivery repeated.

    Raises
    ------
    ValueError
        The resting orders are not ordered as said above, or one occurs twice.

    Notes
    -----
    Lazy on both ends: resting orders are read while the placements are consumed, one beyond the last that trades.
    """
    book = OrderBook()
    open_asks = _Resting(asks, _ask_id, book, Side.SELL)
    standing = _Resting(standing_bids, _bid_id, book, Side.BUY)

    best = standing.peek()
    if best is not None and best.taking:
        standing.skip()
        yield _place(best, best.bid_id, best.remaining, standing, open_asks)

    for ask, remaining in _unseen(open_asks, standing):
        placement = _place(ask, ask.ask_id, remaining, open_asks, standing)
        if placement.makers:
            yield placement

    for bid in bids:
        if bid.bid_id not in standing.read:
            yield _place(bid, bid.bid_id, bid.quantity, standing, open_asks)


def _unseen(open_asks: _Resting[OpenAsk], standing: _Resting[StandingBid]) -> list[tuple[OpenAsk, int]]:
    """Take the asks that cross the best standing bid out of the book, earliest first, with their open quantities."""
    best_bid = standing.best_price()
    if best_bid is None:
        return []
    # The sweep of step 1 loads asks it may not need: those still rest in the book.
    unseen = [
        (open_asks.read[order.order_id], open_asks.withdraw(order.order_id))
        for order in list(open_asks.book.orders(Side.SELL))
        if order.price_minor <= best_bid
    ]
    while (ask := open_asks.peek()) is not None and ask.price_minor <= best_bid:
        unseen.append((open_asks.skip(), ask.remaining))
    return sorted(unseen, key=lambda each: each[0].ask_id)


def _place(
    taker: OpenAsk | StandingBid | Bid,
    order_id: str,
    quantity: int,
    own: _Resting[OpenAsk] | _Resting[StandingBid],
    opposite: _Resting[OpenAsk] | _Resting[StandingBid],
) -> Placement:
    opposite.load(taker.price_minor, quantity)
    fills = own.book.place(order_id, own.side, taker.price_minor, quantity)
    filled = sum(fill.quantity for fill in fills)
    opposite.open_quantity -= filled
    own.open_quantity += quantity - filled
    return Placement(
        taker, tuple(opposite.read[fill.maker_id] for fill in fills), tuple(fill.quantity for fill in fills)
    )


_ask_id: Callable[[OpenAsk], str] = attrgetter("ask_id")
_bid_id: Callable[[StandingBid], str] = attrgetter("bid_id")
_Order = TypeVar("_Order", "OpenAsk", "StandingBid")


class _Resting(Generic[_Order]):
    """One stored side of the book, brought into memory best first and only when a taker reaches it."""

    def __init__(
        self, orders: Iterable[_Order], order_id: Callable[[_Order], str], book: OrderBook, side: Side
    ) -> None:
        self.book = book
        self.side = side
        self.read: dict[str, _Order] = {}
        self.open_quantity = 0  # of this side, in the in-memory book
        self._unread = iter(orders)
        self._order_id = order_id
        self._next: _Order | None = None

    def peek(self) -> _Order | None:
        """Return the best order that is not in memory yet."""
        if self._next is None:
            self._next = next(self._unread, None)
        return self._next

    def best_price(self) -> int | None:
        """Return this side's best price, in memory or not."""
        loaded = self.book.best_bid if self.side is Side.BUY else self.book.best_ask
        if loaded is None and (unread := self.peek()) is not None:
            return unread.price_minor
        return loaded

    def skip(self) -> _Order:
        """Read the next order without resting it: it is to be placed."""
        order = self.peek()
        if order is None:
            raise LookupError("no order left to read")
        self._next = None
        self.read[self._order_id(order)] = order
        return order

    def load(self, limit_minor: int, quantity: int) -> None:
        """Rest as many orders as a taker with this limit and quantity can reach."""
        while (
            self.open_quantity < quantity and (order := self.peek()) is not None and self._reached(order, limit_minor)
        ):
            self.skip()
            self.book.rest(self._order_id(order), self.side, order.price_minor, order.remaining)
            self.open_quantity += order.remaining

    def withdraw(self, order_id: str) -> int:
        """Take an order out of the in-memory book and return its open quantity."""
        remaining = self.book.cancel(order_id)
        self.open_quantity -= remaining
        return remaining

    def _reached(self, order: _Order, limit_minor: int) -> bool:
        return order.price_minor <= limit_minor if self.side is Side.SELL else order.price_minor >= limit_minor
