"""A player's answers and orders are the same, whatever the stream says to the API; and who runs the market is told."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from unittest import mock

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws

from functions.api import order_marks
from functions.api.express_lane import kinesis_client
from tests.api.front_door import RECEIVED_AT_MS, FrontDoor, TestClock, opened

if TYPE_CHECKING:
    from collections.abc import Generator

    from types_boto3_kinesis import KinesisClient

A_SECOND_MS = 1000
STREAM = "orders"


def _refusal(code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}}
    return ClientError(answer, "PutRecord")


TROUBLES: Final[dict[str, tuple[Exception, bool]]] = {
    "throttled": (_refusal("ProvisionedThroughputExceededException"), False),
    "no such stream": (_refusal("ResourceNotFoundException"), False),
    "no rights": (_refusal("AccessDeniedException"), False),
    "broken": (_refusal("InternalFailure"), False),
    "silent": (ReadTimeoutError(endpoint_url="https://kinesis"), True),
    "slow to connect": (ConnectTimeoutError(endpoint_url="https://kinesis"), True),
    "not there": (EndpointConnectionError(endpoint_url="https://kinesis"), True),
    "hanging up": (ConnectionClosedError(endpoint_url="https://kinesis"), True),
    "no credentials": (NoCredentialsError(), True),
    "a defect": (TypeError("unexpected"), True),
}
"""What putting a record raises, and whether the lane waits a while before it puts the next one."""


@dataclass
class Stream:
    """The orders stream as a client sees it.

    `trouble` is what putting a record raises, `once` the next time only; each put takes so many milliseconds.
    """

    trouble: Exception | None = None
    put_takes_ms: int = 0
    clock: TestClock = field(default_factory=TestClock)
    once: Exception | None = None
    attempts: int = 0
    records: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def put_record(self, *, StreamName: str, Data: bytes, PartitionKey: str) -> dict[str, Any]:  # noqa: N803
        """Take a record, or raise."""
        assert (StreamName, PartitionKey) == (STREAM, "copper")
        self.attempts += 1
        self.clock.now_ms += self.put_takes_ms
        if self.once is not None:
            trouble, self.once = self.once, None
            raise trouble
        if self.trouble is not None:
            raise self.trouble
        self.records.append(json.loads(Data))
        return {}


@contextmanager
def market_with(stream: object, service: str = "express") -> Generator[FrontDoor]:
    """Open a market whose orders go to a stream, a client of Kinesis."""
    client = cast("KinesisClient", stream)
    with opened(service, kinesis=lambda: client, ORDERS_STREAM_NAME=STREAM) as market:
        market.clock.step_ms = 0
        if isinstance(stream, Stream):
            stream.clock = market.clock
        yield market


ORDER: dict[str, object] = {"material": "copper", "quantity": 3, "price": "12.50"}


def a_day(market: FrontDoor) -> list[tuple[int, dict[str, Any]]]:
    """Place, repeat, change and cancel orders of both sides; returns the answers."""
    replies: list[tuple[int, dict[str, Any]]] = []

    def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
        reply = market.send(method, path, body)
        replies.append((reply.status, reply.body))
        market.clock.now_ms += A_SECOND_MS
        return reply.body

    for side in ("asks", "bids"):
        first = ask("POST", f"/{side}", ORDER | {"client_order_id": "a"})
        ask("POST", f"/{side}", ORDER | {"client_order_id": "a"})
        ask("POST", f"/{side}", ORDER | {"post_only": True})
        ask("POST", f"/{side}", ORDER | {"quantity": 0})
        ask("PATCH", f"/{side}/{first['id']}", {"quantity": 2})
        ask("PATCH", f"/{side}/{first['id']}", {"price": "13.00", "client_order_id": "b"})
        ask("PATCH", f"/{side}/{first['id']}", {"price": "13.00", "client_order_id": "b"})
        ask("DELETE", f"/{side}/{first['id']}")
        ask("DELETE", f"/{side}")
        ask("GET", f"/{side}")
    return replies


PUTS = 2 * (2 + 1 + 1 + 1 + 3)
"""Of a day: the orders placed, the mark and the new order of the changes, the marks of both ways to cancel."""


def test_each_change_is_put_once_and_repeated_or_refused_requests_put_nothing() -> None:
    stream = Stream()
    with market_with(stream) as market:
        a_day(market)
    assert len(stream.records) == PUTS
    orders = [record["dynamodb"]["NewImage"] for record in stream.records if record["eventName"] == "INSERT"]
    assert len({image["ask_id" if "ask_id" in image else "bid_id"]["S"] for image in orders}) == len(orders) == 6


@pytest.mark.parametrize("name", TROUBLES)
def test_answers_and_orders_are_the_same_whatever_the_stream_says(name: str) -> None:
    with opened("express") as market:
        market.clock.step_ms = 0
        expected = a_day(market), market.stored()
    stream = Stream(TROUBLES[name][0])
    with market_with(stream) as market:
        found = a_day(market), market.stored()
    assert found == expected
    assert 0 < stream.attempts <= PUTS * (2 if name == "hanging up" else 1)
    assert not stream.records


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_left_to_the_pipe_is_counted_and_a_silent_stream_is_left_alone_for_a_second(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble, pauses = TROUBLES[name]
    stream, service = Stream(trouble, put_takes_ms=400), f"express-{name.replace(' ', '-')}"
    with market_with(stream, service) as market:
        for _ in range(3):
            market.send("POST", "/bids", ORDER)
        assert stream.attempts == ((2 if name == "hanging up" else 1) if pauses else 3)
        market.clock.now_ms += A_SECOND_MS - 1
        market.send("POST", "/bids", ORDER)
        market.clock.now_ms += 1
        stream.trouble = None
        bid = market.send("POST", "/bids", ORDER).body
        assert [record["dynamodb"]["Keys"]["order_key"]["S"] for record in stream.records] == [bid["id"]]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failures = [line for line in lines if line["message"] == "left to the pipe"]
    assert [line["ExpressFailures"] for line in failures] == [1] * 4
    told = trouble.response.get("Error", {}).get("Code") if isinstance(trouble, ClientError) else type(trouble).__name__
    assert [line["reason"] for line in failures] == [told, *["Paused" if pauses else told] * 3]
    for line, request in zip(failures, (line for line in lines if line["message"] == "request"), strict=False):
        assert line["trace_id"] == request["trace_id"]
        assert {name: line[name] for name in ("service", "environment")} == {"service": service, "environment": "test"}
        assert line["_aws"] == {
            "Timestamp": line["_aws"]["Timestamp"],
            "CloudWatchMetrics": [
                {
                    "Namespace": "CommoditiesMarket",
                    "Dimensions": [["service", "environment"]],
                    "Metrics": [{"Name": "ExpressFailures", "Unit": "Count"}],
                }
            ],
        }


def test_canceling_many_orders_waits_for_a_silent_stream_once_a_thread_at_most() -> None:
    stream = Stream()
    with market_with(stream) as market:
        for _ in range(40):
            market.send("POST", "/asks", ORDER)
        stream.trouble, stream.attempts = TROUBLES["silent"][0], 0
        reply = market.send("DELETE", "/asks")
        assert (reply.status, len(reply.body["requested"])) == (202, 40)
        assert 1 <= stream.attempts <= 8


def test_a_player_who_cancels_many_orders_waits_two_seconds_for_a_slow_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = Stream()
    with market_with(stream, "express-slow") as market:
        for _ in range(40):
            market.send("POST", "/asks", ORDER)
        stream.attempts, stream.put_takes_ms = 0, 300
        capsys.readouterr()
        with mock.patch.object(order_marks, "_AT_A_TIME", 1):
            reply = market.send("DELETE", "/asks", traceparent=f"00-{'7' * 32}-{'8' * 16}-01")
        assert (reply.status, len(reply.body["requested"])) == (202, 40)
        assert stream.attempts == 2000 // 300 + 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        late = [line for line in lines if line["message"] == "left to the pipe"]
        assert len(late) == 40 - stream.attempts
        assert {(line["reason"], line["trace_id"]) for line in late} == {("Late", "7" * 32)}
        stream.attempts = 0
        market.send("POST", "/asks", ORDER)
        assert stream.attempts == 1, "the next request begins anew"


def test_a_kept_connection_that_was_closed_meanwhile_loses_no_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda sleeps between two requests; Kinesis does not wait for it."""
    stream = Stream(once=ConnectionClosedError(endpoint_url="https://kinesis"))
    with market_with(stream, "express-closed") as market:
        bids = [market.send("POST", "/bids", ORDER).body["id"] for _ in range(2)]
    assert [record["dynamodb"]["Keys"]["order_key"]["S"] for record in stream.records] == bids
    assert "left to the pipe" not in capsys.readouterr().out


def test_a_clock_that_is_set_back_pauses_nothing() -> None:
    stream = Stream(once=TROUBLES["silent"][0])
    with market_with(stream) as market:
        market.send("POST", "/bids", ORDER)
        market.clock.now_ms -= 3_600_000
        bid = market.send("POST", "/bids", ORDER).body["id"]
    assert [record["dynamodb"]["Keys"]["order_key"]["S"] for record in stream.records] == [bid]


def test_a_mark_carries_the_trace_of_the_request_that_asks_for_it() -> None:
    stream = Stream()
    with market_with(stream) as market:
        bid = market.send("POST", "/bids", ORDER, traceparent=f"00-{'7' * 32}-{'8' * 16}-01").body["id"]
        market.send("DELETE", f"/bids/{bid}", traceparent=f"00-{'9' * 32}-{'8' * 16}-01")
    placed, marked = stream.records
    times = {"received_at_ms": RECEIVED_AT_MS, "put_at_ms": market.clock.now_ms}
    assert [placed["trace"], marked["trace"]] == [{"trace_id": one * 32, **times} for one in "79"]
    assert marked["dynamodb"]["NewImage"]["trace_id"]["S"] == "7" * 32


def test_a_put_is_tried_once_and_not_waited_for_longer_than_the_pipe_takes() -> None:
    configuration = cast("Any", kinesis_client().meta.config)
    assert configuration.connect_timeout + configuration.read_timeout < 1
    assert configuration.retries["total_max_attempts"] == 1


def test_the_stream_of_aws_takes_it() -> None:
    """As far as moto knows it."""
    with mock_aws():
        client = kinesis_client()
        client.create_stream(StreamName=STREAM, ShardCount=1)
        with market_with(client) as market:
            ask = market.send("POST", "/asks", ORDER).body
        shard = client.list_shards(StreamName=STREAM)["Shards"][0]["ShardId"]
        position = client.get_shard_iterator(StreamName=STREAM, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        (record,) = client.get_records(ShardIterator=position["ShardIterator"])["Records"]
        found = cast("dict[str, Any]", record)
        image = json.loads(found["Data"])["dynamodb"]["NewImage"]
        assert (found["PartitionKey"], image["ask_id"]["S"]) == ("copper", ask["id"])
