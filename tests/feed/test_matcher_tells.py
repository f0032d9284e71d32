"""What the matcher tells is what the tables then say: the book, the trades, each player's orders and fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.api.book_store import BookStore
from functions.matching.second_copies import HandledMemory
from market.feed.channels import market_channel, player_channel
from market.feed.view import Change, MarketView, OwnView
from market.money import format_price
from tests.feed.listening import Listener, live_of
from tests.matching.accounting import states
from tests.matching.market_on_moto import TABLES, MarketOnMoto, transactions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COPPER = str(market_channel("copper"))


def opened(market: MarketOnMoto) -> Listener:
    listener = Listener()
    market.live = live_of(listener, market.clock)
    market.memory, market.heads = HandledMemory(), {}
    return listener


def own(listener: Listener, player: str) -> OwnView:
    view = OwnView()
    for message in listener.on(str(player_channel(player))):
        assert view.apply(message) is not Change.GAP
    return view


def depth(market: MarketOnMoto) -> dict[str, Any]:
    books = BookStore(market.client, TABLES.asks, TABLES.standing_bids, TABLES.tape, market.clock)
    snapshot = books.snapshot("copper", 20)
    return {
        "sequence": snapshot.sequence,
        **{
            side: [
                {"price": format_price(level.price_minor, 2), "quantity": level.quantity, "orders": level.orders}
                for level in levels
            ]
            for side, levels in (("asks", snapshot.asks), ("bids", snapshot.bids))
        },
    }


def test_a_trade_is_told_to_everybody_and_to_both_players(market: MarketOnMoto) -> None:
    listener = opened(market)
    ask = market.store_ask(1250, 5)
    assert market.deliver(market.records).failed == []
    (resting,) = listener.on(COPPER)
    assert (resting["from"], resting["sequence"], resting["trades"]) == (0, 0, [])
    assert (resting["asks"], resting["asks_complete"], resting["bids"]) == ([["12.50", 5, 1]], True, [])

    bid = market.store_bid(1300, 3, trace_id=f"{7:032x}", received_at_ms=market.now_ms)
    market.deliver(market.records[-1:])
    told = listener.on(COPPER)[1]
    assert (told["from"], told["sequence"], told["number"], told["trace_ids"]) == (0, 1, 2, [f"{7:032x}"])
    assert told["asks"] == [["12.50", 2, 1]]
    (trade,) = told["trades"]
    assert (trade["sequence"], trade["n"], trade["price"], trade["quantity"], trade["taker"]) == (
        1,
        1,
        "12.50",
        3,
        "BUY",
    )

    buyer, seller = own(listener, "buyer-1"), own(listener, "seller-1")
    assert {name: buyer.orders[bid][name] for name in ("status", "filled", "remaining", "trace_id", "side")} == {
        "status": "FILLED",
        "filled": 3,
        "remaining": 0,
        "trace_id": f"{7:032x}",
        "side": "BUY",
    }
    hops = cast("dict[str, int]", buyer.orders[bid]["hops"])
    order = ["received_at_ms", "placed_at_ms", "sequenced_at_ms", "matched_at_ms", "committed_at_ms"]
    assert list(hops) == order
    assert sorted(hops.values()) == list(hops.values())
    assert (seller.orders[ask]["status"], seller.orders[ask]["remaining"]) == ("PARTIALLY_FILLED", 2)
    assert [fill["role"] for view in (buyer, seller) for fill in view.fills.values()] == ["TAKER", "MAKER"]
    stored = next(item for item in market.items("bids") if item["bid_id"] == bid)
    assert stored["hops"] == {name: hops[name] for name in order[2:]}


def test_no_player_hears_of_another(market: MarketOnMoto) -> None:
    listener = opened(market)
    for number in range(3):
        market.store_ask(100, 1, seller=f"seller-{number}")
        market.store_bid(100, 1, buyer=f"buyer-{number}")
    market.deliver(market.records)
    owners = {item["bid_id"]: item["buyer"] for item in market.items("bids")}
    owners |= {item["ask_id"]: item["seller"] for item in market.items("sell_orders")}
    for channel, message in listener.events:
        if channel != COPPER:
            named = [line["order_id"] for line in (*message["orders"], *message["fills"])]
            assert {player_channel(str(owners[order_id])) for order_id in named} == {channel}
        else:
            assert not any(str(owner) in str(message) for owner in owners.values())


def test_a_plain_ask_behind_all_that_is_read_is_told_to_its_seller(market: MarketOnMoto) -> None:
    listener = opened(market)
    for _ in range(60):
        market.store_ask(100, 1, seller="others")
    market.deliver(market.records)
    ask = market.store_ask(200, 1)
    market.deliver(market.records[-1:])
    assert own(listener, "seller-1").orders[ask]["status"] == "NEW"
    assert listener.on(COPPER)[-1]["asks_complete"] is False


def test_a_look_that_somebody_overtakes_tells_no_book_but_the_new_asks(market: MarketOnMoto) -> None:
    listener = opened(market)
    bid = market.store_bid(90, 1)
    ask = market.store_ask(100, 1)
    quiet = MarketOnMoto(market.client, now_ms=market.now_ms, records=market.records)

    def overtake() -> None:
        assert quiet.deliver(market.records[:1]).commits == 1

    market.deliver(market.records[1:], {2: overtake})
    assert states(market.tables())[bid].status == "NEW"
    assert own(listener, "seller-1").orders[ask]["status"] == "NEW"
    assert [("asks" in message, message["sequence"]) for message in listener.on(COPPER)] == [(False, 0)]


def test_a_look_under_a_head_that_is_no_longer_the_last_tells_the_whole_book(market: MarketOnMoto) -> None:
    """Another process has committed since this one's last commit, and knows nothing of the new ask."""
    listener = opened(market)
    for price_minor in (80, 70):
        market.store_bid(price_minor, 1)
        market.deliver(market.records[-1:])
    other = MarketOnMoto(market.client, now_ms=market.now_ms, orders=market.orders)
    other.store_bid(90, 1)
    assert other.deliver(other.records).commits == 1
    market.orders = other.orders

    market.store_ask(100, 1)
    report = market.deliver(market.records[-1:])
    assert (report.retries, report.failed) == (1, [])
    told = listener.on(COPPER)[-1]
    assert (told["sequence"], told["asks"], told["bids"]) == (
        3,
        [["1.00", 1, 1]],
        [["0.90", 1, 1], ["0.80", 1, 1], ["0.70", 1, 1]],
    )


def test_a_feed_that_fails_fails_nothing(market: MarketOnMoto) -> None:
    listener = opened(market)
    listener.fails = True
    market.store_ask(100, 1)
    bid = market.store_bid(100, 1)
    report = market.deliver(market.records)
    assert (report.failed, report.fills) == ([], 1)
    assert states(market.tables())[bid].status == "FILLED"
    listener.fails = False
    market.now_ms += 10_000
    market.store_bid(100, 1)
    market.deliver(market.records[-1:])
    assert [message["number"] for message in listener.on(COPPER)] == [2]


@pytest.mark.parametrize(
    ("works", "commits"),
    [({0, 1, 2}, 0), ({0, 1, 2, 3}, 1), ({0, 1, 2, 3, 4}, 2), ({0, 1, 2, 3, 5}, 1), ({0, 1, 2, 3, 5, 6}, 1)],
)
def test_of_a_batch_that_is_handed_back_what_is_committed_is_told(
    market: MarketOnMoto, works: set[int], commits: int
) -> None:
    """A second delivery finds it done, and tells nothing of it."""
    listener = opened(market)
    ask = market.store_ask(200, 1)
    bids = [market.store_bid(price_minor, 1) for price_minor in (80, 90, 70)]
    with transactions_of(3):
        report = market.deliver(market.records, dict.fromkeys(set(range(200)) - works, "throttle"))
        assert (len(report.failed), report.commits) == (1, 0)  # a material that fails is not counted
        stored = [market.items("bids")[place]["status"] for place in range(3)]
        committed = [bid for bid, status in zip(bids, stored, strict=True) if status == "NEW"]
        assert len(committed) == commits
        assert own(listener, "buyer-1").orders.keys() == set(committed)
        for message in listener.on(COPPER):
            if "asks" in message:
                assert message["asks"] == [["2.00", 1, 1]]
                assert [price for price, _, _ in message["bids"]] == ["0.90", "0.80"][-commits:]
        market.deliver(market.records)
    assert {name: line["status"] for name, line in own(listener, "buyer-1").orders.items()} == dict.fromkeys(
        bids, "NEW"
    )
    assert own(listener, "seller-1").orders[ask]["status"] == "NEW"
    told = listener.on(COPPER)[-1]
    assert (told["sequence"], told["asks"], [price for price, _, _ in told["bids"]]) == (
        3,
        [["2.00", 1, 1]],
        ["0.90", "0.80", "0.70"],
    )


def test_what_cannot_be_read_for_the_feed_fails_nothing(market: MarketOnMoto, caplog: pytest.LogCaptureFixture) -> None:
    """Without a commit, the tape's head is read once more before the book is told."""
    listener = opened(market)
    market.store_ask(100, 1)
    report = market.deliver(market.records, {3: "throttle"})
    assert (report.failed, listener.events) == ([], [])
    assert [record.__dict__["FeedFailures"] for record in caplog.records] == [1]


def test_without_a_trace_nothing_is_added_to_an_order(market: MarketOnMoto) -> None:
    market.store_bid(100, 1)
    market.deliver(market.records)
    assert not {"hops", "trace_id"} & market.items("bids")[0].keys()


STEP = st.tuples(
    st.sampled_from(["ask", "bid", "ioc ask", "ioc bid", "gtd ask", "cancel", "reduce", "deliver"]),
    st.integers(min_value=97, max_value=103),
    st.integers(min_value=1, max_value=5),
)


@pytest.mark.parametrize("most_items", [100, 7])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=14))
def test_a_client_that_only_listens_sees_the_stored_market(
    open_market: Callable[[], MarketOnMoto], most_items: int, steps: Sequence[tuple[str, int, int]]
) -> None:
    market = open_market()
    listener = opened(market)
    view = MarketView("copper")
    view.load(depth(market))
    orders: list[tuple[str, str]] = []
    delivered = heard = 0
    with transactions_of(most_items):
        for kind, price_minor, quantity in [*steps, ("deliver", 0, 0)]:
            match kind:
                case "ask":
                    orders.append(("ask", market.store_ask(price_minor, quantity)))
                case "bid":
                    orders.append(("bid", market.store_bid(price_minor, quantity)))
                case "ioc ask":
                    market.store_arriving_ask(price_minor, quantity, time_in_force="IOC")
                case "ioc bid":
                    market.store_bid(price_minor, quantity, time_in_force="IOC")
                case "gtd ask":
                    market.store_ask(price_minor, quantity, time_in_force="GTD", expires_at_ms=market.now_ms + 40)
                case "deliver":
                    records, delivered = market.records[delivered:], len(market.records)
                    assert market.deliver(records).failed == []
                    for message in listener.on(COPPER)[heard:]:
                        heard += 1
                        assert view.apply(message) is Change.APPLIED
                    assert view.sequence == depth(market)["sequence"]
                case _ if orders:
                    side, order_id = orders[price_minor % len(orders)]
                    market.request(side, order_id, "CANCEL" if kind == "cancel" else "REDUCE", quantity)
                case _:
                    pass
    truth = MarketView("copper")
    market.now_ms = view.as_of_ms - 1  # orders that expired since are still shown
    truth.load(depth(market))
    assert (view.sequence, view.asks, view.bids) == (truth.sequence, truth.asks, truth.bids)
    tables = market.tables()
    told = {(trade["sequence"], trade["n"]): trade["quantity"] for trade in view.trades}
    assert told == {(commit.sequence, fill.n): fill.quantity for commit in tables.tape for fill in commit.fills}
    known = own(listener, "buyer-1").orders | own(listener, "seller-1").orders
    for order_id, state in states(tables).items():
        line = known[order_id]
        assert (line["status"], line["reason"], line["filled"]) == (state.status, state.reason, state.filled)
