"""Where records go that can never be processed: whole, to a queue, so that they block nobody and lose nothing."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_sqs import SQSClient

Park: TypeAlias = "Callable[[Mapping[str, Any], str], None]"
"""Stores one record of a Lambda event with the reason; raises if it could not."""

_LONGEST_DATA = 200_000
"""Characters; a message may have 256 KiB (a queue's default limit until 2025, so the safe one)."""


def parking_queue(client: Callable[[], SQSClient], queue_url: str) -> Park:
    """Return a `Park` that sends to a queue.

    Parameters
    ----------
    client
        Returns the client; called once, when the first record is parked: almost no invocation needs it.
    queue_url
        The parked records queue.

    Returns
    -------
    Park
        The message is JSON: ``reason``, ``stream_arn``, ``partition_key``, ``sequence_number``,
        ``arrived_at`` (epoch seconds), ``data`` (base64, cut where a message ends) and ``data_length``.
    """

    made_once = cache(client)

    def park(record: Mapping[str, Any], reason: str) -> None:
        kinesis: Mapping[str, Any] = record["kinesis"]
        message = {
            "reason": reason,
            "stream_arn": record.get("eventSourceARN"),
            "partition_key": kinesis["partitionKey"],
            "sequence_number": kinesis["sequenceNumber"],
            "arrived_at": kinesis["approximateArrivalTimestamp"],
            "data": kinesis["data"][:_LONGEST_DATA],
            "data_length": len(kinesis["data"]),
        }
        made_once().send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))

    return park
