"""What must be true of the market's tables, recomputed from their plain contents alone.

Nothing here shares code or state with the matcher: every sum is taken again from the trades on the tape, and priority
is checked by replaying the tape against a book of its own. A valid market gives no violation whatever the timing was.
Where the tables cannot show what the matcher could know, a rule is silent rather than wrong: see `_check_priority`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from market.tables import Bid, MarketTables, OpenAsk, SellOrder, StandingBid
    from market.tape import TapeCommit, TradeFill

STORING_LIMIT_MS = 30_000
"""Longest time between an ask's time of placing and its being stored: an HTTP API gives up on a function after 30 s.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""

_HIGHEST_PRICE_MINOR = 999_999_999_999


class Invariant(Enum):
    """The promises, each with the words a report shows."""

    ASK_SUM = "an ask's quantity is what it sold and what remains"
    ASK_OPEN = "an ask in the book has something left to sell"
    ASK_RECORD = "an ask in the book agrees with its seller's order"
    BID_SUM = "a bid's filled quantity is the sum of its trades, at most what was asked for"
    BID_STATUS = "a bid's status agrees with its sums"
    BID_STANDS = "a bid stands exactly while it is open, for what it still wants"
    GOODS = "goods bought are goods sold"
    MONEY = "money paid is money received"
    TRADE_ORDERS = "a trade joins a known bid and a known ask of its material and their owners"
    TRADE_ONCE = "two orders trade with each other once"
    PRICE_LIMIT = "a trade's price is within both limits"
    RESTING_PRICE = "a trade's price is the resting order's"
    TAKES_FIRST = "an order takes when it arrives and rests afterwards"
    TAPE_SEQUENCE = "a tape is numbered 1, 2, 3 … without gaps, and so are the trades of a commit"
    PRIORITY = "the best-priced, oldest resting order trades first"
    NOT_CROSSED = "a quiet book is not crossed"
    HANDLED = "a quiet market has handled every bid"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: where, about which order (or trade), what should be there and what is."""

    invariant: Invariant
    material: str
    order_id: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.invariant.value}: {self.material} {self.order_id}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a check.

    Attributes
    ----------
    violations
        Every broken promise found, in the order of `Invariant`.
    pending_bid_ids
        Bids the matcher has not handled yet; no violation unless the market was said to be quiet.
    """

    violations: tuple[Violation, ...]
    pending_bid_ids: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.violations


def check_invariants(
    tables: MarketTables,
    *,
    quiet: bool = False,
    stored_by_ms: Mapping[str, int] | None = None,
) -> Verdict:
    """Recompute every invariant that needs no accounts.

    Parameters
    ----------
    tables
        All tables, read while nothing was being matched (or with reads that are consistent with each other).
    quiet
        True if every order has reached the matcher: then no bid is PENDING or half matched and no book is crossed.
    stored_by_ms
        Ask id to a time (epoch ms, on the clock of the matcher) by which the ask was certainly stored, for example when
        the client had its answer. Asks without one count as stored `STORING_LIMIT_MS` after they were placed.

    Returns
    -------
    Verdict
        Everything found; an empty `violations` means that the market is sound.
    """
    ledger = _Ledger.of(tables, stored_by_ms or {})
    checks = (*_ALWAYS, *_WHEN_QUIET) if quiet else _ALWAYS
    found = [violation for check in checks for violation in check(ledger)]
    order = list(Invariant)
    return Verdict(
        violations=tuple(sorted(found, key=lambda violation: order.index(violation.invariant))),
        pending_bid_ids=tuple(bid.bid_id for bid in tables.bids if bid.status == "PENDING"),
    )


class _Trade(NamedTuple):
    commit: TapeCommit
    fill: TradeFill

    @property
    def trade_id(self) -> str:
        return f"{self.commit.material}-{self.commit.sequence}-{self.fill.n}"


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The tables by id, and the sums of the trades."""

    tables: MarketTables
    stored_by_ms: Mapping[str, int]
    open_asks: dict[str, OpenAsk]
    sell_orders: dict[str, SellOrder]
    bids: dict[str, Bid]
    standing_bids: dict[str, StandingBid]
    tapes: dict[str, list[TapeCommit]]
    trades: list[_Trade]
    sold: Counter[str]
    bought: Counter[str]

    @classmethod
    def of(cls, tables: MarketTables, stored_by_ms: Mapping[str, int]) -> _Ledger:
        tapes: defaultdict[str, list[TapeCommit]] = defaultdict(list)
        for commit in sorted(tables.tape, key=attrgetter("material", "sequence")):
            tapes[commit.material].append(commit)
        trades = [
            _Trade(commit, fill)
            for commits in tapes.values()
            for commit in commits
            for fill in sorted(commit.fills, key=attrgetter("n"))
        ]
        sold: Counter[str] = Counter()
        bought: Counter[str] = Counter()
        for _, fill in trades:
            sold[fill.ask_id] += fill.quantity
            bought[fill.bid_id] += fill.quantity
        return cls(
            tables=tables,
            stored_by_ms=stored_by_ms,
            open_asks={ask.ask_id: ask for ask in tables.asks},
            sell_orders={order.ask_id: order for order in tables.sell_orders},
            bids={bid.bid_id: bid for bid in tables.bids},
            standing_bids={bid.bid_id: bid for bid in tables.standing_bids},
            tapes=dict(tapes),
            trades=trades,
            sold=sold,
            bought=bought,
        )

    def remaining(self, ask_id: str) -> int:
        """What an ask has left according to the book: nothing once it has left it."""
        return self.open_asks[ask_id].remaining if ask_id in self.open_asks else 0


def _check_asks(ledger: _Ledger) -> Iterator[Violation]:
    for order in ledger.tables.sell_orders:
        remaining, sold = ledger.remaining(order.ask_id), ledger.sold[order.ask_id]
        if order.quantity != remaining + sold:
            expected = f"{order.quantity} in all" if order.ask_id in ledger.open_asks else f"{order.quantity} sold"
            found = f"{sold} sold and {remaining} remaining"
            yield Violation(Invariant.ASK_SUM, order.material, order.ask_id, expected, found)
    for ask in ledger.tables.asks:
        if not 0 < ask.remaining <= ask.quantity:
            expected = f"1 to {ask.quantity} remaining"
            yield Violation(Invariant.ASK_OPEN, ask.material, ask.ask_id, expected, str(ask.remaining))
        order = ledger.sell_orders.get(ask.ask_id)
        terms = "material", "seller", "price_minor", "quantity", "placed_at_ms"
        expected = "no item in the book" if order is None else _terms(order, terms)
        if expected != (found := _terms(ask, terms)):
            yield Violation(Invariant.ASK_RECORD, ask.material, ask.ask_id, expected, found)
        if ask.price_key != (key := _ask_key(ask.price_minor, ask.ask_id)):
            yield Violation(Invariant.ASK_RECORD, ask.material, ask.ask_id, f"key {key}", f"key {ask.price_key}")


def _check_bids(ledger: _Ledger) -> Iterator[Violation]:
    for bid in ledger.tables.bids:
        bought = ledger.bought[bid.bid_id]
        if bid.filled != bought or bid.filled > bid.quantity:
            expected = f"{bought} filled of at most {bid.quantity}"
            yield Violation(Invariant.BID_SUM, bid.material, bid.bid_id, expected, f"{bid.filled} filled")
        if bid.status not in (expected := _statuses(bid)):
            found = f"{bid.status} at {bid.filled} of {bid.quantity}"
            yield Violation(Invariant.BID_STATUS, bid.material, bid.bid_id, " or ".join(expected), found)
        is_open, stands = bid.status in ("NEW", "PARTIALLY_FILLED"), bid.bid_id in ledger.standing_bids
        if is_open != stands:
            expected = f"{bid.status} to stand" if is_open else f"{bid.status} not to stand"
            yield Violation(Invariant.BID_STANDS, bid.material, bid.bid_id, expected, f"stands: {stands}")
    for standing in ledger.tables.standing_bids:
        bid = ledger.bids.get(standing.bid_id)
        terms = "material", "buyer", "price_minor", "quantity", "placed_at_ms"
        left = 0 if bid is None else bid.quantity - bid.filled
        expected = "no standing item" if bid is None else f"{_terms(bid, terms)} remaining={left}"
        if expected != (found := f"{_terms(standing, terms)} remaining={standing.remaining}"):
            yield Violation(Invariant.BID_STANDS, standing.material, standing.bid_id, expected, found)
        if standing.price_key != (key := _bid_key(standing.price_minor, standing.bid_id)):
            found = f"key {standing.price_key}"
            yield Violation(Invariant.BID_STANDS, standing.material, standing.bid_id, f"key {key}", found)


def _check_conservation(ledger: _Ledger) -> Iterator[Violation]:
    traded: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    received: Counter[str] = Counter()
    for commit, fill in ledger.trades:
        traded[commit.material] += fill.quantity
        value = fill.price_minor * fill.quantity
        if _owner(ledger.bids.get(fill.bid_id)) == fill.buyer:
            paid[commit.material] += value
        if _owner(ledger.sell_orders.get(fill.ask_id)) == fill.seller:
            received[commit.material] += value
    bought: Counter[str] = Counter()
    sold: Counter[str] = Counter()
    for bid in ledger.tables.bids:
        bought[bid.material] += bid.filled
    for order in ledger.tables.sell_orders:
        sold[order.material] += order.quantity - ledger.remaining(order.ask_id)
    for material in sorted(traded | bought | sold):
        if not bought[material] == sold[material] == traded[material]:
            found = f"{bought[material]} bought, {sold[material]} sold"
            yield Violation(Invariant.GOODS, material, "all orders", f"{traded[material]} traded", found)
        if paid[material] != received[material]:
            expected, found = f"{paid[material]} paid by buyers", f"{received[material]} received by sellers"
            yield Violation(Invariant.MONEY, material, "all orders", expected, found)


def _check_trades(ledger: _Ledger) -> Iterator[Violation]:
    met: set[tuple[str, str]] = set()
    rested: set[str] = set()
    sweeps: dict[str, int] = {}  # bid → sequence of the commit in which it took first
    for trade in ledger.trades:
        commit, fill = trade
        pair = fill.bid_id, fill.ask_id
        if pair in met:
            # After a trade one of the two has nothing left, so they cannot meet again.
            found = f"again in {trade.trade_id}"
            yield Violation(Invariant.TRADE_ONCE, commit.material, fill.bid_id, f"one trade with {fill.ask_id}", found)
        met.add(pair)
        taker_id, maker_id = pair if fill.taker_side == "BUY" else (fill.ask_id, fill.bid_id)
        if taker_id in rested:
            found = f"to take in {trade.trade_id}"
            yield Violation(Invariant.TAKES_FIRST, commit.material, taker_id, "only to rest, as it did before", found)
        # Between two commits of a bid's sweep asks may be stored: what the sweep leaves of one has yet to arrive.
        if fill.taker_side == "SELL" or sweeps.setdefault(taker_id, commit.sequence) == commit.sequence:
            rested.add(maker_id)
        bid, ask = ledger.bids.get(fill.bid_id), ledger.sell_orders.get(fill.ask_id)
        for order_id, order, owner in ((fill.bid_id, bid, fill.buyer), (fill.ask_id, ask, fill.seller)):
            expected = f"an order of {owner} in {commit.material}"
            found = "no such order" if order is None else f"an order of {_owner(order)} in {order.material}"
            if expected != found:
                expected = f"{trade.trade_id} to name {expected}"
                yield Violation(Invariant.TRADE_ORDERS, commit.material, order_id, expected, found)
        if bid is None or ask is None:
            continue
        if fill.quantity <= 0 or not ask.price_minor <= fill.price_minor <= bid.price_minor:
            expected = f"{trade.trade_id} at {ask.price_minor} to {bid.price_minor}"
            found = f"{fill.quantity} at {fill.price_minor}"
            yield Violation(Invariant.PRICE_LIMIT, commit.material, fill.bid_id, expected, found)
        resting: Bid | SellOrder = ask if fill.taker_side == "BUY" else bid
        if fill.price_minor != resting.price_minor:
            expected = f"{trade.trade_id} at {resting.price_minor}, taken by the {fill.taker_side}"
            yield Violation(Invariant.RESTING_PRICE, commit.material, fill.bid_id, expected, str(fill.price_minor))


def _check_sequences(ledger: _Ledger) -> Iterator[Violation]:
    for material, commits in ledger.tapes.items():
        yield from _numbering(material, "the tape", (commit.sequence for commit in commits))
        for commit in commits:
            yield from _numbering(material, f"commit {commit.sequence}", sorted(fill.n for fill in commit.fills))


def _numbering(material: str, what: str, numbers: Iterable[int]) -> Iterator[Violation]:
    for before, after in pairwise((0, *numbers)):
        if after != before + 1:
            yield Violation(Invariant.TAPE_SEQUENCE, material, what, f"{before + 1} after {before}", str(after))


def _check_priority(ledger: _Ledger) -> Iterator[Violation]:
    """Replay each tape against a book of the orders that the matcher must have known.

    While a bid trades, no better bid may be open; while an ask trades, no better ask. "Better" is by price, then by id
    (ids are ordered by time). Orders arrive one after the other, so an ask that trades on arrival has to let pass only
    those better asks that are also older.

    An ask is known once it was certainly stored before the matcher received the batch, or has traded; a bid once it was
    handled before the matcher received the batch, or has traded. The matcher may have known more orders than these: the
    tables cannot tell, and the rule does not ask for them.
    """
    for material, commits in ledger.tapes.items():
        left = {order.ask_id: order.quantity for order in ledger.sell_orders.values() if order.material == material}
        left |= {bid.bid_id: bid.quantity for bid in ledger.bids.values() if bid.material == material}
        asks = _KnownSide(_ask_arrival(ledger, order) for order in ledger.sell_orders.values() if order.ask_id in left)
        bids = _KnownSide(_bid_arrival(bid) for bid in ledger.bids.values() if bid.bid_id in left)
        for commit in commits:
            asks.learn_before(commit.received_at_ms)
            bids.learn_before(commit.received_at_ms)
            for fill in sorted(commit.fills, key=attrgetter("n")):
                if fill.bid_id not in left or fill.ask_id not in left:
                    continue
                passed = [*bids.better_than(fill.bid_id), *asks.better_than(fill.ask_id)]
                for first in passed:
                    if fill.taker_side == "SELL" and first.order_id in asks.key and first.order_id > fill.ask_id:
                        continue
                    traded_id = fill.bid_id if first.order_id in bids.key else fill.ask_id
                    expected = f"{first.order_id} (key {first.key}) to trade before it"
                    found = f"{material}-{commit.sequence}-{fill.n}"
                    yield Violation(Invariant.PRIORITY, material, traded_id, expected, found)
                for side, order_id in ((asks, fill.ask_id), (bids, fill.bid_id)):
                    left[order_id] -= fill.quantity
                    if left[order_id] > 0:
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


def _check_crossing(ledger: _Ledger) -> Iterator[Violation]:
    best_ask: dict[str, OpenAsk] = {}
    for ask in sorted(ledger.tables.asks, key=attrgetter("price_minor"), reverse=True):
        best_ask[ask.material] = ask
    best_bid: dict[str, StandingBid] = {}
    for bid in sorted(ledger.tables.standing_bids, key=attrgetter("price_minor")):
        best_bid[bid.material] = bid
    for material in sorted(best_ask.keys() & best_bid.keys()):
        ask, bid = best_ask[material], best_bid[material]
        if bid.price_minor >= ask.price_minor:
            expected = f"a best bid below the ask {ask.ask_id} at {ask.price_minor}"
            yield Violation(Invariant.NOT_CROSSED, material, bid.bid_id, expected, str(bid.price_minor))


def _check_handled(ledger: _Ledger) -> Iterator[Violation]:
    for bid in ledger.tables.bids:
        if bid.status == "PENDING":
            yield Violation(Invariant.HANDLED, bid.material, bid.bid_id, "a handled bid", "PENDING")
    for standing in ledger.tables.standing_bids:
        if standing.taking:
            yield Violation(Invariant.HANDLED, standing.material, standing.bid_id, "a finished sweep", "taking")


_ALWAYS: tuple[Callable[[_Ledger], Iterator[Violation]], ...] = (
    _check_asks,
    _check_bids,
    _check_conservation,
    _check_trades,
    _check_sequences,
    _check_priority,
)
_WHEN_QUIET = (_check_crossing, _check_handled)


def _statuses(bid: Bid) -> tuple[str, ...]:
    if bid.filled >= bid.quantity:
        return ("FILLED",)
    return ("PARTIALLY_FILLED",) if bid.filled > 0 else ("PENDING", "NEW")


def _owner(order: Bid | SellOrder | None) -> str | None:
    return None if order is None else getattr(order, "buyer", None) or getattr(order, "seller", None)


def _terms(row: object, names: tuple[str, ...]) -> str:
    return " ".join(f"{name}={getattr(row, name)}" for name in names)


# The book's order, spelled out again on purpose: the check must not inherit a fault of the keys it checks.
def _ask_key(price_minor: int, ask_id: str) -> str:
    return f"{price_minor:012d}#{ask_id}"


def _bid_key(price_minor: int, bid_id: str) -> str:
    return f"{_HIGHEST_PRICE_MINOR - price_minor:012d}#{bid_id}"


def _ask_arrival(ledger: _Ledger, order: SellOrder) -> tuple[int, _Keyed]:
    known_at_ms = ledger.stored_by_ms.get(order.ask_id, order.placed_at_ms + STORING_LIMIT_MS)
    return known_at_ms, _Keyed(_ask_key(order.price_minor, order.ask_id), order.ask_id)


def _bid_arrival(bid: Bid) -> tuple[int | None, _Keyed]:
    return bid.matched_at_ms, _Keyed(_bid_key(bid.price_minor, bid.bid_id), bid.bid_id)
