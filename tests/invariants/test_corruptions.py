"""Each way in which tables can be wrong is found, wherever in a lively history it happens.

A row of the table is one kind of corruption. It is applied to every place of the history where it can be, one at a
time, and each time the check must name the broken invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from market.invariants import Invariant, check_invariants
from market.order_book import Side
from market.tables import Bid, MarketTables, OpenAsk, SellOrder, StandingBid
from tests.invariants.market_model import MATERIALS, Batch, MarketModel, Place, play

if TYPE_CHECKING:
    from market.tape import TapeCommit, TradeFill

Corruption = Callable[[MarketTables], Iterator[MarketTables]]


def lively_market() -> MarketModel:
    random = Random(20)
    actions: list[Place | Batch] = []
    for _ in range(120):
        material = random.choice(MATERIALS)
        actions += [
            Place(
                side, random.choice("abc"), material, random.randint(3, 8), random.randint(1, 9), random.randint(0, 3)
            )
            for side in random.choices(("BUY", "SELL"), k=2)
        ]
        if random.random() < 0.4:
            actions.append(Batch(material, random.randint(1, 5), random.randint(1, 3)))
    model = play(actions)
    model.come_to_rest()
    return model


MARKET = lively_market()
TABLES = MARKET.tables()
STORED_BY_MS = MARKET.stored_by_ms()

Row = OpenAsk | SellOrder | Bid | StandingBid


def each(rows: str, changed: Callable[[Any], dict[str, Any] | None]) -> Corruption:
    """Change one row at a time: `changed` gives the attributes to set, or None where it does not apply."""

    def corrupt(tables: MarketTables) -> Iterator[MarketTables]:
        before: tuple[Row, ...] = getattr(tables, rows)
        for index, row in enumerate(before):
            change = changed(row)
            if change is not None:
                yield replace(tables, **{rows: (*before[:index], replace(row, **change), *before[index + 1 :])})

    return corrupt


def without(rows: str, applies: Callable[[Any], bool] = lambda _: True) -> Corruption:
    """Lose one row at a time."""

    def corrupt(tables: MarketTables) -> Iterator[MarketTables]:
        before: tuple[Any, ...] = getattr(tables, rows)
        for index, row in enumerate(before):
            if applies(row):
                yield replace(tables, **{rows: (*before[:index], *before[index + 1 :])})

    return corrupt


def each_fill(changed: Callable[[TapeCommit, TradeFill], dict[str, Any] | None]) -> Corruption:
    """Change one fill at a time."""

    def corrupt(tables: MarketTables) -> Iterator[MarketTables]:
        for at, commit in enumerate(tables.tape):
            for index, fill in enumerate(commit.fills):
                change = changed(commit, fill)
                if change is not None:
                    fills = (*commit.fills[:index], replace(fill, **change), *commit.fills[index + 1 :])
                    wrong = replace(commit, fills=fills)
                    yield replace(tables, tape=(*tables.tape[:at], wrong, *tables.tape[at + 1 :]))

    return corrupt


SELL_ORDERS = {order.ask_id: order for order in TABLES.sell_orders}
BIDS = {bid.bid_id: bid for bid in TABLES.bids}
OPEN_ASK_IDS = {ask.ask_id for ask in TABLES.asks}


def sold_out_ask_left_in_book(tables: MarketTables) -> Iterator[MarketTables]:
    for order in tables.sell_orders:
        if order.ask_id not in OPEN_ASK_IDS:
            left_over = OpenAsk(
                material=order.material,
                price_key=f"{order.price_minor:012d}#{order.ask_id}",
                ask_id=order.ask_id,
                seller=order.seller,
                price_minor=order.price_minor,
                quantity=order.quantity,
                remaining=0,
                placed_at_ms=order.placed_at_ms,
            )
            yield replace(tables, asks=(*tables.asks, left_over))


def filled_bid_still_standing(tables: MarketTables) -> Iterator[MarketTables]:
    for bid in tables.bids:
        if bid.status == "FILLED":
            left_over = StandingBid(
                material=bid.material,
                price_key=f"{999_999_999_999 - bid.price_minor:012d}#{bid.bid_id}",
                bid_id=bid.bid_id,
                buyer=bid.buyer,
                price_minor=bid.price_minor,
                quantity=bid.quantity,
                remaining=bid.quantity,
                placed_at_ms=bid.placed_at_ms,
            )
            yield replace(tables, standing_bids=(*tables.standing_bids, left_over))


def commit_written_twice(tables: MarketTables) -> Iterator[MarketTables]:
    for commit in tables.tape:
        if commit.fills:
            last = max(each.sequence for each in tables.tape if each.material == commit.material)
            yield replace(tables, tape=(*tables.tape, replace(commit, sequence=last + 1)))


def commit_lost(tables: MarketTables) -> Iterator[MarketTables]:
    last = {material: max(c.sequence for c in tables.tape if c.material == material) for material in MATERIALS}
    yield from without("tape", lambda commit: commit.sequence < last[commit.material])(tables)


def better_ask_passed_over(tables: MarketTables) -> Iterator[MarketTables]:
    """An ask that nobody took turns out to have been the cheapest, and to have been there when others were taken."""
    for index, ask in enumerate(tables.asks):
        passed = any(
            commit.material == ask.material
            and commit.received_at_ms > STORED_BY_MS[ask.ask_id]
            and any(fill.taker_side == "BUY" for fill in commit.fills)
            for commit in tables.tape
        )
        if passed and ask.remaining == ask.quantity:
            cheap = replace(ask, price_minor=1, price_key=f"{1:012d}#{ask.ask_id}")
            orders = tuple(
                replace(order, price_minor=1) if order.ask_id == ask.ask_id else order for order in tables.sell_orders
            )
            yield replace(tables, asks=(*tables.asks[:index], cheap, *tables.asks[index + 1 :]), sell_orders=orders)


def better_bid_passed_over(tables: MarketTables) -> Iterator[MarketTables]:
    """A bid that nobody filled turns out to have been the dearest, and to have stood when others were filled."""
    for index, standing in enumerate(tables.standing_bids):
        matched_at_ms = BIDS[standing.bid_id].matched_at_ms or 0
        passed = any(
            commit.material == standing.material and commit.received_at_ms > matched_at_ms and commit.fills
            for commit in tables.tape
        )
        if passed and standing.remaining == standing.quantity:
            dear = replace(standing, price_minor=50, price_key=f"{999_999_999_999 - 50:012d}#{standing.bid_id}")
            bids = tuple(replace(b, price_minor=50) if b.bid_id == standing.bid_id else b for b in tables.bids)
            others = (*tables.standing_bids[:index], dear, *tables.standing_bids[index + 1 :])
            yield replace(tables, standing_bids=others, bids=bids)


def book_crossed(tables: MarketTables) -> Iterator[MarketTables]:
    standing = {bid.material for bid in tables.standing_bids}
    yield from each("asks", lambda ask: {"price_minor": 1} if ask.material in standing else None)(tables)


def rested_order_takes(tables: MarketTables) -> Iterator[MarketTables]:
    """An order trades as a resting order, and later as the one that arrives."""
    rested: set[str] = set()
    for at, commit in enumerate(tables.tape):
        for index, fill in enumerate(commit.fills):
            maker_id, side = (fill.ask_id, Side.SELL) if fill.taker_side == "BUY" else (fill.bid_id, Side.BUY)
            if maker_id in rested:
                swapped = replace(fill, taker_side=side)
                wrong = replace(commit, fills=(*commit.fills[:index], swapped, *commit.fills[index + 1 :]))
                yield replace(tables, tape=(*tables.tape[:at], wrong, *tables.tape[at + 1 :]))
            rested.add(maker_id)


def other_status(bid: Bid) -> dict[str, str]:
    order = ("PENDING", "NEW", "PARTIALLY_FILLED", "FILLED")
    return {"status": order[(order.index(bid.status) + 2) % 4]}


def taker_limit(_: TapeCommit, fill: TradeFill) -> dict[str, int] | None:
    taker = BIDS[fill.bid_id] if fill.taker_side == "BUY" else SELL_ORDERS[fill.ask_id]
    return {"price_minor": taker.price_minor} if taker.price_minor != fill.price_minor else None


UNKNOWN = "ffffffff-0000-7000-8000-000000000000"
OTHER = dict(zip(MATERIALS, reversed(MATERIALS), strict=True))

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
    (
        "a trade above the bid's limit",
        Invariant.PRICE_LIMIT,
        each_fill(lambda _, f: {"price_minor": f.price_minor + 9}),
    ),
    ("a trade below the ask's limit", Invariant.PRICE_LIMIT, each_fill(lambda _, f: {"price_minor": 1})),
    ("a trade of nothing", Invariant.PRICE_LIMIT, each_fill(lambda _, f: {"quantity": 0})),
    ("a trade at the taker's limit", Invariant.RESTING_PRICE, each_fill(taker_limit)),
    ("an order that rested takes", Invariant.TAKES_FIRST, rested_order_takes),
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
]


@pytest.mark.parametrize(("name", "invariant", "corruption"), CORRUPTIONS, ids=[row[0] for row in CORRUPTIONS])
def test_a_corruption_is_found_wherever_it_happens(name: str, invariant: Invariant, corruption: Corruption) -> None:
    places = 0
    for places, corrupted in zip(count(1), corruption(TABLES), strict=False):
        verdict = check_invariants(corrupted, quiet=True, stored_by_ms=STORED_BY_MS)
        assert invariant in {violation.invariant for violation in verdict.violations}, f"{name}: place {places}"
    assert places >= 3 or invariant is Invariant.TAPE_SEQUENCE, f"{name}: only {places} places in the history"


def test_every_invariant_has_a_corruption() -> None:
    assert {invariant for _, invariant, _ in CORRUPTIONS} == set(Invariant)


def test_the_history_has_both_kinds_of_taker_and_open_and_closed_orders() -> None:
    sides = {fill.taker_side for commit in TABLES.tape for fill in commit.fills}
    assert sides == {Side.BUY, Side.SELL}
    assert TABLES.asks
    assert TABLES.standing_bids
    assert {bid.status for bid in TABLES.bids} == {"NEW", "PARTIALLY_FILLED", "FILLED"}
