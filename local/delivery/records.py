"""Stream records, and the events AWS makes of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.delivery.mappings import Source

Json: TypeAlias = "Mapping[str, object]"


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """A record of a Kinesis data stream.

    Attributes
    ----------
    sequence_number : str
        Decimal digits, increasing within a shard.
    partition_key : str
        The key whose records stay in order.
    arrival_ms : int
        Approximate arrival, epoch milliseconds.
    data : bytes
        The payload as it was put.
    """

    sequence_number: str
    partition_key: str
    arrival_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DynamoDBRecord:
    """A record of a DynamoDB stream.

    Attributes
    ----------
    sequence_number : str
        Decimal digits, increasing within a shard.
    partition_key : str
        The item's whole primary key in canonical JSON: with several concurrent batches a shard, Lambda keeps the order
        "at the item (partition and sort key) level" (AWS Lambda Developer Guide, "Polling and batching streams").
    arrival_ms : int
        Approximate creation of the change, epoch milliseconds; AWS rounds it to the second.
    document : Mapping[str, object]
        The stream record as JSON values: binary as base64 text, times as epoch seconds.
    """

    sequence_number: str
    partition_key: str
    arrival_ms: int
    document: Json


StreamRecord: TypeAlias = KinesisRecord | DynamoDBRecord


def canonical_key(keys: object) -> str:
    """Return the canonical JSON text of an item's primary key, used to keep its changes in order."""
    return json.dumps(keys, sort_keys=True, separators=(",", ":"))


def lambda_event_record(record: StreamRecord, source: Source, shard_id: str, role_arn: str) -> Json:
    """Return one element of the `Records` a function receives.

    Shapes: AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams" and
    "Using AWS Lambda with Amazon DynamoDB".

    Parameters
    ----------
    record : StreamRecord
        The record read.
    source : Source
        Where it was read; its ARN (the consumer's, with enhanced fan-out) becomes `eventSourceARN`.
    shard_id : str
        The shard, part of a Kinesis `eventID`.
    role_arn : str
        The function's execution role, Kinesis' `invokeIdentityArn`.
    """
    if isinstance(record, DynamoDBRecord):
        return {**record.document, "eventSourceARN": source.arn}
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "data": base64.b64encode(record.data).decode("ascii"),
            "approximateArrivalTimestamp": record.arrival_ms / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role_arn,
        "awsRegion": source.region,
        "eventSourceARN": source.arn,
    }


def pipe_event(record: StreamRecord, source: Source, shard_id: str, role_arn: str) -> Json:
    """Return the event a pipe carries for a record: a function's, with Kinesis' own fields not nested.

    Shapes: Amazon EventBridge User Guide, "Amazon DynamoDB stream as a source for EventBridge Pipes" and "Amazon
    Kinesis stream as a source for EventBridge Pipes". Parameters as in `lambda_event_record`.
    """
    event = lambda_event_record(record, source, shard_id, role_arn)
    if isinstance(record, DynamoDBRecord):
        return event
    return {**cast("Json", event["kinesis"]), **{name: value for name, value in event.items() if name != "kinesis"}}
