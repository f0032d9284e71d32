"""Every record comes twice, by the express lane and by the Pipe: the second copy costs little, and nothing is lost."""

from __future__ import annotations

from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.matching.second_copies import HandledMemory
from patterns.dynamodb.items import encode_item
from tests.faults import Crash
from tests.matching.accounting import states
from tests.matching.market_on_moto import MarketOnMoto, copy_by_pipe, insertion, modification
from tests.matching.test_cost import item_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.matching.market_on_moto import Record


def all_kinds(market: MarketOnMoto) -> list[Record]:
    """A record of each kind, by the express lane, delivered: what rests, what trades, what is asked of orders."""
    market.store_ask(110, 5)
    market.store_bid(90, 3)
    market.store_bid(120, 2)
    market.store_arriving_ask(200, 4, time_in_force="GTC", post_only=True)
    resting = market.store_bid(80, 3)
    assert market.deliver(market.records).failed == []
    market.request("bid", resting, "REDUCE", 2)
    assert market.deliver(market.records[-1:]).failed == []
    market.request("bid", resting, "CANCEL")
    assert market.deliver(market.records[-1:]).failed == []
    market.calls.clear()
    return list(market.records)


def test_second_copies_that_are_remembered_cost_nothing(market: MarketOnMoto) -> None:
    market.express_lane, market.memory = True, HandledMemory()
    second = [copy_by_pipe(record) for record in all_kinds(market)]
    report = market.deliver(second)
    assert (report.second_copies, report.orders, report.materials) == (len(second), 0, 0)
    assert market.calls.total() == 0


def test_orders_that_are_not_remembered_cost_half_a_read_unit_each(
    market: MarketOnMoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.express_lane = True
    for number in range(130):
        market.store_bid(100, 1, buyer=f"buyer-{number}", trace_id=f"{number + 1:032x}")
    market.store_arriving_ask(100, 30, post_only=False)
    assert market.deliver(market.records).fills == 30
    market.calls.clear()
    units: list[float] = []
    read = market.client.batch_get_item

    def counting(**arguments: Any) -> Any:
        answer = read(**arguments)
        for table, request in arguments["RequestItems"].items():
            for key in request["Keys"]:
                stored = market.client.get_item(TableName=table, Key=key).get("Item", {})
                units.append(ceil(item_bytes(stored) / 4096) * (1 if request.get("ConsistentRead") else 0.5))
        return answer

    monkeypatch.setattr(market.client, "batch_get_item", counting)
    second = [copy_by_pipe(record) for record in market.records]
    report = market.deliver(second)
    assert report.second_copies == len(second) == 131
    assert market.calls == {"batch_get_item": 2}
    assert sum(units) == 0.5 * len(second)


def test_what_the_express_lane_lost_is_handled_when_the_pipe_brings_it(market: MarketOnMoto) -> None:
    market.express_lane, market.memory = True, HandledMemory()
    market.store_ask(100, 5)
    bid = market.store_bid(100, 5)
    assert market.deliver([copy_by_pipe(record) for record in market.records]).fills == 1
    assert states(market.tables())[bid].status == "FILLED"


@pytest.mark.parametrize("trouble", ["throttle", "lost answer"])
def test_an_order_is_handled_though_its_status_can_not_be_asked_for(market: MarketOnMoto, trouble: str) -> None:
    market.express_lane = True
    bid = market.store_bid(100, 5)
    records = [copy_by_pipe(record) for record in market.records]
    assert market.deliver(records, {0: trouble}).failed == []
    assert states(market.tables())[bid].status == "NEW"


def test_an_old_answer_drops_nothing(market: MarketOnMoto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read is eventually consistent: it may know nothing of the order, or nothing of what was asked of it."""
    market.express_lane = True
    bid = market.store_bid(100, 5)

    def knowing_nothing(**_: Any) -> Any:
        return {"Responses": {}, "UnprocessedKeys": {}}

    monkeypatch.setattr(market.client, "batch_get_item", knowing_nothing)
    assert market.deliver([copy_by_pipe(market.records[0])]).commits == 1
    monkeypatch.undo()
    market.request("bid", bid, "CANCEL")
    marked = market.items("bids")[0]
    assert (marked["status"], marked["request"]) == ("NEW", "CANCEL")
    assert market.deliver([copy_by_pipe(market.records[1])]).commits == 1
    assert states(market.tables())[bid].status == "CANCELED"


def test_only_what_is_done_is_remembered(market: MarketOnMoto) -> None:
    """Refused, failed and crashed work comes again, and must be done then."""
    market.express_lane, market.memory = True, HandledMemory()
    bid = market.store_bid(100, 5)
    with pytest.raises(Crash):
        market.deliver(market.records, {2: "crash before"})
    assert len(market.memory) == 0
    phantom = market.add_record("copper", insertion(market.bid_item(100, 1)))
    assert market.deliver([phantom]).parked == 1
    marked = encode_item(market.bid_item(100, 1) | {"request": "CANCEL", "request_id": market.order_id()})
    assert market.deliver([market.add_record("copper", modification(marked))]).parked == 1
    assert len(market.memory) == 0
    market.deliver_until_handled([copy_by_pipe(record) for record in market.records])
    assert states(market.tables())[bid].status == "NEW"
    assert bid in market.memory


def test_memory_is_bounded_and_keeps_the_latest() -> None:
    memory = HandledMemory(most=3)
    memory.remember(["a", "b"])
    memory.remember(["b", "c", "d", "e"])
    assert [name for name in "abcde" if name in memory] == ["c", "d", "e"]


STEP = st.tuples(
    st.sampled_from(["ask", "bid", "arriving ask", "cancel", "reduce"]),
    st.integers(min_value=98, max_value=102),
    st.integers(min_value=1, max_value=4),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), steps=st.lists(STEP, min_size=1, max_size=10))
def test_two_lanes_end_as_one(
    open_market: Callable[[], MarketOnMoto], data: st.DataObject, steps: Sequence[tuple[str, int, int]]
) -> None:
    """Whatever either lane loses first, repeats and delays, whichever instance works: every order is handled once."""
    market = open_market()
    market.express_lane = True
    memories = [HandledMemory(most=data.draw(st.sampled_from([2, 1000]))) for _ in range(2)]
    bids: list[str] = []
    for kind, price_minor, quantity in steps:
        match kind:
            case "ask":
                market.store_ask(price_minor, quantity)
            case "bid":
                bids.append(market.store_bid(price_minor, quantity))
            case "arriving ask":
                market.store_arriving_ask(price_minor, quantity, time_in_force="IOC")
            case _ if bids:
                bid = bids[price_minor % len(bids)]
                if market.items("bids") and _is_open(market, bid):
                    market.request("bid", bid, "CANCEL" if kind == "cancel" else "REDUCE", quantity)
            case _:
                pass
        if data.draw(st.booleans()):
            _deliver(market, data, memories, market.records)
    for record in market.records:  # the Pipe brings everything in the end
        market.memory = data.draw(st.sampled_from(memories))
        market.deliver_until_handled([copy_by_pipe(record)])
    assert_all_is_done(market)


def assert_all_is_done(market: MarketOnMoto) -> None:
    """Every order was handled once, whatever was asked of it is done, and no ask was overlooked."""
    tables = market.tables()
    for bid in tables.bids:
        assert bid.status != "PENDING"
        if bid.status in ("NEW", "PARTIALLY_FILLED"):  # all that is asked of it is done; a mark without effect stays
            assert bid.request is None or (bid.request == "REDUCE" and bid.quantity <= (bid.request_quantity or 0))
    assert all(order.status != "PENDING" for order in tables.sell_orders)
    best_bid = max((bid.price_minor for bid in tables.standing_bids), default=0)
    assert all(ask.price_minor > best_bid for ask in tables.asks)
    filled = {bid.bid_id: bid.filled for bid in tables.bids}
    traded = dict.fromkeys(filled, 0)
    for commit in tables.tape:
        for fill in commit.fills:
            traded[fill.bid_id] += fill.quantity
    assert traded == filled


def _is_open(market: MarketOnMoto, bid_id: str) -> bool:
    return any(bid["bid_id"] == bid_id and bid["status"] in ("PENDING", "NEW") for bid in market.items("bids"))


def _deliver(
    market: MarketOnMoto, data: st.DataObject, memories: Sequence[HandledMemory], records: Sequence[Record]
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(records), max_size=6)) if records else []
    market.memory = data.draw(st.sampled_from(memories))
    copies = [copy_by_pipe(record) if data.draw(st.booleans()) else record for record in chosen]
    plan = {data.draw(st.integers(0, 12)): data.draw(st.sampled_from(["crash before", "crash after", "throttle"]))}
    with suppress(Crash):
        market.deliver(copies, plan)
