"""Trades: whose they are, at which price and fee, each once, and that their sums are those of the orders."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from market.invariants.findings import Invariant, Violation
from market.invariants.records import CLOSED_EARLY, fee_minor, owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.invariants.records import Order, Records, Trade
    from market.tables import Bid, SellOrder


def check_sums(records: Records) -> Iterator[Violation]:
    """Compare goods and money over all orders of a material."""
    traded: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    received: Counter[str] = Counter()
    for trade in records.trades:
        material, fill = trade.commit.material, trade.fill
        traded[material] += fill.quantity
        if owner(records.bids.get(fill.bid_id)) == fill.buyer:
            paid[material] += trade.value_minor
        if owner(records.sell_orders.get(fill.ask_id)) == fill.seller:
            received[material] += trade.value_minor
    bought: Counter[str] = Counter()
    sold: Counter[str] = Counter()
    for bid in records.tables.bids:
        bought[bid.material] += bid.filled
    for order in records.tables.sell_orders:
        sold[order.material] += _sold(records, order)
    for material in sorted(traded | bought | sold):
        if not bought[material] == sold[material] == traded[material]:
            found = f"{bought[material]} bought, {sold[material]} sold"
            yield Violation(Invariant.GOODS, material, "all orders", f"{traded[material]} traded", found)
        if paid[material] != received[material]:
            expected, found = f"{paid[material]} paid by buyers", f"{received[material]} received by sellers"
            yield Violation(Invariant.MONEY, material, "all orders", expected, found)


def _sold(records: Records, order: SellOrder) -> int:
    if order.status == "PENDING":
        return 0
    if order.status in CLOSED_EARLY:
        return order.filled or 0
    ask = records.open_asks.get(order.ask_id)
    return order.quantity - (0 if ask is None else ask.remaining)


def check_pairs(records: Records) -> Iterator[Violation]:
    """Look at who meets whom."""
    met: set[tuple[str, str]] = set()
    for trade in records.trades:
        commit, fill = trade
        pair = fill.bid_id, fill.ask_id
        if pair in met:
            # After a trade one of the two has nothing left, so they cannot meet again.
            found = f"again in {trade.trade_id}"
            yield Violation(Invariant.TRADE_ONCE, commit.material, fill.bid_id, f"one trade with {fill.ask_id}", found)
        met.add(pair)
        if fill.buyer == fill.seller:
            found = f"{fill.buyer} on both sides of {trade.trade_id}"
            yield Violation(Invariant.SELF_TRADE, commit.material, fill.bid_id, "another seller", found)
        bid, ask = records.bids.get(fill.bid_id), records.sell_orders.get(fill.ask_id)
        parties: tuple[tuple[str, Order | None, str], ...] = (
            (fill.bid_id, bid, fill.buyer),
            (fill.ask_id, ask, fill.seller),
        )
        for order_id, order, player in parties:
            expected = f"an order of {player} in {commit.material}"
            found = "no such order" if order is None else f"an order of {owner(order)} in {order.material}"
            if expected != found:
                expected = f"{trade.trade_id} to name {expected}"
                yield Violation(Invariant.TRADE_ORDERS, commit.material, order_id, expected, found)


def check_prices(records: Records) -> Iterator[Violation]:
    """Compare each trade's price with its orders'."""
    for trade, bid, ask in _known(records):
        fill, material = trade.fill, trade.commit.material
        if fill.quantity <= 0 or not ask.price_minor <= fill.price_minor <= bid.price_minor:
            expected = f"{trade.trade_id} at {ask.price_minor} to {bid.price_minor}"
            found = f"{fill.quantity} at {fill.price_minor}"
            yield Violation(Invariant.PRICE_LIMIT, material, fill.bid_id, expected, found)
        resting = ask if fill.taker_side == "BUY" else bid
        if fill.price_minor != resting.price_minor:
            expected = f"{trade.trade_id} at {resting.price_minor}, taken by the {fill.taker_side}"
            yield Violation(Invariant.RESTING_PRICE, material, fill.bid_id, expected, str(fill.price_minor))


def check_fees(records: Records) -> Iterator[Violation]:
    """Compute each trade's fees again."""
    for trade, bid, _ in _known(records):
        fill, most_bps = trade.fill, bid.fee_bps or 0
        found = fill.buyer_fee_minor, fill.seller_fee_minor
        if records.fees is None:
            most = fee_minor(trade.value_minor, most_bps)
            agrees, expected = 0 <= found[0] <= most and 0 <= found[1] <= trade.value_minor, f"at most {most} (buyer)"
        else:
            buyer_bps, seller_bps = records.fees.taker_bps, records.fees.maker_bps
            if fill.taker_side == "SELL":
                buyer_bps, seller_bps = seller_bps, buyer_bps
            due = fee_minor(trade.value_minor, min(buyer_bps, most_bps)), fee_minor(trade.value_minor, seller_bps)
            agrees, expected = found == due, str(due)
        if not agrees:
            expected = f"{trade.trade_id} to cost buyer and seller {expected}"
            yield Violation(Invariant.FEES, trade.commit.material, fill.bid_id, expected, str(found))


def check_sequences(records: Records) -> Iterator[Violation]:
    """Look for gaps."""
    for material, commits in records.tapes.items():
        yield from _numbering(material, "the tape", (commit.sequence for commit in commits))
        for commit in commits:
            yield from _numbering(material, f"commit {commit.sequence}", sorted(fill.n for fill in commit.fills))


def _numbering(material: str, what: str, numbers: Iterable[int]) -> Iterator[Violation]:
    for before, after in pairwise((0, *numbers)):
        if after != before + 1:
            yield Violation(Invariant.TAPE_SEQUENCE, material, what, f"{before + 1} after {before}", str(after))


def _known(records: Records) -> Iterator[tuple[Trade, Bid, SellOrder]]:
    for trade in records.trades:
        bid, ask = records.bids.get(trade.fill.bid_id), records.sell_orders.get(trade.fill.ask_id)
        if bid is not None and ask is not None:
            yield trade, bid, ask
