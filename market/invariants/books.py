"""What a market at rest looks like."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from market.invariants.findings import Invariant, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.invariants.records import Order, Records
    from market.tables import OpenAsk, StandingBid


def check_crossing(records: Records) -> Iterator[Violation]:
    """Compare the best prices of both sides."""
    best_ask: dict[str, OpenAsk] = {}
    for ask in sorted(records.tables.asks, key=attrgetter("price_minor"), reverse=True):
        best_ask[ask.material] = ask
    best_bid: dict[str, StandingBid] = {}
    for bid in sorted(records.tables.standing_bids, key=attrgetter("price_minor")):
        best_bid[bid.material] = bid
    for material in sorted(best_ask.keys() & best_bid.keys()):
        ask, bid = best_ask[material], best_bid[material]
        if bid.price_minor >= ask.price_minor:
            expected = f"a best bid below the ask {ask.ask_id} at {ask.price_minor}"
            yield Violation(Invariant.NOT_CROSSED, material, bid.bid_id, expected, str(bid.price_minor))


def check_handled(records: Records) -> Iterator[Violation]:
    """Look for orders, sweeps and requests that the matcher has not finished with."""
    for order_id, order in records.orders():
        if order.status == "PENDING":
            yield Violation(Invariant.HANDLED, order.material, order_id, "a handled order", "PENDING")
        elif records.is_open(order_id, order) and _asks_for_something(order):
            yield Violation(Invariant.HANDLED, order.material, order_id, "no request left", str(order.request))
    for standing in records.tables.standing_bids:
        if standing.taking:
            yield Violation(Invariant.HANDLED, standing.material, standing.bid_id, "a finished sweep", "taking")
    for ask in records.tables.asks:
        if ask.immediate:
            yield Violation(Invariant.HANDLED, ask.material, ask.ask_id, "a finished sweep", "immediate")


def _asks_for_something(order: Order) -> bool:
    if order.request == "REDUCE":
        # Of two reductions the later one may ask for more than is left by then, and changes nothing.
        return (order.request_quantity or 0) < order.quantity
    return order.request is not None
