"""Messages about discarded records, as AWS sends them to an on-failure destination or dead-letter queue.

They hold positions, not records. Shapes: AWS Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data
Streams event source in Lambda" and "Retain discarded records for a DynamoDB event source in Lambda"; Amazon EventBridge
User Guide, "Amazon EventBridge Pipes error handling and troubleshooting".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.delivery.mappings import Pipe

if TYPE_CHECKING:
    from local.delivery.mappings import EventSourceMapping
    from local.delivery.records import Json
    from local.delivery.shard import Delivery


def failure_message(mapping: EventSourceMapping | Pipe, shard_id: str, discard: Delivery, now_ms: int) -> Json:
    """Return the message about a discard.

    Parameters
    ----------
    mapping : EventSourceMapping | Pipe
        What discards.
    shard_id : str
        The shard read.
    discard : Delivery
        The discarded entries, with their condition.
    now_ms : int
        Epoch milliseconds.
    """
    where: Json = {"version": "1.0", "timestamp": _iso(now_ms), **_batch_info(mapping, shard_id, discard)}
    if isinstance(mapping, Pipe):
        return {"context": {"partnerResourceArn": mapping.arn, "condition": discard.condition}, **where}
    failure = discard.batch.last_failure
    first = discard.entries[0].record.sequence_number
    request_id = (failure and failure.request_id) or str(
        uuid.uuid5(uuid.NAMESPACE_URL, f"{mapping.mapping_id}/{first}")
    )
    request = {
        "requestId": request_id,
        "functionArn": mapping.function,
        "condition": discard.condition,
        "approximateInvokeCount": discard.batch.attempts,
    }
    if failure is None:
        return {"requestContext": request, **where}
    response = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": failure.function_error}
    return {"requestContext": request, "responseContext": response, **where}


def _batch_info(mapping: EventSourceMapping | Pipe, shard_id: str, discard: Delivery) -> Json:
    records = [entry.record for entry in discard.entries]
    kinesis = mapping.source.kind == "kinesis"
    info = {
        "shardId": shard_id,
        "startSequenceNumber": records[0].sequence_number,
        "endSequenceNumber": records[-1].sequence_number,
        "approximateArrivalOfFirstRecord": _iso(records[0].arrival_ms, milliseconds=kinesis),
        "approximateArrivalOfLastRecord": _iso(records[-1].arrival_ms, milliseconds=kinesis),
        "batchSize": len(records),
        "streamArn": mapping.source.stream_arn,
    }
    return {"KinesisBatchInfo" if kinesis else "DDBStreamBatchInfo": info}


def _iso(epoch_ms: int, *, milliseconds: bool = True) -> str:
    time = datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{time}.{epoch_ms % 1000:03d}Z" if milliseconds else f"{time}Z"
