"""Orders agree with the book and with the tape: sums, statuses, closings, holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from market.invariants.findings import Invariant, Violation
from market.invariants.keys import ask_key, bid_key
from market.invariants.records import CLOSED_EARLY, owner, terms
from market.tables import SellOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.invariants.records import Order, Records
    from market.tables import Bid

_REASONS = {
    "CANCELED": ("requested", "replaced", "no_match", "budget_spent", "self_trade", "too_many_makers"),
    "EXPIRED": ("expired",),
    "REJECTED": ("would_take", "replaced_order_closed", "insufficient_hold"),
}


def check_asks(records: Records) -> Iterator[Violation]:
    """Compare each ask's record with the book and the tape, and each item of the book with its record."""
    for order_id, order in records.sell_orders.items():
        yield from _check_sell_order(records, order_id, order)
    for ask in records.tables.asks:
        if not 0 < ask.remaining <= ask.quantity:
            expected = f"1 to {ask.quantity} remaining"
            yield Violation(Invariant.ASK_OPEN, ask.material, ask.ask_id, expected, str(ask.remaining))
        order = records.sell_orders.get(ask.ask_id)
        names = "material", "seller", "price_minor", "quantity", "placed_at_ms", "expires_at_ms"
        expected = "no item in the book" if order is None else terms(order, names)
        if expected != (found := terms(ask, names)):
            yield Violation(Invariant.ASK_RECORD, ask.material, ask.ask_id, expected, found)
        if ask.price_key != (key := ask_key(ask.price_minor, ask.ask_id)):
            yield Violation(Invariant.ASK_RECORD, ask.material, ask.ask_id, f"key {key}", f"key {ask.price_key}")


def _check_sell_order(records: Records, order_id: str, order: SellOrder) -> Iterator[Violation]:
    sold, stands = records.traded[order_id], order_id in records.open_asks
    remaining = records.open_asks[order_id].remaining if stands else 0
    waiting = order.quantity if order.status == "PENDING" else 0
    withdrawn = _withdrawn(records, order_id)
    if order.quantity != sold + withdrawn + remaining + waiting:
        found = f"{sold} sold, {withdrawn} withdrawn and {remaining + waiting} open"
        yield Violation(Invariant.ASK_SUM, order.material, order_id, f"{order.quantity} in all", found)
    status, reason = order.status, order.reason
    if status is None:
        agrees = reason is None
    elif status == "PENDING":
        agrees = not (sold or stands or reason)
    else:
        agrees = reason in _REASONS.get(status, ()) and order.filled == sold < order.quantity and not stands
    if not agrees:
        expected = f"a status that goes with {sold} sold of {order.quantity}, in the book: {stands}"
        found = f"{status} ({reason}) at {order.filled} filled"
        yield Violation(Invariant.ASK_STATUS, order.material, order_id, expected, found)


def check_bids(records: Records) -> Iterator[Violation]:
    """Compare each bid with the tape and the book, and each standing bid with its record."""
    for bid in records.tables.bids:
        bought, stands = records.traded[bid.bid_id], bid.bid_id in records.standing_bids
        if bid.filled != bought or bid.filled > bid.quantity:
            expected = f"{bought} filled of at most {bid.quantity}"
            yield Violation(Invariant.BID_SUM, bid.material, bid.bid_id, expected, f"{bid.filled} filled")
        withdrawn = _withdrawn(records, bid.bid_id)
        left = records.standing_bids[bid.bid_id].remaining if stands else 0
        waiting = bid.quantity if bid.status == "PENDING" else 0
        if bid.quantity != bought + withdrawn + left + waiting:
            found = f"{bought} bought, {withdrawn} withdrawn and {left + waiting} open"
            yield Violation(Invariant.BID_SUM, bid.material, bid.bid_id, f"{bid.quantity} in all", found)
        if bid.status not in (allowed := _statuses(bid)) or not _has_reason(bid):
            found = f"{bid.status} ({bid.reason}) at {bid.filled} of {bid.quantity}"
            yield Violation(Invariant.BID_STATUS, bid.material, bid.bid_id, " or ".join(allowed), found)
        if (is_open := bid.status in ("NEW", "PARTIALLY_FILLED")) != stands:
            expected = f"{bid.status} to stand" if is_open else f"{bid.status} not to stand"
            yield Violation(Invariant.BID_STANDS, bid.material, bid.bid_id, expected, f"stands: {stands}")
    for standing in records.tables.standing_bids:
        bid = records.bids.get(standing.bid_id)
        names = "material", "buyer", "price_minor", "quantity", "placed_at_ms", "expires_at_ms", "fee_bps"
        left = 0 if bid is None else bid.quantity - bid.filled
        expected = "no standing item" if bid is None else f"{terms(bid, names)} remaining={left}"
        if expected != (found := f"{terms(standing, names)} remaining={standing.remaining}"):
            yield Violation(Invariant.BID_STANDS, standing.material, standing.bid_id, expected, found)
        if standing.price_key != (key := bid_key(standing.price_minor, standing.bid_id)):
            found = f"key {standing.price_key}"
            yield Violation(Invariant.BID_STANDS, standing.material, standing.bid_id, f"key {key}", found)


def check_closings(records: Records) -> Iterator[Violation]:
    """Compare how orders closed by the tape with how they closed by their records."""
    for order_id, order in records.orders():
        expected = _closing(records, order_id, order)
        found = [
            (closed.status, closed.reason, closed.quantity, closed.withdrawn)
            for _, closed in records.closings[order_id]
        ]
        if found != expected:
            yield Violation(Invariant.CLOSING, order.material, order_id, str(expected), str(found))
    for commits in records.tapes.values():
        for commit in commits:
            for touched in commit.orders:
                order = records.order(touched.order_id)
                side = "SELL" if isinstance(order, SellOrder) else "BUY"
                known = None if order is None else (order.material, owner(order), side)
                if known != (told := (commit.material, touched.player, str(touched.side))):
                    found = f"{told} in commit {commit.sequence}"
                    yield Violation(Invariant.CLOSING, commit.material, touched.order_id, str(known), found)


def check_holds(records: Records) -> Iterator[Violation]:
    """Follow what was held for each order, or for a row of orders that replaced one another, to where it is."""
    for commits in records.tapes.values():
        for commit in commits:
            spent: Counter[str] = Counter()
            for fill in commit.fills:
                spent[fill.bid_id] += fill.price_minor * fill.quantity + fill.buyer_fee_minor
                spent[fill.ask_id] += fill.quantity
            released = Counter({touched.order_id: touched.released for touched in commit.orders})
            for order_id, amount in spent.items():
                if released[order_id] < amount:
                    found = f"{released[order_id]} in commit {commit.sequence}"
                    yield Violation(Invariant.HOLD, commit.material, order_id, f"at least {amount} released", found)
    balances: Counter[str] = Counter()
    for order_id, order in records.orders():
        still_there = records.released[order_id] + records.held(order_id, order)
        balances[_first(records, order_id)] += records.placed_hold(order) - still_there
    for order_id, balance in balances.items():
        if balance:
            material = records.sell_orders[order_id].material if order_id in records.sell_orders else ""
            material = material or records.bids[order_id].material
            found = f"{abs(balance)} {'missing' if balance > 0 else 'too much'}"
            expected = "what placing held to be held or released"
            yield Violation(Invariant.HOLD, material, order_id, expected, found)


def _first(records: Records, order_id: str) -> str:
    """Return the order that was the first of those that replaced one another."""
    seen = {order_id}
    while (order := records.order(order_id)) is not None and order.replaces is not None:
        if records.order(order.replaces) is None or order.replaces in seen:
            break
        order_id = order.replaces
        seen.add(order_id)
    return order_id


def _withdrawn(records: Records, order_id: str) -> int:
    return sum(closed.withdrawn for _, closed in records.closings[order_id])


def _closing(records: Records, order_id: str, order: Order) -> list[tuple[str, str | None, int, int]]:
    if order.status in CLOSED_EARLY:
        return [(order.status, order.reason, order.quantity, order.quantity - (order.filled or 0))]
    if records.is_open(order_id, order):
        return []
    return [("FILLED", None, order.quantity, 0)]


def _statuses(bid: Bid) -> tuple[str, ...]:
    if bid.filled >= bid.quantity:
        return ("FILLED",)
    return ("PARTIALLY_FILLED", *CLOSED_EARLY) if bid.filled > 0 else ("PENDING", "NEW", *CLOSED_EARLY)


def _has_reason(bid: Bid) -> bool:
    return bid.reason in _REASONS.get(bid.status, (None,))
