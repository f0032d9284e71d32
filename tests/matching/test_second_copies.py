"""Every record comes twice, by the express lane and by the Pipe: the second copy costs little, and nothing is lost."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.matching.records import read_record
from functions.matching.second_copies import HandledMemory
from patterns.dynamodb.items import encode_item
from tests.faults import Crash
from tests.feed.listening import Listener, live_of
from tests.matching.accounting import states
from tests.matching.market_on_moto import MarketOnMoto, copy_by_pipe, express, insertion, modification, transactions_of
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
    market.store_arriving_ask(101, 30, time_in_force="IOC")
    assert market.deliver(market.records).failed == []
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


@pytest.mark.parametrize("call", range(10))
@pytest.mark.parametrize("terms", [{}, {"time_in_force": "IOC"}], ids=str)
@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_sweep_that_a_crash_cut_short_goes_on_though_the_pipe_alone_brings_it(
    market: MarketOnMoto, side: str, terms: dict[str, Any], call: int
) -> None:
    """Its first commit has handled the order; what is left of it must neither stand nor wait for the next order.

    Also if the next try fails as well, in a process that goes on.
    """

    def deny() -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "injected"}}, "Query")

    market.express_lane = True
    for number in range(5):
        if side == "bid":
            market.store_ask(100, 1)
        else:
            market.store_bid(100, 1, buyer=f"buyer-{number}")
    assert market.deliver(market.records).failed == []
    store = market.store_bid if side == "bid" else market.store_arriving_ask
    swept = store(100, 6, **({"post_only": False} if side == "ask" else {}), **terms)
    copy = copy_by_pipe(market.records[-1])
    with transactions_of(5):
        market.memory = HandledMemory()
        with suppress(Crash):
            market.deliver([copy], {call: "crash before"})
        market.deliver_until_handled([copy], {1: deny})
        market.calls.clear()
        assert market.deliver([copy]).second_copies == 1
    assert "transact_write_items" not in market.calls
    assert states(market.tables())[swept].filled == 5
    assert_all_is_done(market)
    assert all(order.immediate is None for order in (*market.tables().standing_bids, *market.tables().asks))


def test_the_second_copy_in_a_batch_is_none_and_the_first_says_where_it_comes_from(market: MarketOnMoto) -> None:
    """The Pipe's copy of a request has the trace of the order's placing, and came later."""
    listener = Listener()
    market.express_lane, market.live = True, live_of(listener, market.clock)
    bid = market.store_bid(90, 3, trace_id="b" * 32, received_at_ms=market.clock())
    assert market.deliver(market.records).failed == []
    ask = market.store_ask(110, 5)
    other = market.store_bid(80, 2)
    market.request("bid", bid, "CANCEL")
    crossing = market.store_ask(85, 1)
    first = [
        express(record, put_at_ms=number + 1, trace_id=f"{number + 1:032x}")
        for number, record in enumerate(market.records[1:])
    ]
    report = market.deliver([*first, *map(copy_by_pipe, market.records[1:])])
    assert (report.second_copies, report.orders, report.requests, len(report.to_stream_ms)) == (4, 1, 1, 3)
    told = {line["order_id"]: line for _, message in listener.events for line in message.get("orders", ())}
    assert [(told[name]["trace_id"], told[name]["hops"]["put_at_ms"]) for name in (ask, other, bid, crossing)] == [
        (f"{number:032x}", number) for number in (1, 2, 3, 4)
    ]
    later = ["sequenced_at_ms", "matched_at_ms", "committed_at_ms"]
    assert list(told[other]["hops"]) == list(told[crossing]["hops"]) == ["placed_at_ms", "put_at_ms", *later]
    assert list(told[ask]["hops"]) == ["placed_at_ms", "put_at_ms", *later[:2]], "there was nothing to commit"
    assert list(told[bid]["hops"]) == ["put_at_ms", *later], "a cancel's hops are not those of the placing"


@pytest.mark.parametrize("express_lane", [False, True])
def test_no_status_is_asked_for_without_an_express_lane_or_if_both_copies_come_at_once(
    market: MarketOnMoto, express_lane: bool
) -> None:
    market.express_lane = express_lane
    market.store_bid(100, 5)
    (record,) = market.records
    copies = [express(record, put_at_ms=1)] if express_lane else []
    report = market.deliver([copy_by_pipe(record), *copies])
    assert (report.commits, report.second_copies) == (1, len(copies))
    assert "batch_get_item" not in market.calls


@pytest.mark.parametrize("times", [0, -5, 10**15, True, "12", None, 1.5, [1]], ids=repr)
@pytest.mark.parametrize("trace_id", ["A" * 32, "0" * 32, "a" * 31, 7, None, ["a" * 32]], ids=repr)
def test_what_a_record_says_wrongly_of_its_way_is_not_known_and_refuses_nothing(
    market: MarketOnMoto, trace_id: object, times: object
) -> None:
    further: Any = {"trace_id": trace_id} if isinstance(trace_id, str) else {}
    if type(times) is int:
        further["received_at_ms"] = times
    bids = [market.store_bid(100, 5, **further) for _ in range(2)]
    said = {"trace_id": trace_id, "received_at_ms": times, "put_at_ms": times}
    data = json.loads(b64decode(market.records[-1]["kinesis"]["data"])) | {"trace": times}
    records = [express(market.records[0], **said), market.add_record("copper", json.dumps(data).encode())]
    report = market.deliver(records)
    assert (report.parked, report.failed, report.trace_ids) == (0, [], {})
    assert [states(market.tables())[bid].status for bid in bids] == ["NEW"] * 2
    assert all("hops" not in bid for bid in market.items("bids"))
    for record in records:
        trace = read_record(record["kinesis"]).trace
        assert (trace.trace_id, trace.received_at_ms, trace.put_at_ms) == (None, None, None)
    data["dynamodb"]["NewImage"]["received_at_ms"] = {"N": "1.5"}
    odd = market.add_record("copper", json.dumps(data).encode())
    assert read_record(odd["kinesis"]).trace.received_at_ms is None


def test_what_the_express_lane_lost_is_handled_when_the_pipe_brings_it(market: MarketOnMoto) -> None:
    market.express_lane, market.memory = True, HandledMemory()
    market.store_ask(100, 5)
    bid = market.store_bid(100, 5)
    assert market.deliver([copy_by_pipe(record) for record in market.records]).fills == 1
    assert states(market.tables())[bid].status == "FILLED"


@pytest.mark.parametrize("trouble", ["throttle", "lost answer", "answer in part"])
def test_an_order_is_handled_though_its_status_can_not_be_asked_for(
    market: MarketOnMoto, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.express_lane = True
    bid = market.store_bid(100, 5)
    records = [copy_by_pipe(record) for record in market.records]

    def answering_nothing(**asked: Any) -> Any:
        return {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}

    if trouble == "answer in part":
        monkeypatch.setattr(market.client, "batch_get_item", answering_nothing)
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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
