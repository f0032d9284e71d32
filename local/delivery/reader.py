"""One shard of one mapping with its I/O: reads pages, carries out deliveries, saves the checkpoint."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.delivery.failures import failure_message
from local.delivery.filters import accepts
from local.delivery.ports import (
    Checkpoint,
    IteratorExpiredError,
    NotReachedError,
    Position,
    RecordsTrimmedError,
    SourceUnavailableError,
    TargetError,
)
from local.delivery.shard import Backoff, Delivery, Entry, NotReached, Outcome, ShardConsumer, Succeeded

if TYPE_CHECKING:
    from local.delivery.mappings import EventSourceMapping, Pipe, Source
    from local.delivery.ports import CheckpointStore, Clock, FailureDestination, Page, StreamSource
    from local.delivery.targets import Target

LOG = logging.getLogger(__name__)

_LARGEST_PAGE = {"dynamodb": 1000, "kinesis": 10_000}


@dataclass(frozen=True, slots=True)
class Polling:
    """How often a shard is read.

    Lambda "polls shards in your DynamoDB stream for records at a base rate of 4 times per second" and those of a
    Kinesis stream "at a base rate of once per second" (AWS Lambda Developer Guide, "Polling and batching streams"); a
    pipe is taken to do the same. With enhanced fan-out, records are pushed.

    Attributes
    ----------
    dynamodb_ms, kinesis_ms, fan_out_ms : int
        Shortest time between two reads of a shard, by kind of source. A page that was full is followed by the next one
        at once, and an announced write to a stream with fan-out is read at once.
    unannounced_ms : int
        Longest time between two reads. Only an engine that is told of every write may read less often than the source
        is to be polled: for it, this is what a lost announcement costs.
    failed_ms : int
        Wait after a read that failed.
    """

    dynamodb_ms: int = 250
    kinesis_ms: int = 1000
    fan_out_ms: int = 25
    unannounced_ms: int = 0
    failed_ms: int = 200

    def interval_ms(self, source: Source) -> int:
        """Return the shortest time between two reads of a shard of a source."""
        if source.enhanced_fan_out:
            return self.fan_out_ms
        return self.dynamodb_ms if source.kind == "dynamodb" else self.kinesis_ms


class ShardReader:
    """Everything one shard of one mapping needs; used by one thread at a time except where noted.

    `poll` reads when it is time to; `take_due` hands out deliveries; `carry_out` performs one, on any thread; `settle`
    records its outcome. A failure destination that cannot be reached loses the message, as on AWS (Lambda's metric
    DestinationDeliveryFailures); it is logged and counted.
    """

    def __init__(
        self,
        mapping: EventSourceMapping | Pipe,
        shard_id: str,
        start: Position,
        *,
        streams: StreamSource,
        target: Target,
        destinations: FailureDestination,
        checkpoints: CheckpointStore,
        clock: Clock,
        polling: Polling,
        backoff: Backoff,
    ) -> None:
        self.mapping = mapping
        self.shard_id = shard_id
        self.consumer = ShardConsumer(mapping.batching, self._passes, backoff)
        self.last_error = ""
        self.iterator_age_ms = 0
        self.destination_failures = 0
        self.empty_polls = 0
        self._start = start
        self._streams = streams
        self._target = target
        self._destinations = destinations
        self._checkpoints = checkpoints
        self._clock = clock
        self._polling = polling
        self._iterator: str | None = None
        self._read_up_to: str | None = None
        self._last_poll_ms = 0
        self._next_poll_ms = 0
        saved = checkpoints.load(mapping.mapping_id, mapping.source.stream_arn, shard_id)
        if saved:
            self._read_up_to = saved.sequence_number
            self.consumer.checkpoint = saved.sequence_number
        self._saved = saved

    @property
    def idle(self) -> bool:
        """Whether nothing read is waiting to be finished."""
        return not self.consumer.open_records

    def now_ms(self) -> int:
        """Return the clock's time."""
        return self._clock()

    def announce(self) -> None:
        """Read as soon as the source's kind allows: the stream was written."""
        pushed = self.mapping.source.enhanced_fan_out
        earliest_ms = 0 if pushed else self._last_poll_ms + self._polling.interval_ms(self.mapping.source)
        self._next_poll_ms = min(self._next_poll_ms, earliest_ms)

    def hurry(self) -> None:
        """Read at the next opportunity."""
        self._next_poll_ms = 0

    def poll(self) -> int:
        """Read one page if it is time to and there is room; return the number of records."""
        now_ms = self._clock()
        room = self.consumer.room
        if self.consumer.ended or not room or now_ms < self._next_poll_ms:
            return 0
        limit = min(room, _LARGEST_PAGE[self.mapping.source.kind])
        self._last_poll_ms = now_ms
        try:
            entries, ended = self._read(limit)
        except (SourceUnavailableError, IteratorExpiredError, RecordsTrimmedError) as error:
            self._note(f"reading failed: {error}")
            self._next_poll_ms = now_ms + self._polling.failed_ms
            return 0
        now_ms = self._clock()
        if len(entries) < limit:
            interval_ms = self._polling.interval_ms(self.mapping.source)
            self._next_poll_ms = self._last_poll_ms + max(interval_ms, self._polling.unannounced_ms)
        self.empty_polls += not entries
        if ended:
            self.consumer.end()
        self.consumer.accept(entries, now_ms)
        self._save()
        return len(entries)

    def take_due(self) -> list[Delivery]:
        """Return the deliveries to carry out now."""
        return self.consumer.take_due(self._clock())

    def carry_out(self, delivery: Delivery) -> Outcome:
        """Perform a delivery. Touches no state of the shard, so several may run on threads of their own."""
        if delivery.condition is None:
            return self._target.deliver(delivery.entries)
        queue_arn = self.mapping.failure_queue_arn
        if queue_arn:
            message = failure_message(self.mapping, self.shard_id, delivery, self._clock())
            try:
                self._destinations.send(queue_arn, message)
            except (NotReachedError, TargetError) as error:
                return NotReached(f"failure destination: {error}")
        return Succeeded()

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record the outcome of a delivery and save the checkpoint."""
        now_ms = self._clock()
        if not isinstance(outcome, Succeeded):
            self._note(outcome.reason)
            self.destination_failures += delivery.condition is not None
        self.consumer.complete(delivery, outcome, now_ms)
        self.iterator_age_ms = max(0, now_ms - delivery.entries[-1].record.arrival_ms)
        self._save()

    def next_due_ms(self) -> int | None:
        """Return when `poll` or `take_due` has something to do next, or None while only an outcome can change that."""
        now_ms = self._clock()
        due_ms = self.consumer.next_due_ms(now_ms)
        if self.consumer.ended or not self.consumer.room:
            return due_ms
        return self._next_poll_ms if due_ms is None else min(due_ms, self._next_poll_ms)

    def _passes(self, entry: Entry) -> bool:
        return accepts(self.mapping.batching.patterns, entry.record, entry.event)

    def _read(self, limit: int) -> tuple[list[Entry], bool]:
        try:
            try:
                page = self._page(self._iterator or self._begin(self._position()), limit)
            except IteratorExpiredError:
                page = self._page(self._begin(self._position()), limit)
        except RecordsTrimmedError:
            self._note(f"records after {self._read_up_to} have left the stream; continuing at the trim horizon")
            page = self._page(self._begin(Position("TRIM_HORIZON")), limit)
        self._iterator = page.next_iterator
        if page.records:
            self._read_up_to = page.records[-1].sequence_number
        return [self._target.entry(record, self.shard_id) for record in page.records], page.next_iterator is None

    def _begin(self, position: Position) -> str:
        self._iterator = self._streams.iterator(self.mapping.source, self.shard_id, position)
        return self._iterator

    def _page(self, iterator: str, limit: int) -> Page:
        return self._streams.records(self.mapping.source, iterator, limit)

    def _position(self) -> Position:
        if self._read_up_to is None:
            return self._start
        return Position("AFTER_SEQUENCE_NUMBER", self._read_up_to)

    def _save(self) -> None:
        checkpoint = Checkpoint(self.consumer.checkpoint, self.consumer.finished)
        if checkpoint != self._saved and checkpoint != Checkpoint(None):
            self._saved = checkpoint
            self._checkpoints.save(self.mapping.mapping_id, self.mapping.source.stream_arn, self.shard_id, checkpoint)

    def _note(self, reason: str) -> None:
        if reason != self.last_error:
            LOG.warning("%s, %s: %s", self.mapping.name, self.shard_id, reason)
        self.last_error = reason
