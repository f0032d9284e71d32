"""The whole matcher, calls to DynamoDB included, against the reference market: whatever goes wrong on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.invariants import check_invariants
from tests.faults import Crash
from tests.matching.market_on_moto import transactions_of
from tests.matching.reference_market import ReferenceMarket, Trade

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matching.market_on_moto import MarketOnMoto

PRICES = st.integers(8, 12)
QUANTITIES = st.integers(1, 6)
ORDERS = st.tuples(st.sampled_from(["ask", "bid", "bid"]), PRICES, QUANTITIES)
TROUBLES = st.sampled_from(["crash before", "crash after", "lost answer", "throttle", "conflict"])

DELIVERIES = st.tuples(
    st.lists(ORDERS, max_size=6),  # stored before it
    st.lists(st.integers(0, 30), max_size=3),  # earlier records that it repeats
    st.dictionaries(st.integers(0, 9), TROUBLES, max_size=3),  # by number of call
    st.none() | st.integers(0, 6),  # call before which it is paused while another invocation does the same work
)
MOST_ITEMS = st.sampled_from([5, 6, 9, 100])  # small transactions cut small batches

PROPERTY = settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def assert_sound(market: MarketOnMoto, *, quiet: bool = False) -> None:
    tables = market.tables()
    stored_by_ms = {order.ask_id: order.placed_at_ms for order in tables.sell_orders}
    verdict = check_invariants(tables, quiet=quiet, stored_by_ms=stored_by_ms)
    assert verdict.holds, "\n".join(map(str, verdict.violations))


def assert_equal(market: MarketOnMoto, reference: ReferenceMarket) -> None:
    tables = market.tables()
    assert [
        Trade(fill.bid_id, fill.ask_id, fill.price_minor, fill.quantity, fill.taker_side)
        for commit in tables.tape
        for fill in commit.fills
    ] == reference.trades
    assert {bid.bid_id: (bid.status, bid.filled) for bid in tables.bids} == reference.bid_states()
    assert {ask.ask_id: ask.remaining for ask in tables.asks} == {a.order_id: a.remaining for a in reference.asks}
    assert {bid.bid_id: bid.remaining for bid in tables.standing_bids if not bid.taking} == {
        bid.order_id: bid.remaining for bid in reference.standing
    }


@PROPERTY
@given(deliveries=st.lists(DELIVERIES, min_size=1, max_size=4), most_items=MOST_ITEMS)
def test_equals_the_reference_under_crashes_replays_conflicts_and_zombies(
    open_market: Callable[[], MarketOnMoto],
    deliveries: list[tuple[list[tuple[str, int, int]], list[int], dict[int, str], int | None]],
    most_items: int,
) -> None:
    market, reference = open_market(), ReferenceMarket()
    bids: dict[str, tuple[str, int, int]] = {}  # sequence number → bid
    market.after_call = lambda name: assert_sound(market) if name == "transact_write_items" else None
    with transactions_of(most_items):
        for stored, repeated, troubles, paused_before in deliveries:
            new_from = len(market.records)
            for side, price_minor, quantity in stored:
                if side == "ask":
                    reference.store_ask(market.store_ask(price_minor, quantity), price_minor, quantity)
                else:
                    bid_id = market.store_bid(price_minor, quantity)
                    bids[market.records[-1]["kinesis"]["sequenceNumber"]] = (bid_id, price_minor, quantity)
            old = [market.records[number] for number in repeated if number < new_from]
            batch = [*old, *market.records[new_from:], *old]
            if not batch:
                continue

            reference.look()
            for record in batch:
                if bid := bids.get(record["kinesis"]["sequenceNumber"]):
                    reference.arrive(*bid)

            if paused_before is None:
                market.deliver_until_handled(batch, troubles)
            else:
                other = partial(market.deliver_until_handled, batch, troubles)
                market.deliver(batch, {paused_before: other})
                market.deliver_until_handled(batch)
            assert_equal(market, reference)
            assert_sound(market, quiet=True)

        before = market.tables()
        for _ in range(2):
            market.deliver_until_handled(market.records)
        assert market.tables() == before
        assert market.parked == []


@PROPERTY
@given(
    steps=st.lists(
        st.tuples(st.lists(ORDERS, max_size=4), TROUBLES, st.integers(0, 8), st.lists(ORDERS, max_size=2)),
        min_size=1,
        max_size=4,
    ),
    most_items=MOST_ITEMS,
)
def test_sound_when_orders_arrive_while_the_matcher_dies_and_starts_again(
    open_market: Callable[[], MarketOnMoto],
    steps: list[tuple[list[tuple[str, int, int]], str, int, list[tuple[str, int, int]]]],
    most_items: int,
) -> None:
    market = open_market()
    market.after_call = lambda name: assert_sound(market) if name == "transact_write_items" else None

    def store(orders: list[tuple[str, int, int]]) -> None:
        for side, price_minor, quantity in orders:
            (market.store_ask if side == "ask" else market.store_bid)(price_minor, quantity)

    with transactions_of(most_items):
        handled = 0
        for before, trouble, number, meanwhile in steps:
            store(before)
            plan = {number: trouble, max(number - 1, 0) if number else 1: partial(store, meanwhile)}
            upto = len(market.records)
            try:
                market.deliver(market.records[handled:upto], plan)
            except Crash:
                continue  # delivered again with whatever came meanwhile
            handled = upto
        market.deliver_until_handled(market.records[handled:])
        market.deliver_until_handled(market.records)
    assert_sound(market, quiet=True)
