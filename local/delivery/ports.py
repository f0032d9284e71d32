"""What the engine needs from outside: a clock, streams, an invoker, a sink, failure destinations, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.delivery.mappings import Source
    from local.delivery.records import Json, StreamRecord


class SourceUnavailableError(Exception):
    """The stream could not be read now; the engine tries again after the poll interval."""


class IteratorExpiredError(Exception):
    """The iterator is too old; the engine asks for another one after the last record it read."""


class RecordsTrimmedError(Exception):
    """The position asked for has left the stream's retention; the engine continues at the trim horizon."""


class NotReachedError(Exception):
    """The target did not take the batch: throttled, or failed before it. Retried without using up the retry quota."""


class TargetError(Exception):
    """The target refused the batch (no permission, no such stream). Uses up the retry quota."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of a stream.

    Attributes
    ----------
    shard_id : str
        Identity within the stream.
    parent_ids : tuple[str, ...]
        Shards this one was split or merged from (0, 1 or 2); they are read to their end first.
    """

    shard_id: str
    parent_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where to start reading: `after` a sequence number, or the place `kind` names.

    Attributes
    ----------
    kind : str
        AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST or AT_TIMESTAMP.
    sequence_number : str
        For AFTER_SEQUENCE_NUMBER.
    timestamp_ms : int
        For AT_TIMESTAMP, epoch milliseconds.
    """

    kind: Literal["AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    sequence_number: str = ""
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Records in shard order, and the iterator for the next ones; None when the shard is closed and read to its end."""

    records: tuple[StreamRecord, ...]
    next_iterator: str | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """What came back from a function that ran.

    Attributes
    ----------
    response : object
        The decoded JSON response; None when empty. A response that is not JSON is given as its text.
    function_error : str | None
        `Handled` or `Unhandled` when the function failed.
    request_id : str
        The invocation's request id.
    """

    response: object
    function_error: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a shard is done.

    Attributes
    ----------
    sequence_number : str | None
        Every record up to this one is finished; None when none is.
    ended : bool
        The shard is closed and all its records are finished.
    """

    sequence_number: str | None
    ended: bool = False


class Clock(Protocol):
    """Now, in epoch milliseconds."""

    def __call__(self) -> int: ...


class StreamSource(Protocol):
    """Reads shards. Raises SourceUnavailableError, IteratorExpiredError or RecordsTrimmedError."""

    def shards(self, source: Source) -> Sequence[Shard]: ...

    def iterator(self, source: Source, shard_id: str, position: Position) -> str: ...

    def records(self, source: Source, iterator: str, limit: int) -> Page: ...


class Invoker(Protocol):
    """Runs a function and waits for it. Raises NotReachedError when it did not run, as far as is known."""

    def invoke(self, function: str, event: Json) -> Invocation: ...


class EventQueue(Protocol):
    """Queues an event, as JSON text, for a function that runs later. Raises NotReachedError when it was refused."""

    def enqueue(self, function: str, event: str) -> None: ...


class KinesisSink(Protocol):
    """Puts up to 500 (partition key, data) entries; answers per entry None, or its error code.

    Raises NotReachedError when the whole request failed in transit, TargetError when it was refused.
    """

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]: ...


class FailureDestination(Protocol):
    """Sends a message about discarded records to an SQS queue."""

    def send(self, queue_arn: str, message: Mapping[str, object]) -> None: ...


class CheckpointStore(Protocol):
    """Keeps checkpoints per mapping, stream and shard. `flush` makes every saved checkpoint durable."""

    def load(self, mapping_id: str, stream_arn: str, shard_id: str) -> Checkpoint | None: ...

    def save(self, mapping_id: str, stream_arn: str, shard_id: str, checkpoint: Checkpoint) -> None: ...

    def flush(self) -> None: ...
