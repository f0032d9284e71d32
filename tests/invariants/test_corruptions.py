"""Each way in which tables can be wrong is found, wherever in a lively history it happens.

A row of a table here is one kind of corruption. It is applied to every place of the history where it can be, one at a
time, and each time the check must name the broken invariant.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

import pytest

from market.fees import Fees
from market.invariants import Invariant, check_invariants
from market.side import Side
from tests.invariants.account_corruptions import ACCOUNT_CORRUPTIONS
from tests.invariants.book_corruptions import (
    OPEN_ASK_IDS,
    STORED_BY_MS,
    TABLES,
    WORLD,
    better_ask_passed_over,
    better_bid_passed_over,
    book_crossed,
    commit_lost,
    commit_written_twice,
    filled_bid_still_standing,
    order_of_a_trade,
    other_status,
    rested_order_takes,
    self_made_trade,
    sold_out_ask_left_in_book,
    taker_limit,
)
from tests.invariants.corruptions import Corruption, each, each_fill, each_tape_order, without
from tests.invariants.market_model import FEES, MATERIALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.tables import Bid, SellOrder
    from market.tape import TapeCommit
    from tests.invariants.corruptions import Change

MOST_PLACES = 15
"""Places of one kind that are tried."""

UNKNOWN = "ffffffff-0000-7000-8000-000000000000"
OTHER = dict(zip(MATERIALS, reversed(MATERIALS), strict=True))

MARKED = {"immediate": True, "taking": True}
FEW_PLACES = (Invariant.TAPE_SEQUENCE, Invariant.DEPOSITED)


def open_as(status: str, reason: str | None = None) -> Callable[[SellOrder], Change]:
    return lambda order: {"status": status, "reason": reason} if order.ask_id in OPEN_ASK_IDS else None


def closes(commit: TapeCommit) -> bool:
    return any(order.closed for order in commit.orders)


def pays(bid_id: str) -> bool:
    return any(fill.bid_id == bid_id and fill.buyer_fee_minor for commit in TABLES.tape for fill in commit.fills)


def stands(bid: Bid) -> bool:
    return bid.status in ("NEW", "PARTIALLY_FILLED")


def later(status: str) -> Change:
    return {"expires_at_ms": 10**12} if status == "EXPIRED" else None


def endless(status: str | None) -> Change:
    return {"expires_at_ms": None} if status == "EXPIRED" else None


CORRUPTIONS: list[tuple[str, Invariant, Corruption]] = [
    ("an ask has more left than it should", Invariant.ASK_SUM, each("asks", lambda a: {"remaining": a.remaining + 1})),
    ("an ask has less left than it should", Invariant.ASK_SUM, each("asks", lambda a: {"remaining": a.remaining - 1})),
    ("an ask was for another quantity", Invariant.ASK_SUM, each("sell_orders", lambda o: {"quantity": o.quantity + 1})),
    ("an unsold ask left the book", Invariant.ASK_SUM, without("asks")),
    ("an ask was oversold", Invariant.ASK_OPEN, each("asks", lambda a: {"remaining": -1})),
    (
        "an ask has more left than was offered",
        Invariant.ASK_OPEN,
        each("asks", lambda a: {"remaining": a.quantity + 1}),
    ),
    ("a sold-out ask is still in the book", Invariant.ASK_OPEN, sold_out_ask_left_in_book),
    ("an ask changed its price", Invariant.ASK_RECORD, each("asks", lambda a: {"price_minor": a.price_minor + 1})),
    ("an ask changed hands", Invariant.ASK_RECORD, each("asks", lambda _: {"seller": "mallory"})),
    (
        "an ask is filed under another price",
        Invariant.ASK_RECORD,
        each("asks", lambda a: {"price_key": "0" + a.ask_id}),
    ),
    ("an ask has no seller's order", Invariant.ASK_RECORD, without("sell_orders", lambda o: o.ask_id in OPEN_ASK_IDS)),
    ("a bid shows more than it got", Invariant.BID_SUM, each("bids", lambda b: {"filled": b.filled + 1})),
    (
        "a bid shows less than it got",
        Invariant.BID_SUM,
        each("bids", lambda b: {"filled": b.filled - 1} if b.filled else None),
    ),
    ("a bid has more to come than there is", Invariant.BID_SUM, each("bids", lambda b: {"quantity": b.quantity + 1})),
    (
        "a bid was filled beyond its quantity",
        Invariant.BID_SUM,
        each("bids", lambda b: {"quantity": b.filled - 1} if b.filled else None),
    ),
    ("a bid shows another status", Invariant.BID_STATUS, each("bids", other_status)),
    ("an open bid does not stand", Invariant.BID_STANDS, without("standing_bids")),
    ("a filled bid still stands", Invariant.BID_STANDS, filled_bid_still_standing),
    (
        "a standing bid wants more",
        Invariant.BID_STANDS,
        each("standing_bids", lambda b: {"remaining": b.remaining + 1}),
    ),
    ("a standing bid has another price", Invariant.BID_STANDS, each("standing_bids", lambda b: {"price_minor": 99})),
    (
        "a standing bid is filed under another price",
        Invariant.BID_STANDS,
        each("standing_bids", lambda b: {"price_key": "0" + b.bid_id}),
    ),
    (
        "an unhandled bid stands",
        Invariant.BID_STANDS,
        each("bids", lambda b: {"status": "PENDING"} if b.status == "NEW" else None),
    ),
    (
        "an ask gives no reason",
        Invariant.ASK_STATUS,
        each("sell_orders", lambda o: {"reason": None} if o.reason else None),
    ),
    (
        "an ask closed for a reason that goes with another status",
        Invariant.ASK_STATUS,
        each("sell_orders", lambda o: {"status": "REJECTED"} if o.status == "EXPIRED" else None),
    ),
    (
        "a closed ask forgot what it sold",
        Invariant.ASK_STATUS,
        each("sell_orders", lambda o: {"filled": (o.filled or 0) + 1} if o.status else None),
    ),
    ("an open ask claims to wait", Invariant.ASK_STATUS, each("sell_orders", open_as("PENDING"))),
    ("an open ask claims to be canceled", Invariant.ASK_STATUS, each("sell_orders", open_as("CANCELED", "requested"))),
    ("a bid gives no reason", Invariant.BID_STATUS, each("bids", lambda b: {"reason": None} if b.reason else None)),
    ("a bid closed twice", Invariant.CLOSING, each("tape", lambda c: {"orders": c.orders * 2} if closes(c) else None)),
    (
        "the tape forgot a closing",
        Invariant.CLOSING,
        each_tape_order(lambda _, o: {"closed": None} if o.closed else None),
    ),
    (
        "the tape withdrew another quantity",
        Invariant.CLOSING,
        each_tape_order(
            lambda _, o: {"closed": o.closed._replace(withdrawn=o.closed.withdrawn + 1)} if o.closed else None
        ),
    ),
    ("the tape names another player", Invariant.CLOSING, each_tape_order(lambda _, o: {"player": "mallory"})),
    ("more is released than was held", Invariant.HOLD, each_tape_order(lambda _, o: {"released": o.released + 1})),
    (
        "less is released than was spent",
        Invariant.HOLD,
        each_tape_order(lambda _, o: {"released": o.released - 1} if o.released else None),
    ),
    ("an order held something else", Invariant.HOLD, each("bids", lambda b: {"hold": (b.hold or 0) + 1})),
    ("an ask held nothing", Invariant.HOLD, each("sell_orders", lambda o: {"hold": 0} if o.hold else None)),
    ("goods appear", Invariant.GOODS, each("bids", lambda b: {"filled": b.filled + 1})),
    ("goods vanish", Invariant.GOODS, without("asks")),
    ("a trade pays nobody", Invariant.MONEY, each_fill(lambda _, fill: {"seller": fill.seller + "x"})),
    ("a trade is paid by nobody", Invariant.MONEY, without("bids", lambda b: b.filled > 0)),
    ("a trade names another buyer", Invariant.TRADE_ORDERS, each_fill(lambda _, fill: {"buyer": fill.buyer + "x"})),
    ("a trade names an unknown ask", Invariant.TRADE_ORDERS, each_fill(lambda _, fill: {"ask_id": UNKNOWN})),
    (
        "orders traded in another material",
        Invariant.TRADE_ORDERS,
        each("tape", lambda c: {"material": OTHER[c.material]} if c.fills else None),
    ),
    ("a commit was written twice", Invariant.TRADE_ONCE, commit_written_twice),
    ("a player trades with themselves", Invariant.SELF_TRADE, self_made_trade),
    ("a buyer pays too much", Invariant.FEES, each_fill(lambda _, f: {"buyer_fee_minor": f.buyer_fee_minor + 1})),
    ("a seller pays too much", Invariant.FEES, each_fill(lambda _, f: {"seller_fee_minor": f.seller_fee_minor + 1})),
    (
        "a bid was promised a lower fee",
        Invariant.FEES,
        each("bids", lambda b: {"fee_bps": 0} if pays(b.bid_id) else None),
    ),
    (
        "a trade above the bid's limit",
        Invariant.PRICE_LIMIT,
        each_fill(lambda _, f: {"price_minor": 10**12}),
    ),
    ("a trade below the ask's limit", Invariant.PRICE_LIMIT, each_fill(lambda _, f: {"price_minor": 0})),
    ("a trade of nothing", Invariant.PRICE_LIMIT, each_fill(lambda _, f: {"quantity": 0})),
    ("a trade at the taker's limit", Invariant.RESTING_PRICE, each_fill(taker_limit)),
    ("an order that rested takes", Invariant.TAKES_FIRST, rested_order_takes),
    ("an immediate order rests", Invariant.IMMEDIATE, order_of_a_trade(False, time_in_force="IOC")),
    (
        "an immediate ask is in the book",
        Invariant.IMMEDIATE,
        each("sell_orders", lambda o: {"time_in_force": "IOC"} if o.ask_id in OPEN_ASK_IDS else None),
    ),
    (
        "a market bid stands",
        Invariant.IMMEDIATE,
        each("bids", lambda b: {"order_type": "MARKET"} if b.status in ("NEW", "PARTIALLY_FILLED") else None),
    ),
    ("a standing bid is said to be immediate", Invariant.IMMEDIATE, each("standing_bids", lambda _: MARKED)),
    (
        "a fill-or-kill bid was filled in part",
        Invariant.ALL_OR_NOTHING,
        each("bids", lambda b: {"time_in_force": "FOK"} if 0 < b.filled < b.quantity else None),
    ),
    (
        "a fill-or-kill ask was filled in part",
        Invariant.ALL_OR_NOTHING,
        each("sell_orders", lambda o: {"time_in_force": "FOK"} if (o.filled or 0) > 0 else None),
    ),
    ("a post-only order takes", Invariant.POST_ONLY, order_of_a_trade(True, post_only=True)),
    ("an order trades after its time", Invariant.EXPIRY, order_of_a_trade(True, expires_at_ms=1)),
    ("an order expires early", Invariant.EXPIRY, each("bids", lambda b: later(b.status))),
    ("an ask without an end expires", Invariant.EXPIRY, each("sell_orders", lambda o: endless(o.status))),
    ("a commit is lost", Invariant.TAPE_SEQUENCE, commit_lost),
    (
        "a tape starts late",
        Invariant.TAPE_SEQUENCE,
        each("tape", lambda c: {"sequence": 0} if c.sequence == 1 else None),
    ),
    ("a trade's number is skipped", Invariant.TAPE_SEQUENCE, each_fill(lambda _, f: {"n": f.n + 100})),
    ("a better ask was passed over", Invariant.PRIORITY, better_ask_passed_over),
    ("a better bid was passed over", Invariant.PRIORITY, better_bid_passed_over),
    ("a quiet book is crossed", Invariant.NOT_CROSSED, book_crossed),
    ("a bid is forgotten", Invariant.HANDLED, each("bids", lambda _: {"status": "PENDING"})),
    ("a sweep is unfinished", Invariant.HANDLED, each("standing_bids", lambda _: {"taking": True})),
    ("a request is forgotten", Invariant.HANDLED, each("bids", lambda b: {"request": "CANCEL"} if stands(b) else None)),
    (
        "a reduction is forgotten",
        Invariant.HANDLED,
        each("bids", lambda b: {"request": "REDUCE", "request_quantity": b.quantity - 1} if stands(b) else None),
    ),
    ("an ask is forgotten", Invariant.HANDLED, each("sell_orders", lambda _: {"status": "PENDING"})),
    ("an ask's sweep is unfinished", Invariant.HANDLED, each("asks", lambda _: {"immediate": True})),
    *ACCOUNT_CORRUPTIONS,
]


@pytest.mark.parametrize(("name", "invariant", "corruption"), CORRUPTIONS, ids=[row[0] for row in CORRUPTIONS])
def test_a_corruption_is_found_wherever_it_happens(name: str, invariant: Invariant, corruption: Corruption) -> None:
    places = 0
    for places, world in zip(count(1), islice(corruption(WORLD), MOST_PLACES), strict=False):
        verdict = check_invariants(
            world.tables, quiet=True, stored_by_ms=STORED_BY_MS, fees=FEES, accounts=world.accounts
        )
        assert invariant in {violation.invariant for violation in verdict.violations}, f"{name}: place {places}"
    assert places >= 3 or invariant in FEW_PLACES, f"{name}: only {places} places in the history"


def test_every_invariant_has_a_corruption() -> None:
    assert {invariant for _, invariant, _ in CORRUPTIONS} == set(Invariant)


def test_fees_are_within_a_bids_rate_even_if_the_rates_are_not_known() -> None:
    assert check_invariants(TABLES, quiet=True, stored_by_ms=STORED_BY_MS).holds
    other_rates = Fees(FEES.maker_bps + 1_000, FEES.taker_bps)
    verdict = check_invariants(TABLES, quiet=True, stored_by_ms=STORED_BY_MS, fees=other_rates)
    assert {violation.invariant for violation in verdict.violations} == {Invariant.FEES}


def test_the_history_has_both_kinds_of_taker_and_every_kind_of_ending() -> None:
    assert {fill.taker_side for commit in TABLES.tape for fill in commit.fills} == set(Side)
    assert TABLES.asks
    assert TABLES.standing_bids
    assert {bid.status for bid in TABLES.bids} == {
        "NEW",
        "PARTIALLY_FILLED",
        "FILLED",
        "CANCELED",
        "EXPIRED",
        "REJECTED",
    }
    reasons = {order.reason for order in (*TABLES.bids, *TABLES.sell_orders)}
    assert reasons >= {"requested", "replaced", "no_match", "self_trade", "expired", "would_take"}
