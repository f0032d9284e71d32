"""Price-time priority, by replaying each tape against a book of the orders that the matcher must have known.

While a bid trades, no better bid may be open; while an ask trades, no better ask. "Better" is by price, then by id (ids
are ordered by time). Orders arrive one after the other, so an ask that trades on arrival has to let pass only those
better asks that are also older.

An ask that is in the book from the start is known once it was certainly stored before the matcher received the batch,
or has traded; every other order once it was handled before the matcher received the batch, or has traded. An order that
closes in a commit, or whose time is over, need not trade any more. The matcher may have known more orders than these:
the tables cannot tell, and the rule does not ask for them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from market.invariants.findings import Invariant, Violation
from market.invariants.keys import ask_key, bid_key
from market.invariants.records import may_only_trade_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.invariants.records import Order, Records
    from market.tables import Bid, SellOrder
    from market.tape import TapeCommit, TradeFill

STORING_LIMIT_MS = 30_000
"""Longest time between an ask's time of placing and its being stored: an HTTP API gives up on a function after 30 s.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""


def check_priority(records: Records) -> Iterator[Violation]:
    """Look for orders that were passed over."""
    for material in records.tapes:
        yield from _Replay(records, material).violations()


class _Replay:
    """One material's tape, and the book as far as the matcher must have known it."""

    def __init__(self, records: Records, material: str) -> None:
        self._tape = records.tapes[material]
        self._orders: dict[str, Order] = {
            order_id: order for order_id, order in records.orders() if order.material == material
        }
        self._left = {order_id: order.quantity for order_id, order in self._orders.items()}
        self._asks = _KnownSide(
            _ask_arrival(records, order) for order in records.tables.sell_orders if order.material == material
        )
        self._bids = _KnownSide(_bid_arrival(bid) for bid in records.tables.bids if bid.material == material)

    def violations(self) -> Iterator[Violation]:
        for commit in self._tape:
            self._asks.learn_before(commit.received_at_ms)
            self._bids.learn_before(commit.received_at_ms)
            closed = {touched.order_id for touched in commit.orders if touched.closed and touched.closed.reason}
            for fill in sorted(commit.fills, key=attrgetter("n")):
                if fill.bid_id in self._left and fill.ask_id in self._left:
                    yield from self._passed(commit, fill, closed)
                    self._trade(fill)
            for side in (self._asks, self._bids):
                for order_id in closed & side.key.keys():
                    side.close(order_id)

    def _passed(self, commit: TapeCommit, fill: TradeFill, closed: set[str]) -> Iterator[Violation]:
        first_of_all = [
            *self._bids.better_than(fill.bid_id),
            # What is left of an ask whose sweep was cut goes on before all others.
            *(() if may_only_trade_at_once(self._orders[fill.ask_id]) else self._asks.better_than(fill.ask_id)),
        ]
        for first in first_of_all:
            is_ask = first.order_id in self._asks.key
            expires_at_ms = self._orders[first.order_id].expires_at_ms
            if first.order_id in closed or (expires_at_ms is not None and expires_at_ms <= commit.received_at_ms):
                continue
            if fill.taker_side == "SELL" and is_ask and first.order_id > fill.ask_id:
                continue
            traded_id = fill.ask_id if is_ask else fill.bid_id
            expected = f"{first.order_id} (key {first.key}) to trade before it"
            found = f"{commit.material}-{commit.sequence}-{fill.n}"
            yield Violation(Invariant.PRIORITY, commit.material, traded_id, expected, found)

    def _trade(self, fill: TradeFill) -> None:
        for side, order_id in ((self._asks, fill.ask_id), (self._bids, fill.bid_id)):
            self._left[order_id] -= fill.quantity
            if self._left[order_id] > 0:
                side.learn(order_id)
            else:
                side.close(order_id)


class _Keyed(NamedTuple):
    key: str
    order_id: str


class _KnownSide:
    """One side of the replayed book: the open orders known so far, best first, and those still to become known."""

    def __init__(self, arrivals: Iterable[tuple[int | None, _Keyed]]) -> None:
        every = list(arrivals)
        self.key = {order.order_id: order.key for _, order in every}
        self._later = sorted(((at, order) for at, order in every if at is not None), reverse=True)
        self._settled: set[str] = set()  # known or closed: not to be learned again
        self._best_first: list[_Keyed] = []

    def learn_before(self, time_ms: int) -> None:
        while self._later and self._later[-1][0] < time_ms:
            self.learn(self._later.pop()[1].order_id)

    def learn(self, order_id: str) -> None:
        if order_id not in self._settled:
            self._settled.add(order_id)
            insort(self._best_first, _Keyed(self.key[order_id], order_id))

    def close(self, order_id: str) -> None:
        order = _Keyed(self.key[order_id], order_id)
        place = bisect_left(self._best_first, order)
        if place < len(self._best_first) and self._best_first[place] == order:
            del self._best_first[place]
        self._settled.add(order_id)

    def better_than(self, order_id: str) -> list[_Keyed]:
        return self._best_first[: bisect_left(self._best_first, _Keyed(self.key[order_id], order_id))]


def _ask_arrival(records: Records, order: SellOrder) -> tuple[int | None, _Keyed]:
    if may_only_trade_at_once(order) or order.post_only or order.replaces is not None:
        known_at_ms = order.matched_at_ms
    else:
        known_at_ms = records.stored_by_ms.get(order.ask_id, order.placed_at_ms + STORING_LIMIT_MS)
    return known_at_ms, _Keyed(ask_key(order.price_minor, order.ask_id), order.ask_id)


def _bid_arrival(bid: Bid) -> tuple[int | None, _Keyed]:
    return bid.matched_at_ms, _Keyed(bid_key(bid.price_minor, bid.bid_id), bid.bid_id)
