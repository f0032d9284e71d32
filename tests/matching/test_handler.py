"""The Lambda handler as deployed: environment variables in, partial failures and one log line out."""

from __future__ import annotations

import importlib
import json
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, cast

import botocore.session
import pytest

from functions.matching import material_work
from functions.matching.batch import BatchReport
from functions.matching.parking import parking_queue
from tests.matching.market_on_moto import TABLES, MarketOnMoto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from types_boto3_sqs import SQSClient

    Handler = Callable[[dict[str, Any], object], dict[str, list[dict[str, str]]]]


@pytest.fixture
def queue(market: MarketOnMoto) -> tuple[SQSClient, str]:
    session = botocore.session.get_session()
    session.set_credentials("test", "test")  # pyright: ignore[reportUnknownMemberType]
    client = cast("SQSClient", session.create_client("sqs", region_name="eu-central-1"))  # pyright: ignore[reportUnknownMemberType]
    return client, client.create_queue(QueueName="parked")["QueueUrl"]


@pytest.fixture
def handler(
    queue: tuple[SQSClient, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Handler]:
    variables = {
        "POWERTOOLS_SERVICE_NAME": request.node.name,  # loggers outlive a test
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "ENVIRONMENT": "test",
        "ASKS_TABLE": TABLES.asks,
        "SELL_ORDERS_TABLE": TABLES.sell_orders,
        "BIDS_TABLE": TABLES.bids,
        "STANDING_BIDS_TABLE": TABLES.standing_bids,
        "TAPE_TABLE": TABLES.tape,
        "PARKED_RECORDS_QUEUE_URL": queue[1],
        "MAKER_FEE_BPS": "10",
        "TAKER_FEE_BPS": "20",
        "SELF_TRADE_PREVENTION": "CANCEL_TAKER",
        "CURRENCY_DIGITS": "2",
        "EXPRESS_LANE": "1",
        "TRACING": "NONE",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def cold_start_and_invoke(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
        sys.modules.pop("functions.matcher", None)
        return importlib.import_module("functions.matcher").handler(event, context)

    yield cold_start_and_invoke
    sys.modules.pop("functions.matcher", None)


def test_a_batch_of_several_materials_and_a_poison_record(
    market: MarketOnMoto, handler: Handler, queue: tuple[SQSClient, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for material in ("copper", "wheat"):
        market.store_ask(100, 5, material)
        market.store_bid(100, 3, material)
    poison = market.add_record("copper", b"poison")
    assert handler({"Records": market.records}, None) == {"batchItemFailures": []}
    assert {bid.status for bid in market.tables().bids} == {"FILLED"}

    client, queue_url = queue
    (message,) = client.receive_message(QueueUrl=queue_url).get("Messages", [])
    parked = json.loads(message.get("Body", ""))
    assert b64decode(parked["data"]) == b"poison"
    assert parked["sequence_number"] == poison["kinesis"]["sequenceNumber"]
    assert "JSON" in parked["reason"]

    (line,) = capsys.readouterr().out.splitlines()
    figures = json.loads(line)
    assert (figures["records"], figures["fills"], figures["commits"], figures["parked"]) == (5, 2, 2, 1)
    assert poison["kinesis"]["data"] not in line
    assert "buyer-1" not in line


def test_the_log_line_has_each_hops_mean_and_longest_time_and_no_negative_one(market: MarketOnMoto) -> None:
    """The clocks of the API, the stream and the matcher may differ."""
    for placed_at_ms in (10**15 - 1, market.now_ms + 4, market.now_ms + 1):
        market.store_bid(100, 1, placed_at_ms=placed_at_ms)
        market.records[-1]["kinesis"]["approximateArrivalTimestamp"] = (market.now_ms + 5) / 1000
    market.now_ms = placed_at_ms
    report = market.deliver(market.records)
    assert [time == 0 for time in report.to_stream_ms] == [True, False, False]
    assert min(report.to_matcher_ms) == 0
    figures = BatchReport(received_at_ms=5, finished_at_ms=9, to_stream_ms=[0, 1, 5], publishing_ms=[3]).figures()
    times = {name: value for name, value in figures.items() if "_ms" in name}
    assert times == {
        "matching_ms": 4,
        "to_stream_ms_mean": 2,
        "to_stream_ms_longest": 5,
        "publishing_ms_mean": 3,
        "publishing_ms_longest": 3,
    }


def test_parking_makes_one_client_however_much_it_parks(market: MarketOnMoto, queue: tuple[SQSClient, str]) -> None:
    made: list[SQSClient] = []

    def client() -> SQSClient:
        made.append(queue[0])
        return queue[0]

    park = parking_queue(client, queue[1])
    assert made == []
    for _ in range(3):
        park(market.add_record("copper", b"poison"), "no reason")
    assert len(made) == 1


def test_a_failing_material_is_handed_back_and_named_in_the_log(
    market: MarketOnMoto, handler: Handler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    market.store_bid(100, 3, trace_id="a" * 32)
    market.store_bid(100, 3, trace_id="b" * 32)
    market.client.delete_table(TableName=TABLES.tape)
    first = market.records[0]["kinesis"]["sequenceNumber"]
    try:
        assert handler({"Records": market.records}, None) == {"batchItemFailures": [{"itemIdentifier": first}]}
    finally:
        market.client.create_table(
            TableName=TABLES.tape,
            KeySchema=[
                {"AttributeName": "material", "KeyType": "HASH"},
                {"AttributeName": "sequence", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "material", "AttributeType": "S"},
                {"AttributeName": "sequence", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    error, batch = map(json.loads, capsys.readouterr().out.splitlines())
    assert (error["level"], error["material"], batch["failed_materials"]) == ("ERROR", "copper", 1)
    assert error["trace_ids"] == batch["trace_ids"] == ["a" * 32, "b" * 32]


def test_the_log_names_the_trace_of_every_order_and_of_what_fails_those_alone_that_failed(
    market: MarketOnMoto, handler: Handler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`market trace` looks for an order's line, also of one among hundreds that came at once."""
    for number in range(150):
        market.store_bid(100, 1, "copper", trace_id=f"{number + 1:032x}")
    monkeypatch.setattr(material_work, "find_orders", None)  # what only a request needs
    market.request("bid", market.store_bid(100, 1, "wheat", trace_id="b" * 32), "CANCEL")
    handler({"Records": market.records}, None)
    error, batch = map(json.loads, capsys.readouterr().out.splitlines())
    assert batch["trace_ids"] == [*(f"{number + 1:032x}" for number in range(150)), "b" * 32]
    assert (error["material"], error["trace_ids"]) == ("wheat", ["b" * 32])
