"""The lives of orders when calls fail, records repeat or overtake each other, and players ask for more meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from market.matching.engine import SelfTradePrevention
from tests.matching.accounting import assert_accounted
from tests.matching.market_on_moto import TABLES, transactions_of
from tests.matching.trading import A_MINUTE_MS, DELIVER, Trading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.matching.accounting import State
    from tests.matching.market_on_moto import MarketOnMoto, Record

EVERYTHING: Sequence[tuple[Any, ...]] = (
    ("ask", 100, 3), ("ask", 101, 4), ("ask", 102, 5), ("bid", 90, 5), ("bid", 89, 6), ("bid", 88, 2),
    ("ask_until", A_MINUTE_MS, 103, 2), ("bid_until", A_MINUTE_MS, 91, 2), ("bid", 100, 1),
    DELIVER, ("wait", A_MINUTE_MS),
    ("take", "bid", "IOC", 100, 9), ("cancel", 2), ("reduce", 3, 2), ("expire", 7, 8), ("take", "ask", "FOK", 90, 4),
    ("post", "ask", 95, 2), ("replace", 5, 95, 8), ("buy_for", 330, 9), ("cancel", 6), ("reduce", 4, 1),
    ("sell_at_market", 3), ("bid", 80, 3), ("cancel", 15), ("bid", 102, 1, "seller"),
)  # fmt: skip
"""Something of each kind, in one last batch."""


def outcome_of_everything(
    market: MarketOnMoto, deliver: Callable[[Sequence[Record]], object] | None = None
) -> tuple[dict[int, State], list[tuple[int, int, int, int]]]:
    """Play everything, deliver the last batch in some way, and return what became of all orders, and the trades."""
    trading = Trading(market)
    for step in EVERYTHING:
        trading.step(*step)
    market.calls.clear()
    (deliver or market.deliver)(market.records[trading.delivered :])
    assert_accounted(market)
    assert market.parked == []
    return trading.states(), trading.fills()


def delivery_with(market: MarketOnMoto, call: int, trouble: str) -> Callable[[Sequence[Record]], object]:
    """Deliver until all is handled, checked after every commit; one call has trouble."""
    market.after_call = lambda name: assert_accounted(market) if name == "transact_write_items" else None
    return lambda records: market.deliver_until_handled(records, {call: trouble})


@pytest.mark.parametrize("most_items", [7, 100])
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "conflict"])
def test_trouble_with_any_call_changes_nothing_in_the_end(
    open_market: Callable[[], MarketOnMoto], trouble: str, most_items: int
) -> None:
    with transactions_of(most_items):
        market = open_market()
        expected = outcome_of_everything(market)
        for call in range(market.calls.total()):
            market = open_market()
            assert outcome_of_everything(market, delivery_with(market, call, trouble)) == expected, call


@pytest.mark.parametrize("most_items", [7, 100])
def test_a_zombie_and_a_replay_change_nothing(open_market: Callable[[], MarketOnMoto], most_items: int) -> None:
    def twice(market: MarketOnMoto, paused_before: int) -> Callable[[Sequence[Record]], object]:
        return lambda records: market.deliver(records, {paused_before: lambda: market.deliver(records)})

    with transactions_of(most_items):
        expected = outcome_of_everything(open_market())
        for call in range(7):
            market = open_market()
            assert outcome_of_everything(market, twice(market, call)) == expected, call
            before = market.tables()
            report = market.deliver(market.records)
            assert (report.commits, report.failed, market.parked) == (0, [], [])
            assert market.tables() == before


def test_records_that_overtake_each_other_do_not_lose_what_they_say(market: MarketOnMoto) -> None:
    """A cancel before its order, a replacement before the replaced order, each in a batch of its own."""
    trading = Trading(market)
    trading.bid(100, 5)
    trading.cancel(1)
    trading.bid(90, 5)
    trading.replace(2, 95, 6)
    trading.arriving_ask(120, 3, post_only=True)
    trading.reduce(4, 2)
    for position in (1, 0, 3, 2, 5, 4):
        assert market.deliver([market.records[position]]).failed == []
    assert trading.states() == {
        1: ("CANCELED", "requested", 0, 5),
        2: ("CANCELED", "replaced", 0, 5),
        3: ("NEW", None, 0, 6),
        4: ("NEW", None, 0, 2),
    }
    assert_accounted(market)


@pytest.mark.parametrize("call", range(5))
@pytest.mark.parametrize("side", ["ask", "bid"])
@pytest.mark.parametrize("state", ["new", "arriving", "open"])
def test_what_is_asked_for_while_the_matcher_works_is_done_next(
    market: MarketOnMoto, state: str, side: str, call: int
) -> None:
    """The cancel replaces the reduction that is being carried out, or finds the order on its way into the book."""
    trading = Trading(market)
    trading.post(side, 100, 9)
    if state == "open":
        trading.deliver()
    if state != "new":
        trading.reduce(1, 5)
    canceled: list[Record] = []
    market.deliver(market.records[trading.delivered :], {call: lambda: canceled.append(trading.cancel(1))})
    market.deliver(canceled or [trading.cancel(1)])
    assert trading.states()[1].status == "CANCELED"
    assert_accounted(market)


def test_a_repeated_order_does_not_cancel_what_it_would_meet_now(market: MarketOnMoto) -> None:
    """What it cancels is committed before it, so that its own condition comes too late."""
    market.self_trade_prevention = SelfTradePrevention.CANCEL_MAKER
    trading = Trading(market)
    trading.bid(100, 2, "both")
    first = market.records[0]
    trading.ask(100, 2)
    trading.deliver()
    for _ in range(5):
        trading.ask(100, 1, "both")
    with transactions_of(5):
        trading.deliver()
        assert (market.deliver([first]).duplicates, market.deliver([first, first]).failed) == (1, [])
    assert [trading.states()[number].status for number in (1, 3, 4, 5, 6, 7)] == ["FILLED", *["NEW"] * 5]


def test_a_request_that_comes_again_costs_reads_alone(market: MarketOnMoto) -> None:
    trading = Trading(market)
    trading.ask(100, 5)
    trading.bid(90, 5)
    trading.deliver()
    request = trading.cancel(1)
    trading.deliver()
    before = market.tables()
    market.calls.clear()
    assert market.deliver([request]).failed == []
    assert market.calls == {"batch_get_item": 1, "query": 3}
    assert market.tables() == before


def test_orders_expire_together_without_a_look_at_the_book(market: MarketOnMoto) -> None:
    trading = Trading(market)
    for _ in range(49):
        trading.ask_until(A_MINUTE_MS, 100, 1)
    trading.deliver()
    trading.wait(A_MINUTE_MS)
    trading.expire(*range(1, 50))
    market.calls.clear()
    trading.deliver()
    assert {state.status for state in trading.states().values()} == {"EXPIRED"}
    assert market.calls == {"batch_get_item": 1, "query": 2, "transact_write_items": 1}  # no look at the asks
    assert_accounted(market)


def test_a_closed_order_says_when_and_why_and_carries_no_mark(market: MarketOnMoto) -> None:
    trading = Trading(market)
    trading.ask(100, 5)
    trading.bid(90, 5)
    trading.take("ask", "IOC", 95, 2)
    trading.cancel(1)
    trading.cancel(2)
    trading.deliver()
    for item in (*market.items(TABLES.sell_orders), *market.items(TABLES.bids)):
        assert (item["status"], item["filled"]) == ("CANCELED", 0)
        assert item["matched_at_ms"]
        assert not {"request", "request_id", "request_quantity"} & set(item)


def test_a_bid_that_is_sold_out_before_its_cancel_carries_no_mark(market: MarketOnMoto) -> None:
    trading = Trading(market)
    trading.bid(100, 5)
    trading.deliver()
    trading.cancel(1)
    trading.ask(100, 5)
    trading.deliver()
    (bid,) = market.items(TABLES.bids)
    assert bid["status"] == "FILLED"
    assert "request" not in bid
