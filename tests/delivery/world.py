"""A stream, a function or pipe, and an engine over them, in memory and on a clock that tests move."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from local.delivery.checkpoints import MemoryCheckpoints
from local.delivery.engine import DeliveryEngine
from local.delivery.mappings import Batching, EventSourceMapping, Pipe, Source, Wiring
from local.delivery.memory import ManualClock, MemoryInvoker, MemoryQueues, MemoryStreams
from local.delivery.reader import Polling
from local.delivery.shard import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.delivery.mappings import EventSourceMapping as Mapped
    from local.delivery.ports import CheckpointStore, KinesisSink
    from local.delivery.records import Json

ACCOUNT = "eu-west-1:123456789012"
STREAM = f"arn:aws:kinesis:{ACCOUNT}:stream/orders"
TABLE_STREAM = f"arn:aws:dynamodb:{ACCOUNT}:table/bids/stream/2026-01-01T00:00:00.000"
FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function:matcher"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:failed"
PIPE_ARN = f"arn:aws:pipes:{ACCOUNT}:pipe/bids-to-orders"

KINESIS = Source("kinesis", STREAM, STREAM, "TRIM_HORIZON")
DYNAMODB = Source("dynamodb", TABLE_STREAM, TABLE_STREAM, "TRIM_HORIZON")
FAST = Backoff(base_ms=10, longest_ms=80)
OFTEN = Polling(dynamodb_ms=25, kinesis_ms=25)


def mapping(batching: Batching, *, source: Source = KINESIS, report: bool = False) -> Mapped:
    """An enabled mapping of the stream to the function, with an on-failure queue."""
    return EventSourceMapping(
        "mapping-1",
        "matcher",
        source,
        batching,
        FUNCTION,
        role_arn="arn:aws:iam::123456789012:role/matcher",
        report_item_failures=report,
        failure_queue_arn=QUEUE,
    )


def pipe(batching: Batching, *, source: Source = DYNAMODB) -> Pipe:
    """A pipe from the table's stream to the Kinesis stream, keyed by material."""
    key = "$.dynamodb.NewImage.material.S" if source.kind == "dynamodb" else "$.partitionKey"
    return Pipe("pipe-1", "bids-to-orders", PIPE_ARN, source, batching, STREAM, key, failure_queue_arn=QUEUE)


class World:
    """Streams in memory with one function; `run` lets time pass until nothing is left to do."""

    def __init__(
        self,
        wiring: Wiring,
        handler: Callable[[Json], object] = lambda event: None,
        *,
        before: Callable[[str, Json], None] = lambda function, event: None,
        shards: int = 1,
        checkpoints: CheckpointStore | None = None,
        sink: Callable[[MemoryStreams], KinesisSink] = lambda streams: streams,
        backoff: Backoff = FAST,
        polling: Polling = OFTEN,
    ) -> None:
        self.clock = ManualClock()
        self.streams = MemoryStreams(self.clock)
        self.streams.create(STREAM, shards)
        self.streams.create(TABLE_STREAM)
        self.queues = MemoryQueues()
        self.checkpoints = checkpoints or MemoryCheckpoints()
        self.wiring = wiring
        self.backoff = backoff
        self.polling = polling
        self.sink = sink(self.streams)
        self.invoker = MemoryInvoker({FUNCTION: handler}, before)
        self.engine = self.new_engine()

    def new_engine(self) -> DeliveryEngine:
        """An engine as after a restart of the process."""
        self.engine = DeliveryEngine(
            self.wiring,
            self.streams,
            self.invoker,
            self.queues,
            self.sink,
            self.clock,
            self.checkpoints,
            polling=self.polling,
            backoff=self.backoff,
            discovery_ms=500,
        )
        return self.engine

    def run(self, for_ms: int = 3_000) -> None:
        """Let time pass from one due moment to the next."""
        until_ms = self.clock.now_ms + for_ms
        while self.clock.now_ms <= until_ms:
            self.engine.step()
            self.clock.now_ms = max(self.clock.now_ms + 1, self.engine.next_due_ms())

    def put(self, keys: Sequence[str]) -> list[str]:
        """Put a record for each key, data its sequence in the list; return sequence numbers."""
        return [
            self.streams.put(STREAM, key, f'{{"key":"{key}","n":{n}}}'.encode()).sequence_number
            for n, key in enumerate(keys)
        ]

    def bid(self, bid_id: str, material: str | None = "copper") -> str:
        """Append an insert to the table's stream; return its sequence number."""
        image: dict[str, object] = {"bid_id": {"S": bid_id}}
        if material is not None:
            image["material"] = {"S": material}
        return self.streams.change(
            TABLE_STREAM, "INSERT", {"bid_id": {"S": bid_id}}, {"NewImage": image}
        ).sequence_number

    def discarded(self) -> list[Mapping[str, object]]:
        """Messages in the on-failure queue."""
        return self.queues.messages.get(QUEUE, [])


def of(*mappings: Mapped | Pipe) -> Wiring:
    """A wiring of these."""
    return Wiring(
        tuple(item for item in mappings if isinstance(item, EventSourceMapping)),
        tuple(item for item in mappings if isinstance(item, Pipe)),
    )


def sequence_numbers(event: Json) -> list[str]:
    """The sequence numbers of an event's records, of either source."""
    records = cast("list[dict[str, dict[str, str]]]", event["Records"])
    return [
        record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
        for record in records
    ]


def partition_keys(event: Json) -> list[str]:
    """The partition keys of a Kinesis event's records."""
    return [record["kinesis"]["partitionKey"] for record in cast("list[dict[str, dict[str, str]]]", event["Records"])]


def starting(source: Source, position: str, timestamp_ms: int = 0) -> Source:
    """The source with another starting position."""
    return replace(source, starting_position=position, starting_timestamp_ms=timestamp_ms)
