"""What kinds of order promise: who may take, who may rest, until when."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from market.invariants.findings import Invariant, Violation
from market.invariants.records import may_only_trade_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.invariants.records import Records


def check_takers(records: Records) -> Iterator[Violation]:
    """Follow each order from taking to resting."""
    rested: set[str] = set()
    sweeps: dict[str, int] = {}  # bid → sequence of the commit in which it took first
    for trade in records.trades:
        commit, fill = trade
        if trade.taker_id in rested:
            found = f"to take in {trade.trade_id}"
            expected = "only to rest, as it did before"
            yield Violation(Invariant.TAKES_FIRST, commit.material, trade.taker_id, expected, found)
        # Between two commits of a bid's sweep asks may be stored: what the sweep leaves of one has yet to arrive.
        if fill.taker_side == "SELL" or sweeps.setdefault(trade.taker_id, commit.sequence) == commit.sequence:
            rested.add(trade.maker_id)
        taker, maker = records.order(trade.taker_id), records.order(trade.maker_id)
        if taker is not None and taker.post_only:
            yield Violation(
                Invariant.POST_ONLY, commit.material, trade.taker_id, "only to rest", f"taking in {trade.trade_id}"
            )
        if maker is not None and may_only_trade_at_once(maker):
            found = f"resting in {trade.trade_id}"
            yield Violation(Invariant.IMMEDIATE, commit.material, trade.maker_id, "only to take", found)


def check_immediate(records: Records) -> Iterator[Violation]:
    """Look for orders in the book that must not rest, and for fill-or-kill orders that are filled in part."""
    # Between the commits of a sweep the book holds what is left of it, marked.
    for ask in records.tables.asks:
        order = records.sell_orders.get(ask.ask_id)
        if order is None:
            continue
        if may_only_trade_at_once(order) != bool(ask.immediate) or order.time_in_force == "FOK":
            found = f"{order.time_in_force}, marked: {bool(ask.immediate)}"
            yield Violation(Invariant.IMMEDIATE, ask.material, ask.ask_id, "an ask that may rest", found)
    for standing in records.tables.standing_bids:
        bid = records.bids.get(standing.bid_id)
        if bid is None:
            continue
        goes_on = bool(standing.immediate and standing.taking)
        if may_only_trade_at_once(bid) != goes_on or bid.time_in_force == "FOK":
            found = f"{bid.time_in_force}, marked: {bool(standing.immediate)}, taking: {bool(standing.taking)}"
            yield Violation(Invariant.IMMEDIATE, standing.material, standing.bid_id, "a bid that may rest", found)
    commits: defaultdict[str, set[int]] = defaultdict(set)
    for commit, fill in records.trades:
        commits[fill.bid_id].add(commit.sequence)
        commits[fill.ask_id].add(commit.sequence)
    for order_id, order in records.orders():
        traded = records.traded[order_id]
        if order.time_in_force == "FOK" and traded and (traded != order.quantity or len(commits[order_id]) > 1):
            found = f"{traded} in {len(commits[order_id])} commits"
            expected = f"{order.quantity} in one commit, or nothing"
            yield Violation(Invariant.ALL_OR_NOTHING, order.material, order_id, expected, found)


def check_expiry(records: Records) -> Iterator[Violation]:
    """Compare the times of trades and closings with the orders' last time, by when the matcher received the batch."""
    for trade in records.trades:
        commit, fill = trade
        for order_id in (fill.bid_id, fill.ask_id):
            order = records.order(order_id)
            if order is not None and order.expires_at_ms is not None and order.expires_at_ms <= commit.received_at_ms:
                expected = f"no trade from {order.expires_at_ms} on"
                found = f"{trade.trade_id} at {commit.received_at_ms}"
                yield Violation(Invariant.EXPIRY, commit.material, order_id, expected, found)
    for order_id, order in records.orders():
        for commit, closed in records.closings[order_id]:
            if closed.status == "EXPIRED" and not (
                order.expires_at_ms is not None and order.expires_at_ms <= commit.received_at_ms
            ):
                expected = f"to be open until {order.expires_at_ms}"
                yield Violation(
                    Invariant.EXPIRY, order.material, order_id, expected, f"expired at {commit.received_at_ms}"
                )
