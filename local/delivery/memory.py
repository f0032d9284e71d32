"""Streams, functions, queues and a clock in this process, for simulations and tests that choose faults themselves."""

from __future__ import annotations

import bisect
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from local.delivery.ports import Invocation, Page, Position, Shard
from local.delivery.records import DynamoDBRecord, KinesisRecord, StreamRecord, canonical_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.delivery.mappings import Source
    from local.delivery.ports import Clock
    from local.delivery.records import Json


class ManualClock:
    """A clock that stands still until it is told otherwise.

    Parameters
    ----------
    now_ms : int
        Epoch milliseconds.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Return the current time in epoch milliseconds."""
        return self.now_ms

    def advance(self, by_ms: int) -> None:
        """Let time pass."""
        self.now_ms += by_ms


@dataclass(slots=True)
class _MemoryShard:
    shard: Shard
    records: list[StreamRecord] = field(default_factory=list[StreamRecord])
    first: int = 0
    closed: bool = False


class MemoryStreams:
    """DynamoDB and Kinesis streams: a StreamSource that is also the KinesisSink.

    Sequence numbers count up over all streams, so their order is the order of the puts. A Kinesis record goes to the
    open shard its key's hash selects, a DynamoDB change to the one open shard.

    Parameters
    ----------
    clock : Clock
        Stamps arrivals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, dict[str, _MemoryShard]] = {}
        self._sequence = 0

    def create(self, stream_arn: str, shards: int = 1) -> None:
        """Create a stream with open shards `shardId-000000000000`, …"""
        self._streams[stream_arn] = {}
        for _ in range(shards):
            self._add_shard(stream_arn, ())

    def split(self, stream_arn: str, shard_id: str) -> tuple[str, str]:
        """Close a shard and open two children; return their ids."""
        self._streams[stream_arn][shard_id].closed = True
        return self._add_shard(stream_arn, (shard_id,)), self._add_shard(stream_arn, (shard_id,))

    def trim(self, stream_arn: str, shard_id: str, keep: int) -> None:
        """Let all but the last `keep` records of a shard leave the retention period."""
        shard = self._streams[stream_arn][shard_id]
        shard.first = max(shard.first, len(shard.records) - keep)

    def put(self, stream_arn: str, partition_key: str, data: bytes) -> KinesisRecord:
        """Put a Kinesis record and return it."""
        record = KinesisRecord(self._next(), partition_key, self._clock(), data)
        self._open_shard(stream_arn, partition_key).records.append(record)
        return record

    def change(self, stream_arn: str, event_name: str, keys: Json, images: Mapping[str, object]) -> DynamoDBRecord:
        """Append a DynamoDB change; keys and images hold attribute values as `{"S": …}`. Return the record."""
        number = self._next()
        document = {
            "eventID": f"event-{number}",
            "eventName": event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": stream_arn.split(":")[3],
            "dynamodb": {
                "ApproximateCreationDateTime": self._clock() // 1000,
                "Keys": keys,
                **images,
                "SequenceNumber": number,
                "SizeBytes": len(json.dumps(images)),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }
        record = DynamoDBRecord(number, canonical_key(keys), self._clock(), document)
        self._open_shard(stream_arn, "").records.append(record)
        return record

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
        """Put every entry."""
        for partition_key, data in entries:
            self.put(stream_arn, partition_key, data)
        return [None] * len(entries)

    def contents(self, stream_arn: str) -> list[StreamRecord]:
        """Return all records ever put into a stream, in order of the puts."""
        records = [record for shard in self._streams[stream_arn].values() for record in shard.records]
        return sorted(records, key=lambda record: int(record.sequence_number))

    def shards(self, source: Source) -> Sequence[Shard]:
        """Return the stream's shards, parents included."""
        return [shard.shard for shard in self._streams[source.stream_arn].values()]

    def iterator(self, source: Source, shard_id: str, position: Position) -> str:
        """Return an iterator: shard id and index."""
        shard = self._streams[source.stream_arn][shard_id]
        match position.kind:
            case "TRIM_HORIZON":
                index = shard.first
            case "LATEST":
                index = len(shard.records)
            case "AT_TIMESTAMP":
                index = bisect.bisect_left(shard.records, position.timestamp_ms, key=lambda record: record.arrival_ms)
            case "AFTER_SEQUENCE_NUMBER":
                after = int(position.sequence_number)
                index = bisect.bisect_right(shard.records, after, key=lambda record: int(record.sequence_number))
        return f"{shard_id}:{max(index, shard.first)}"

    def records(self, source: Source, iterator: str, limit: int) -> Page:
        """Return the next page of a shard."""
        shard_id, index = iterator.split(":")
        shard = self._streams[source.stream_arn][shard_id]
        first = max(int(index), shard.first)
        records = tuple(shard.records[first : first + limit])
        following = first + len(records)
        return Page(records, None if shard.closed and following == len(shard.records) else f"{shard_id}:{following}")

    def _next(self) -> str:
        self._sequence += 1
        return f"{self._sequence:021d}"

    def _add_shard(self, stream_arn: str, parents: tuple[str, ...]) -> str:
        shards = self._streams[stream_arn]
        shard_id = f"shardId-{len(shards):012d}"
        shards[shard_id] = _MemoryShard(Shard(shard_id, parents))
        return shard_id

    def _open_shard(self, stream_arn: str, partition_key: str) -> _MemoryShard:
        shards = [shard for shard in self._streams[stream_arn].values() if not shard.closed]
        return shards[zlib.crc32(partition_key.encode()) % len(shards)]


class MemoryInvoker:
    """Runs Python callables as functions; an exception of theirs is a function error.

    Exceptions that are no `Exception` (a simulated crash) and NotReachedError raised by `before` pass through.

    Parameters
    ----------
    functions : Mapping[str, Callable[[Json], object]]
        Handler by function ARN; takes the event, returns the response.
    before : Callable[[str, Json], None]
        Called first with function and event; raise NotReachedError in it to throttle.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[[Json], object]],
        before: Callable[[str, Json], None] = lambda function, event: None,
    ) -> None:
        self._functions = functions
        self._before = before
        self._invocations = 0

    def invoke(self, function: str, event: Json) -> Invocation:
        """Call the handler with a copy of the event, as JSON would carry it."""
        self._before(function, event)
        self._invocations += 1
        request_id = f"request-{self._invocations}"
        try:
            response = self._functions[function](cast("Json", json.loads(json.dumps(event))))
        except Exception as error:
            return Invocation({"errorType": type(error).__name__, "errorMessage": str(error)}, "Unhandled", request_id)
        return Invocation(response, None, request_id)


class MemoryQueues:
    """A FailureDestination that keeps messages by queue ARN."""

    def __init__(self) -> None:
        self.messages: dict[str, list[Mapping[str, object]]] = {}

    def send(self, queue_arn: str, message: Mapping[str, object]) -> None:
        """Keep a message."""
        self.messages.setdefault(queue_arn, []).append(message)
