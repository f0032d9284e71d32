"""Events and failure messages have AWS's shape."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from local.delivery.mappings import Batching
from tests.delivery.world import DYNAMODB, FUNCTION, KINESIS, STREAM, TABLE_STREAM, World, mapping, of

if TYPE_CHECKING:
    from local.delivery.mappings import Source
    from local.delivery.records import Json

SHARD = "shardId-000000000000"
CONSUMER = f"{STREAM}/consumer/matcher:1700000000"


@pytest.mark.parametrize("source", [KINESIS, replace(KINESIS, arn=CONSUMER)])
def test_a_kinesis_event(source: Source) -> None:
    events: list[Json] = []
    world = World(of(mapping(Batching(10), source=source)), events.append)
    record = world.streams.put(STREAM, "copper", b"\x00data")
    world.run()
    assert events == [
        {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": "copper",
                        "sequenceNumber": record.sequence_number,
                        "data": base64.b64encode(b"\x00data").decode(),
                        "approximateArrivalTimestamp": 1_700_000_000.0,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": f"{SHARD}:{record.sequence_number}",
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": "arn:aws:iam::123456789012:role/matcher",
                    "awsRegion": "eu-west-1",
                    "eventSourceARN": source.arn,
                }
            ]
        }
    ]


def test_a_dynamodb_event() -> None:
    events: list[Json] = []
    world = World(of(mapping(Batching(10), source=DYNAMODB)), events.append)
    number = world.bid("1")
    world.run()
    (record,) = cast("list[dict[str, object]]", events[0]["Records"])
    assert record.keys() == {
        "eventID",
        "eventName",
        "eventVersion",
        "eventSource",
        "awsRegion",
        "dynamodb",
        "eventSourceARN",
    }
    assert record["eventSourceARN"] == TABLE_STREAM
    change = cast("dict[str, object]", record["dynamodb"])
    assert change["SequenceNumber"] == number
    assert change["ApproximateCreationDateTime"] == 1_700_000_000
    assert change["NewImage"] == {"bid_id": {"S": "1"}, "material": {"S": "copper"}}


def test_the_message_about_discarded_kinesis_records() -> None:
    def handler(event: Json) -> None:
        raise ValueError("poison")

    world = World(of(mapping(Batching(10, maximum_retries=2))), handler)
    numbers = world.put("ab")
    world.clock.advance(45)
    numbers += world.put("c")
    world.run()
    (message,) = world.discarded()
    assert message == {
        "requestContext": {
            "requestId": "request-3",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.075Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.000Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.045Z",
            "batchSize": 3,
            "streamArn": STREAM,
        },
    }


def test_the_message_about_discarded_dynamodb_records() -> None:
    def handler(event: Json) -> None:
        raise ValueError("poison")

    world = World(of(mapping(Batching(10, maximum_retries=0), source=DYNAMODB)), handler)
    number = world.bid("1")
    world.run()
    (message,) = world.discarded()
    assert message["DDBStreamBatchInfo"] == {
        "shardId": SHARD,
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20Z",
        "approximateArrivalOfLastRecord": "2023-11-14T22:13:20Z",
        "batchSize": 1,
        "streamArn": TABLE_STREAM,
    }
