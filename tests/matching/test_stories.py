"""What traders live through, told as tables of orders and delivered one batch after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.faults import Crash
from tests.matching.market_on_moto import transactions_of
from tests.matching.test_matcher_against_reference import assert_sound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.matching.market_on_moto import MarketOnMoto

DELIVER = ("deliver", 0, 0)


@dataclass(frozen=True)
class Story:
    """Orders are named by their place among the orders, from 1; fills are (bid, ask, price, quantity)."""

    name: str
    steps: list[tuple[str, int, int]]
    fills: list[tuple[int, int, int, int]]
    bids: dict[int, tuple[str, int]]
    open_asks: dict[int, int]


STORIES = [
    Story(
        "a bid pays the seller's price, not its own limit",
        [("ask", 100, 5), ("bid", 120, 5), DELIVER],
        [(2, 1, 100, 5)],
        {2: ("FILLED", 5)},
        {},
    ),
    Story(
        "the cheapest ask sells first, at one price the oldest; a partial fill keeps its place",
        [("ask", 110, 5), ("ask", 100, 5), ("ask", 100, 5), ("bid", 110, 7), DELIVER, ("bid", 110, 5), DELIVER],
        [(4, 2, 100, 5), (4, 3, 100, 2), (5, 3, 100, 3), (5, 1, 110, 2)],
        {4: ("FILLED", 7), 5: ("FILLED", 5)},
        {1: 3},
    ),
    Story(
        "several bids empty one ask in one commit, the last one gets what is left and stands",
        [("ask", 100, 5), ("bid", 100, 2), ("bid", 100, 2), ("bid", 100, 2), DELIVER],
        [(2, 1, 100, 2), (3, 1, 100, 2), (4, 1, 100, 1)],
        {2: ("FILLED", 2), 3: ("FILLED", 2), 4: ("PARTIALLY_FILLED", 1)},
        {},
    ),
    Story(
        "a bid that finds no ask stands, and a later ask sells to it at the bid's price",
        [("bid", 100, 5), DELIVER, ("ask", 90, 3), DELIVER],
        [(1, 2, 100, 3)],
        {1: ("PARTIALLY_FILLED", 3)},
        {},
    ),
    Story(
        "later asks sell in the order they were placed, each to the highest bid",
        [("bid", 100, 2), ("bid", 105, 2), DELIVER, ("ask", 100, 3), ("ask", 95, 3), DELIVER],
        [(2, 3, 105, 2), (1, 3, 100, 1), (1, 4, 100, 1)],
        {1: ("FILLED", 2), 2: ("FILLED", 2)},
        {4: 2},
    ),
    Story(
        "an ask placed before a bid arrives is open to it, although the ask's record comes after",
        [("bid", 100, 5), ("ask", 90, 5), DELIVER],
        [(1, 2, 90, 5)],
        {1: ("FILLED", 5)},
        {},
    ),
    Story(
        "prices that do not meet do not trade",
        [("ask", 101, 5), ("bid", 100, 5), DELIVER],
        [],
        {2: ("NEW", 0)},
        {1: 5},
    ),
]


@pytest.fixture
def small_transactions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Twelve items a transaction, unless said otherwise: nine asks a part of a sweep, or five standing bids."""
    with transactions_of(getattr(request, "param", 12)):
        yield


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(market: MarketOnMoto, story: Story) -> None:
    names: dict[str, int] = {}
    delivered = 0
    for step, price_minor, quantity in story.steps:
        if step == "deliver":
            market.deliver_until_handled(market.records[delivered:])
            delivered = len(market.records)
        else:
            store = market.store_ask if step == "ask" else market.store_bid
            names[store(price_minor, quantity)] = len(names) + 1
    tables = market.tables()
    fills = [fill for commit in tables.tape for fill in commit.fills]
    assert [(names[f.bid_id], names[f.ask_id], f.price_minor, f.quantity) for f in fills] == story.fills
    assert {names[bid.bid_id]: (bid.status, bid.filled) for bid in tables.bids} == story.bids
    assert {names[ask.ask_id]: ask.remaining for ask in tables.asks} == story.open_asks
    assert_sound(market, quiet=True)


@pytest.mark.parametrize("small_transactions", [5], indirect=True)
@pytest.mark.usefixtures("small_transactions")
def test_an_ask_stored_during_a_sweep_sells_to_it_first_and_then_takes_its_turn(market: MarketOnMoto) -> None:
    """The one ask that makes and then takes: the sweep began before it was stored, the standing bid after it."""
    stands = market.store_bid(100, 5)
    for _ in range(4):
        market.store_ask(110, 1)
    market.deliver(market.records)
    sweeps = market.store_bid(120, 4)
    with pytest.raises(Crash):
        market.deliver(market.records[5:], {3: "crash after"})
    ask = market.store_ask(90, 7)
    market.deliver_until_handled(market.records[5:])
    fills = [fill for commit in market.tables().tape for fill in commit.fills if fill.ask_id == ask]
    assert [(f.bid_id, f.price_minor, f.quantity, f.taker_side) for f in fills] == [
        (sweeps, 90, 2, "BUY"),
        (stands, 100, 5, "SELL"),
    ]
    assert_sound(market, quiet=True)


def test_materials_do_not_meet_and_one_invocation_serves_them_all(market: MarketOnMoto) -> None:
    market.store_ask(100, 5, "copper")
    market.store_bid(100, 5, "wheat")
    market.store_ask(100, 5, "iron")
    market.store_bid(100, 5, "iron")
    report = market.deliver(market.records)
    assert (report.materials, report.fills, report.commits, report.failed) == (3, 1, 2, [])
    assert {(commit.material, commit.sequence) for commit in market.tables().tape} == {("wheat", 1), ("iron", 1)}


def test_a_bid_keeps_what_its_player_stored_and_learns_when_each_hop_was(market: MarketOnMoto) -> None:
    market.store_bid(100, 5)
    received_from = market.now_ms
    market.deliver(market.records)
    (bid,) = market.items("bids")
    (commit,) = market.tables().tape
    assert bid["client_order_id"] == "mine"
    assert bid["sequenced_at_ms"] == round(market.records[0]["kinesis"]["approximateArrivalTimestamp"] * 1000)
    assert received_from < commit.received_at_ms < commit.committed_at_ms == bid["matched_at_ms"]
    assert commit.fills == ()


def test_a_bid_larger_than_a_transaction_sweeps_on(market: MarketOnMoto) -> None:
    for _ in range(110):
        market.store_ask(100, 1)
    market.store_bid(100, 111)
    report = market.deliver(market.records)
    assert (report.commits, report.fills) == (2, 110)
    assert [(bid.remaining, bid.taking) for bid in market.tables().standing_bids] == [(1, None)]
    assert_sound(market, quiet=True)


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer"])
@pytest.mark.parametrize("commit", [0, 1, 2])
def test_a_cut_sweep_goes_on_as_taker_after_a_crash(market: MarketOnMoto, trouble: str, commit: int) -> None:
    for _ in range(25):
        market.store_ask(100, 1)
    bid_id = market.store_bid(100, 45)
    late_ask = market.store_ask(99, 5)
    reads = 4  # head, standing bids, two pages of asks
    market.deliver_until_handled(market.records, {reads + commit: trouble})
    tables = market.tables()
    fills = [fill for commit in tables.tape for fill in commit.fills]
    assert (fills[0].ask_id, fills[0].price_minor, len(fills)) == (late_ask, 99, 26)
    assert {fill.taker_side for fill in fills} == {"BUY"}
    assert [(bid.bid_id, bid.remaining, bid.taking) for bid in tables.standing_bids] == [(bid_id, 15, None)]
    assert_sound(market, quiet=True)


@pytest.mark.usefixtures("small_transactions")
def test_an_unfinished_sweep_says_so_and_any_next_record_ends_it(market: MarketOnMoto) -> None:
    for _ in range(20):
        market.store_ask(100, 1)
    market.store_bid(101, 20)
    with pytest.raises(Crash):
        market.deliver(market.records, {5: "crash before"})
    assert [(bid.remaining, bid.taking) for bid in market.tables().standing_bids] == [(11, True)]
    assert [bid.status for bid in market.tables().bids] == ["PARTIALLY_FILLED"]
    market.store_ask(500, 1)
    market.deliver(market.records[-1:])
    assert [bid.status for bid in market.tables().bids] == ["FILLED"]
    assert {fill.price_minor for commit in market.tables().tape for fill in commit.fills} == {100}
    assert_sound(market, quiet=True)


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer"])
def test_an_ask_larger_than_a_transaction_sells_on_after_a_crash(market: MarketOnMoto, trouble: str) -> None:
    for _ in range(12):
        market.store_bid(100, 1)
    market.deliver(market.records)
    ask_id = market.store_ask(90, 13)
    reads = 4  # head, two pages of standing bids, asks
    market.deliver_until_handled(market.records[-1:], {reads + 1: trouble})
    tables = market.tables()
    assert {bid.status for bid in tables.bids} == {"FILLED"}
    assert [(ask.ask_id, ask.remaining) for ask in tables.asks] == [(ask_id, 1)]
    assert {fill.price_minor for commit in tables.tape for fill in commit.fills} == {100}
    assert_sound(market, quiet=True)
