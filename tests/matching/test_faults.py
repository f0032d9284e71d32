"""What the matcher does about others at work, a struggling DynamoDB and records that can not be processed."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from functions.matching.known_head import KnownHead
from functions.matching.material_work import MOST_ATTEMPTS
from patterns.dynamodb.items import encode_item
from tests.matching.market_on_moto import TABLES, insertion, modification
from tests.matching.test_matcher_against_reference import assert_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matching.market_on_moto import MarketOnMoto


def number(record: dict[str, Any]) -> str:
    return record["kinesis"]["sequenceNumber"]


def test_a_zombie_changes_nothing(market: MarketOnMoto) -> None:
    """Paused between reading and committing, while another invocation handles its batch and more."""
    market.store_ask(100, 5)
    market.store_bid(100, 3)
    batch = list(market.records)
    after: list[object] = []

    def others_work() -> None:
        market.store_bid(100, 4)
        market.deliver(market.records)
        after.append(market.tables())

    report = market.deliver(batch, {3: others_work})
    assert (report.commits, report.fills, report.duplicates, report.failed) == (0, 0, 1, [])
    assert [market.tables()] == after


def test_two_invocations_with_different_bids_take_turns_on_the_tape(market: MarketOnMoto) -> None:
    """They write no item in common but the tape's: its next number is all that stops the one that read too early."""
    market.store_bid(100, 3)
    market.store_bid(90, 3)
    first, second = market.records
    report = market.deliver([first], {2: lambda: market.deliver([second])})
    assert (report.commits, report.retries, report.failed) == (1, 1, [])
    assert [commit.sequence for commit in market.tables().tape] == [1, 2]
    assert_sound(market, quiet=True)


def test_two_warm_processes_that_each_hold_their_own_commit_for_the_last_lose_nothing(market: MarketOnMoto) -> None:
    """One works alone until it trusts its memory, then they take turns: a failed commit for the change, then none."""
    heads: tuple[dict[str, KnownHead], dict[str, KnownHead]] = ({}, {})
    retries: list[int] = []
    for process in (0, 0, 0, 1, 0, 1, 0, 1):
        market.store_ask(100, 2)
        market.store_bid(100, 1)
        market.heads = heads[process]
        report = market.deliver(market.records[-2:])
        assert (report.commits, report.fills, report.failed) == (1, 1, [])
        retries.append(report.retries)
    assert retries == [0, 0, 0, 0, 1, 0, 0, 0]
    assert [commit.sequence for commit in market.tables().tape] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert_sound(market, quiet=True)


@pytest.mark.parametrize("trouble", ["throttle", "conflict", "lost answer", "crash before", "crash after"])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_trouble_under_a_remembered_head_costs_nothing_but_another_try(
    market: MarketOnMoto, trouble: str, call: int
) -> None:
    market.heads = {}
    market.store_ask(100, 9)
    for _ in range(2):
        market.store_bid(100, 1)
        market.deliver(market.records[-1:])
    assert market.heads["copper"] == KnownHead(2, held=True)
    market.store_bid(100, 2)
    market.deliver_until_handled(market.records[-1:], {call: trouble})
    market.store_bid(100, 3)
    market.deliver_until_handled(market.records[-1:])
    assert [fill.quantity for commit in market.tables().tape for fill in commit.fills] == [1, 1, 2, 3]
    assert_sound(market, quiet=True)


def test_a_replayed_batch_costs_one_failed_transaction_and_a_few_reads(market: MarketOnMoto) -> None:
    market.store_ask(100, 120)
    for _ in range(120):
        market.store_bid(100, 1)
    market.deliver(market.records)
    before = market.tables()
    market.calls.clear()
    report = market.deliver(market.records)
    assert (report.duplicates, report.commits, report.failed) == (120, 0, [])
    assert market.calls == {"transact_write_items": 1, "batch_get_item": 1, "query": 5}
    assert market.tables() == before


@pytest.mark.parametrize("trouble", ["throttle", "conflict", "lost answer"])
@pytest.mark.parametrize("call", [0, 1, 2, 3])
def test_passing_trouble_is_waited_out_with_jitter(market: MarketOnMoto, trouble: str, call: int) -> None:
    market.store_ask(100, 5)
    market.store_bid(100, 3)
    report = market.deliver(market.records, {call: trouble})
    assert report.failed == []
    assert market.waits_s == [0.025]
    assert [bid.status for bid in market.tables().bids] == ["FILLED"]
    assert_sound(market, quiet=True)


@pytest.mark.parametrize("error", [ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError])
def test_a_connection_that_fails_once_is_tried_again(market: MarketOnMoto, error: type[BotoCoreError]) -> None:
    def fail() -> None:
        raise error(endpoint_url="https://dynamodb")

    market.store_bid(100, 1)
    assert market.deliver(market.records, {0: fail}).failed == []


def test_it_gives_up_on_a_silent_database_before_lambda_gives_up_on_it(market: MarketOnMoto) -> None:
    """Each call takes what the client's timeouts and attempts allow; the function has 60 s."""

    def be_silent() -> None:
        market.now_ms += 9_000
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    market.store_bid(100, 1)
    started_ms = market.now_ms
    report = market.deliver(market.records, dict.fromkeys(range(100), be_silent))
    assert report.failed == [number(market.records[0])]
    assert market.now_ms - started_ms < 45_000


def test_lasting_trouble_hands_back_one_material_and_holds_up_no_other(market: MarketOnMoto) -> None:
    market.store_bid(100, 1, "wheat")
    market.store_bid(100, 1, "copper")
    market.store_bid(100, 2, "wheat")
    calls_of_an_attempt = 4
    plan: dict[int, str | Callable[[], object]] = {
        attempt * calls_of_an_attempt + 3: "conflict" for attempt in range(MOST_ATTEMPTS)
    }
    report = market.deliver(market.records, plan)
    assert report.failed == [number(market.records[0])]
    assert market.waits_s == [0.025, 0.05, 0.1, 0.2, 0.4, 0.5]
    assert {bid.material: bid.status for bid in market.tables().bids} == {"wheat": "PENDING", "copper": "NEW"}
    market.deliver_until_handled(market.records)
    assert {bid.status for bid in market.tables().bids} == {"NEW"}


BID = {"material": "copper", "buyer": "b", "price_minor": 5, "quantity": 1, "placed_at_ms": 1, "status": "PENDING"}
ID = "00000001-0000-7000-8000-000000000000"


ASK = {"material": "copper", "seller": "s", "price_minor": 5, "quantity": 1, "placed_at_ms": 1, "status": "PENDING"}
OTHER_ID = ID.replace("1", "2")
REQUEST = {"request": "CANCEL", "request_id": OTHER_ID}
DUE = {"side": "SELL", "order_id": ID, "player": "s", "price_key": f"000000000100#{ID}"}


def _due(*orders: object) -> bytes:
    return json.dumps({"eventName": "EXPIRE", "material": "copper", "orders": orders}).encode()


def _with_extra(attribute: dict[str, object]) -> bytes:
    record = json.loads(insertion({**BID, "bid_id": ID, "order_key": ID}))
    record["dynamodb"]["NewImage"]["extra"] = attribute
    return json.dumps(record).encode()


POISON: dict[str, bytes] = {
    "not JSON": b"\x00\xff",
    "deep nesting": b"[" * 9000,
    "no image": b'{"eventName": "INSERT", "dynamodb": {}}',
    "image is a list": b'{"eventName": "INSERT", "dynamodb": {"NewImage": []}}',
    "a change, not an insertion": insertion({**BID, "bid_id": ID, "order_key": ID}).replace(b"INSERT", b"MODIFY"),
    "no material": insertion({"bid_id": ID, "order_key": ID}),
    "look-alike material": insertion({**BID, "bid_id": ID, "order_key": ID, "material": "сopper"}),
    "neither ask nor bid": insertion({**BID}),
    "id is no UUID": insertion({**BID, "bid_id": "17", "order_key": "17"}),
    "key of another bid": insertion({**BID, "bid_id": ID, "order_key": ID.replace("1", "2")}),
    "quantity 0": insertion({**BID, "bid_id": ID, "order_key": ID, "quantity": 0}),
    "quantity 1.5": insertion({**BID, "bid_id": ID, "order_key": ID}).replace(b'{"N": "1"}', b'{"N": "1.5"}'),
    "price of 13 digits": insertion({**BID, "bid_id": ID, "order_key": ID, "price_minor": 10**12}),
    "number as text": insertion({**BID, "bid_id": ID, "order_key": ID, "quantity": "1"}),
    "empty buyer": insertion({**BID, "bid_id": ID, "order_key": ID, "buyer": ""}),
    "half a character": insertion({**BID, "bid_id": ID, "order_key": ID, "buyer": "\ud800"}),
    "nested attribute": insertion({**BID, "bid_id": ID, "order_key": ID, "extra": ["x"]}),
    "number where text is said": _with_extra({"S": 5}),
    "text where a boolean is said": _with_extra({"BOOL": "yes"}),
    "text that is no number": _with_extra({"N": "many"}),
    "two types at once": _with_extra({"S": "x", "N": "1"}),
    "no type": _with_extra({}),
    "half a character aside": _with_extra({"S": "\ud800"}),
    "huge": insertion({**BID, "bid_id": ID, "order_key": ID, "extra": "x" * 20_000}),
    "a bid nobody stored": insertion({**BID, "bid_id": ID, "order_key": ID}),
    "a bid that is not new": insertion({**BID, "bid_id": ID, "order_key": ID, "status": "NEW"}),
    "time in force of another world": insertion({**BID, "bid_id": ID, "order_key": ID, "time_in_force": "GTX"}),
    "a flag that is text": insertion({**BID, "bid_id": ID, "order_key": ID, "post_only": "yes"}),
    "an arriving ask nobody stored": insertion({**ASK, "ask_id": ID, "order_key": ID}),
    "an ask that replaces no id": insertion({**ASK, "ask_id": ID, "order_key": ID, "replaces": "17"}),
    "a request without an id": modification(encode_item({**BID, "bid_id": ID, "order_key": ID})),
    "a request for a bid nobody stored": modification(encode_item({**BID, "bid_id": ID, "order_key": ID, **REQUEST})),
    "a request for an ask nobody stored": modification(encode_item({**ASK, "ask_id": ID, "order_key": ID, **REQUEST})),
    "a request under another key": modification(encode_item({**BID, "bid_id": ID, "order_key": OTHER_ID, **REQUEST})),
    "no order is due": _due(),
    "too many orders are due": _due(*[DUE] * 101),
    "an order nobody stored is due": _due(DUE),
    "an order of a third side is due": _due({**DUE, "side": "HOLD"}),
    "an order in another's place is due": _due({**DUE, "price_key": f"000000000100#{OTHER_ID}"}),
    "a text is due": _due("all"),
}


@pytest.mark.parametrize("data", POISON.values(), ids=POISON.keys())
def test_a_record_that_can_not_be_processed_is_parked_and_blocks_nobody(market: MarketOnMoto, data: bytes) -> None:
    market.orders = 10
    market.store_ask(100, 1)
    poison = market.add_record("copper", data)
    market.store_bid(100, 1)
    report = market.deliver(market.records)
    assert report.failed == []
    assert [sequence_number for sequence_number, _ in market.parked] == [number(poison)]
    assert [bid.status for bid in market.tables().bids] == ["FILLED"]
    assert_sound(market, quiet=True)


def test_a_record_that_can_not_be_parked_is_handed_back(market: MarketOnMoto) -> None:
    poison = market.add_record("copper", b"?")
    market.park_fails = True
    assert market.deliver(market.records).failed == [number(poison)]
    market.park_fails = False
    assert market.deliver(market.records).failed == []


@pytest.mark.parametrize("refusal", ["ValidationError", "ValidationException", "SerializationException"])
def test_a_bid_dynamodb_never_accepts_is_found_and_parked(
    market: MarketOnMoto, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    market.store_ask(100, 10)
    for _ in range(5):
        market.store_bid(100, 1)
    poison = market.records[3]
    bid_id = json.loads(b64decode(poison["kinesis"]["data"]))["dynamodb"]["NewImage"]["bid_id"]["S"]
    transact = market.client.transact_write_items

    def refusing(**arguments: Any) -> Any:
        invalid = [bid_id in json.dumps(action, default=str) for action in arguments["TransactItems"]]
        if not any(invalid):
            return transact(**arguments)
        if refusal != "ValidationError":
            raise ClientError(cast("Any", {"Error": {"Code": refusal}}), "TransactWriteItems")
        reasons = [{"Code": refusal if each else "None"} for each in invalid]
        response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise ClientError(cast("Any", response), "TransactWriteItems")

    monkeypatch.setattr(market.client, "transact_write_items", refusing)
    report = market.deliver(market.records)
    assert report.failed == []
    assert [sequence_number for sequence_number, _ in market.parked] == [number(poison)]
    assert sorted(bid.status for bid in market.tables().bids) == ["FILLED"] * 4 + ["PENDING"]


@pytest.mark.parametrize("stored", ["can never be handled", "can never be committed"])
def test_a_request_that_brings_a_poison_order_with_it_is_parked(
    market: MarketOnMoto, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    """The order's own record never came, so the request's makes the matcher take it from the table."""
    bid_id = market.store_bid(100, 1, fee_bps=99_999 if stored == "can never be handled" else 10)
    request = market.request("bid", bid_id, "CANCEL")
    transact = market.client.transact_write_items

    def refusing(**arguments: Any) -> Any:
        if bid_id in json.dumps(arguments, default=str):
            raise ClientError(cast("Any", {"Error": {"Code": "ValidationException"}}), "TransactWriteItems")
        return transact(**arguments)

    monkeypatch.setattr(market.client, "transact_write_items", refusing)
    other = market.store_arriving_ask(100, 1, post_only=True)
    report = market.deliver([request, market.records[-1]])
    assert report.failed == []
    assert [sequence_number for sequence_number, _ in market.parked] == [number(request)]
    assert [ask.ask_id for ask in market.tables().asks] == [other]


def test_one_bid_twice_in_a_batch_is_one_bid(market: MarketOnMoto) -> None:
    market.store_ask(100, 5)
    market.store_bid(100, 2)
    report = market.deliver([*market.records, *market.records])
    assert (report.fills, report.second_copies) == (1, 2)


def test_a_replayed_bid_that_stands_is_not_placed_again(market: MarketOnMoto) -> None:
    market.store_bid(100, 5)
    market.deliver(market.records)
    market.store_ask(100, 2)
    report = market.deliver(market.records)
    assert (report.fills, report.duplicates) == (1, 1)
    assert [(bid.filled, bid.status) for bid in market.tables().bids] == [(2, "PARTIALLY_FILLED")]


def test_an_error_no_try_can_change_is_not_tried_again(market: MarketOnMoto) -> None:
    market.store_bid(100, 5)
    denied = ClientError(cast("Any", {"Error": {"Code": "AccessDeniedException"}}), "Query")

    def deny() -> None:
        raise denied

    report = market.deliver(market.records, {0: deny})
    assert (report.failed, report.errors, market.waits_s) == ([number(market.records[0])], {"copper": denied}, [])


def test_the_stored_bid_decides_whether_a_record_is_new(market: MarketOnMoto) -> None:
    item = {**market.bid_item(100, 1), "status": "NEW"}
    market.client.put_item(TableName=TABLES.bids, Item=encode_item(item))
    market.add_record("copper", insertion({**item, "status": "PENDING"}))
    assert market.deliver(market.records).duplicates == 1
    assert market.tables().tape == ()
