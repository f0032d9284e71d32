"""The expirer: every order that is past its time is told to the matcher, whatever the stream refuses meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.expiry_records import ORDERS_PER_RECORD, Expirer, ExpiryReport, Side, StreamRefusedError
from patterns.dynamodb.retries import Retries
from tests.matching.market_on_moto import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_kinesis import KinesisClient

    from tests.matching.market_on_moto import MarketOnMoto

SIDES = (Side("SELL", TABLES.asks, "ask_id", "seller"), Side("BUY", TABLES.standing_bids, "bid_id", "buyer"))


@dataclass
class Stream:
    """Takes records; a trouble is raised, or is the positions of the records that call refuses."""

    troubles: list[Exception | Sequence[int]] = field(default_factory=list["Exception | Sequence[int]"])
    records: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: set[str] = field(default_factory=set[str])
    calls: int = 0

    def put_records(self, *, StreamName: str, Records: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        assert StreamName == "orders"
        trouble = self.troubles.pop(0) if self.troubles else ()
        if isinstance(trouble, Exception):
            raise trouble
        taken = [record for position, record in enumerate(Records) if position not in trouble]
        self.records += [json.loads(record["Data"]) for record in taken]
        self.keys |= {record["PartitionKey"] for record in taken}
        code = "ProvisionedThroughputExceededException"
        return {"Records": [{"ErrorCode": code} if n in trouble else {} for n in range(len(Records))]}

    def orders(self) -> list[tuple[str, str, str]]:
        return [(r["material"], o["side"], o["order_id"]) for r in self.records for o in r["orders"]]


def expire(market: MarketOnMoto, stream: Stream, pages: int = 100) -> ExpiryReport:
    left = iter([True] * pages)
    expirer = Expirer(
        dynamodb=market.client,
        sides=SIDES,
        kinesis=cast("KinesisClient", stream),
        stream_name="orders",
        clock=market.clock,
        retries=Retries(sleep=market.waits_s.append, random=lambda: 0.5, attempts=3, first_wait_ms=100),
    )
    return expirer.run(["copper", "wheat"], lambda: next(left, False))


def test_it_tells_which_orders_are_due_and_nothing_of_the_others(market: MarketOnMoto) -> None:
    due = market.now_ms + 50
    market.store_ask(100, 5)
    ask = market.store_ask(100, 5, expires_at_ms=due)
    market.store_ask(100, 5, expires_at_ms=due + 10_000)
    wheat = market.store_bid(90, 5, "wheat", time_in_force="GTD", expires_at_ms=due)
    market.store_bid(90, 5, "wheat")
    market.deliver(market.records)
    stream = Stream()
    assert expire(market, stream) == ExpiryReport()
    market.now_ms = due
    assert expire(market, stream) == ExpiryReport(orders=2, records=2)
    assert stream.orders() == [("copper", "SELL", ask), ("wheat", "BUY", wheat)]
    assert stream.keys == {"copper", "wheat"}
    (sale,) = stream.records[0]["orders"]
    assert (stream.records[0]["eventName"], sale["player"]) == ("EXPIRE", "seller-1")
    assert sale["price_key"] == f"000000000100#{ask}"


def test_a_thousand_orders_go_in_records_of_a_hundred_and_a_run_ends_in_time(market: MarketOnMoto) -> None:
    due = market.now_ms
    asks = [market.store_ask(100, 1, expires_at_ms=due) for _ in range(1030)]
    stream = Stream()
    assert expire(market, stream, pages=1) == ExpiryReport(orders=1000, records=10, finished=False)
    assert expire(market, stream) == ExpiryReport(orders=1030, records=11)
    assert all(len(record["orders"]) <= ORDERS_PER_RECORD for record in stream.records)
    assert {order_id for _, _, order_id in stream.orders()} == set(asks)


def test_what_the_stream_refuses_is_put_again_and_nothing_else(market: MarketOnMoto) -> None:
    asks = [market.store_ask(100, 1, expires_at_ms=market.now_ms) for _ in range(250)]
    throttled = ClientError(cast("Any", {"Error": {"Code": "ProvisionedThroughputExceededException"}}), "PutRecords")
    stream = Stream(troubles=[throttled, [1]])
    assert expire(market, stream) == ExpiryReport(orders=250, records=3)
    assert sorted(order_id for _, _, order_id in stream.orders()) == sorted(asks)
    assert market.waits_s == [0.05, 0.1]


@pytest.mark.parametrize(
    ("trouble", "calls", "raised"),
    [
        ([0], 3, StreamRefusedError),
        (ReadTimeoutError(endpoint_url="https://kinesis"), 3, ReadTimeoutError),
        (ClientError(cast("Any", {"Error": {"Code": "AccessDeniedException"}}), "PutRecords"), 1, ClientError),
    ],
)
def test_lasting_trouble_fails_the_run_and_the_next_one_makes_up_for_it(
    market: MarketOnMoto, trouble: Exception | Sequence[int], calls: int, raised: type[Exception]
) -> None:
    market.store_ask(100, 1, expires_at_ms=market.now_ms)
    stream = Stream(troubles=[trouble] * 3)
    with pytest.raises(raised):
        expire(market, stream)
    assert stream.calls == calls
    stream.troubles.clear()
    assert expire(market, stream) == ExpiryReport(orders=1, records=1)


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 50_000


def test_the_handler_puts_real_records(
    market: MarketOnMoto, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = botocore.session.get_session()
    session.set_credentials("test", "test")  # pyright: ignore[reportUnknownMemberType]
    kinesis = cast("KinesisClient", session.create_client("kinesis", region_name="eu-central-1"))  # pyright: ignore[reportUnknownMemberType]
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    variables = {
        "POWERTOOLS_SERVICE_NAME": "expirer",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "ENVIRONMENT": "test",
        "ASKS_TABLE": TABLES.asks,
        "STANDING_BIDS_TABLE": TABLES.standing_bids,
        "ORDERS_STREAM": "orders",
        "MATERIALS": "copper,wheat",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ask = market.store_ask(100, 5, expires_at_ms=market.now_ms)

    from functions.expiry import handler  # noqa: PLC0415  # reads the environment

    handler({}, _Context())
    shard = kinesis.list_shards(StreamName="orders")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert [order["order_id"] for order in json.loads(record["Data"])["orders"]] == [ask]
    line = json.loads(capsys.readouterr().out)
    assert (line["orders"], line["records"], line["finished"]) == (1, 1, True)
