"""The state machine of one shard read by one mapping: pure, driven by what is read and what came back.

Semantics: AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams" and its pages
on polling and batching, partial batch response and discarded records (for DynamoDB the pages of the same names); Amazon
EventBridge User Guide, "Amazon EventBridge Pipes error handling and troubleshooting".

- Every record is delivered at least once. Order is kept in the shard; with several concurrent batches it is kept per
  key.
- A failed batch is retried whole, with backoff, until it succeeds, runs out of retries, or its records are too old.
- A failure that names its first failed record finishes the records before it; that one and all after it come again.
- Bisecting splits a failed batch in two, at the first failed record if that is known and not the first of the batch,
  else in the middle. "Splitting a batch doesn't consume the retry quota."
- A target that was not reached (throttled, or an error before the invocation) does not consume it either: such a batch
  is retried until its records are too old.
- What cannot be delivered is handed out as a discard, for the failure destination, and counts as finished after that.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.delivery.mappings import Batching
    from local.delivery.records import Json, StreamRecord

ENVELOPE_BYTES = len('{"Records":[]}')


@dataclass(slots=True, eq=False)
class Entry:
    """A record on its way.

    Attributes
    ----------
    record : StreamRecord
        What was read.
    event : Json
        What the target gets.
    size_bytes : int
        Size of `event` as JSON.
    finished : bool
        Delivered, filtered out, or discarded.
    """

    record: StreamRecord
    event: Json
    size_bytes: int
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The target took the whole batch."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The target got the batch and failed.

    Attributes
    ----------
    reason : str
        For the log.
    first_failed : int
        Index of the first record that is not finished; 0 if the whole batch failed.
    function_error : str | None
        `Handled` or `Unhandled`, if the function itself failed.
    request_id : str
        Of the invocation.
    """

    reason: str
    first_failed: int = 0
    function_error: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The target did not get the batch."""

    reason: str


Outcome: TypeAlias = Succeeded | Failed | NotReached
Condition: TypeAlias = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(slots=True, eq=False)
class Batch:
    """Records delivered together, and what happened to them so far.

    Attributes
    ----------
    entries : list[Entry]
        In shard order.
    due_ms : int
        Not delivered before this time.
    retries : int
        How much of the retry quota is used.
    attempts : int
        How often it reached the target.
    failures_in_a_row : int
        Length of the current backoff series.
    exhausted : bool
        No retry is left.
    last_failure : Failed | None
        What the target said last.
    """

    entries: list[Entry]
    due_ms: int
    retries: int = 0
    attempts: int = 0
    failures_in_a_row: int = 0
    exhausted: bool = False
    last_failure: Failed | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """Work handed out: bring the entries to the target or, with a condition, to the failure destination.

    Attributes
    ----------
    lane : int
        Which of the shard's concurrent batches it is.
    batch : Batch
        The batch it belongs to.
    entries : tuple[Entry, ...]
        What to deliver or to report as discarded.
    condition : str | None
        Why the entries are discarded.
    """

    lane: int
    batch: Batch
    entries: tuple[Entry, ...]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits before a retry: base × 2ⁿ⁻¹ for the n-th failure in a row, at most `longest_ms`."""

    base_ms: int = 100
    longest_ms: int = 10_000

    def wait_ms(self, failures_in_a_row: int) -> int:
        """Return the wait after the given number of failures in a row."""
        return min(self.base_ms << min(failures_in_a_row - 1, 30), self.longest_ms)


@dataclass(slots=True)
class _Lane:
    pending: deque[Entry] = field(default_factory=deque[Entry])
    pending_bytes: int = 0
    gathering_since_ms: int = 0
    batches: deque[Batch] = field(default_factory=deque[Batch])
    in_flight: bool = False


@dataclass(slots=True)
class ShardCounts:
    """What happened so far, in records and batches."""

    records: int = 0
    filtered: int = 0
    batches: int = 0
    failures: int = 0
    retries: int = 0
    not_reached: int = 0
    discarded: int = 0


class ShardConsumer:
    """Decides what of a shard is delivered when, and how far it is done.

    The caller reads the shard and hands records in order to `accept`; takes deliveries with `take_due`, carries them
    out in any order and reports each to `complete`; and stores `checkpoint`.

    Parameters
    ----------
    batching : Batching
        Batch limits, retry and age limits.
    passes : Callable[[Entry], bool]
        The filter; a record that does not pass is finished at once.
    backoff : Backoff
        Waits between retries.
    """

    def __init__(self, batching: Batching, passes: Callable[[Entry], bool], backoff: Backoff) -> None:
        self.counts = ShardCounts()
        self.checkpoint: str | None = None
        self.ended = False
        self._batching = batching
        self._passes = passes
        self._backoff = backoff
        self._lanes = [_Lane() for _ in range(batching.parallelization)]
        self._open: deque[Entry] = deque()

    @property
    def open_records(self) -> int:
        """Records accepted and not yet covered by the checkpoint."""
        return len(self._open)

    @property
    def room(self) -> int:
        """How many records may be read now: two batches a lane are held, so one can be gathered while one is out."""
        return max(0, 2 * self._batching.batch_size * len(self._lanes) - len(self._open))

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and everything in it is finished."""
        return self.ended and not self._open

    def accept(self, entries: Iterable[Entry], now_ms: int) -> None:
        """Take records in shard order."""
        for entry in entries:
            self.counts.records += 1
            self._open.append(entry)
            if not self._passes(entry):
                entry.finished = True
                self.counts.filtered += 1
                continue
            lane = self._lanes[self._lane_of(entry)]
            if not lane.pending:
                lane.gathering_since_ms = now_ms
            lane.pending.append(entry)
            lane.pending_bytes += entry.size_bytes + 1
        self._advance()

    def end(self) -> None:
        """Say that the shard is closed and everything in it was accepted."""
        self.ended = True

    def take_due(self, now_ms: int) -> list[Delivery]:
        """Return what is to be carried out now: at most one delivery a lane."""
        deliveries: list[Delivery] = []
        for number, lane in enumerate(self._lanes):
            delivery = None if lane.in_flight else self._next(number, lane, now_ms)
            if delivery:
                lane.in_flight = True
                deliveries.append(delivery)
        return deliveries

    def complete(self, delivery: Delivery, outcome: Outcome, now_ms: int) -> None:
        """Take the outcome of a delivery."""
        lane = self._lanes[delivery.lane]
        lane.in_flight = False
        batch = delivery.batch
        if delivery.condition:
            self.counts.discarded += len(delivery.entries)
            _finish(delivery.entries)
            batch.entries = [entry for entry in batch.entries if not entry.finished]
            if not batch.entries:
                lane.batches.popleft()
        else:
            self._settle(lane, batch, outcome, now_ms)
        self._advance()

    def next_due_ms(self, now_ms: int) -> int | None:
        """Return when `take_due` has something next, or None while that depends on records or outcomes to come."""
        return min((due for lane in self._lanes if (due := self._lane_due_ms(lane, now_ms)) is not None), default=None)

    def _lane_of(self, entry: Entry) -> int:
        # CRC-32 rather than hash(): the same key goes the same way in every process.
        return zlib.crc32(entry.record.partition_key.encode()) % len(self._lanes)

    def _lane_due_ms(self, lane: _Lane, now_ms: int) -> int | None:
        if lane.in_flight:
            return None
        if lane.batches:
            return max(now_ms, self._batch_due_ms(lane.batches[0]))
        if lane.pending:
            return now_ms if self._is_full(lane) else max(now_ms, lane.gathering_since_ms + self._batching.window_ms)
        return None

    def _batch_due_ms(self, batch: Batch) -> int:
        if self._batching.maximum_age_ms < 0:
            return batch.due_ms
        oldest_ms = min(entry.record.arrival_ms for entry in batch.entries)
        return min(batch.due_ms, oldest_ms + self._batching.maximum_age_ms + 1)

    def _is_full(self, lane: _Lane) -> bool:
        return (
            self.ended
            or len(lane.pending) >= self._batching.batch_size
            or lane.pending_bytes + ENVELOPE_BYTES >= self._batching.batch_bytes
        )

    def _next(self, number: int, lane: _Lane, now_ms: int) -> Delivery | None:
        if not lane.batches:
            if not lane.pending or (
                not self._is_full(lane) and now_ms < lane.gathering_since_ms + self._batching.window_ms
            ):
                return None
            lane.batches.append(Batch(self._gather(lane, now_ms), due_ms=now_ms))
        batch = lane.batches[0]
        if batch.exhausted:
            return Delivery(number, batch, tuple(batch.entries), "RetryAttemptsExhausted")
        limit_ms = self._batching.maximum_age_ms
        expired = [entry for entry in batch.entries if 0 <= limit_ms < now_ms - entry.record.arrival_ms]
        if expired:
            return Delivery(number, batch, tuple(expired), "RecordAgeExceeded")
        if now_ms < batch.due_ms:
            return None
        self.counts.batches += 1
        if batch.failures_in_a_row:
            self.counts.retries += 1
        return Delivery(number, batch, tuple(batch.entries))

    def _gather(self, lane: _Lane, now_ms: int) -> list[Entry]:
        entries: list[Entry] = []
        size_bytes = ENVELOPE_BYTES
        while lane.pending and len(entries) < self._batching.batch_size:
            size_bytes += lane.pending[0].size_bytes + 1
            if entries and size_bytes > self._batching.batch_bytes:
                break
            entries.append(lane.pending.popleft())
            lane.pending_bytes -= entries[-1].size_bytes + 1
        lane.gathering_since_ms = now_ms
        return entries

    def _settle(self, lane: _Lane, batch: Batch, outcome: Outcome, now_ms: int) -> None:
        match outcome:
            case Succeeded():
                _finish(batch.entries)
                lane.batches.popleft()
            case NotReached():
                self.counts.not_reached += 1
                self._wait(batch, now_ms)
            case Failed():
                self.counts.failures += 1
                batch.attempts += 1
                batch.last_failure = outcome
                self._after_failure(lane, batch, outcome.first_failed, now_ms)

    def _after_failure(self, lane: _Lane, batch: Batch, first_failed: int, now_ms: int) -> None:
        _finish(batch.entries[:first_failed])
        batch.entries = batch.entries[first_failed:]
        if self._batching.bisect and first_failed:
            batch.failures_in_a_row = 0
        elif self._batching.bisect and len(batch.entries) > 1:
            middle = len(batch.entries) // 2
            rest = Batch(batch.entries[middle:], now_ms, batch.retries, batch.attempts, last_failure=batch.last_failure)
            batch.entries = batch.entries[:middle]
            batch.failures_in_a_row = 0
            lane.batches.insert(1, rest)
        elif 0 <= self._batching.maximum_retries <= batch.retries:
            batch.exhausted = True
            return
        else:
            batch.retries += 1
        self._wait(batch, now_ms)

    def _wait(self, batch: Batch, now_ms: int) -> None:
        batch.failures_in_a_row += 1
        batch.due_ms = now_ms + self._backoff.wait_ms(batch.failures_in_a_row)

    def _advance(self) -> None:
        while self._open and self._open[0].finished:
            self.checkpoint = self._open.popleft().record.sequence_number


def _finish(entries: Iterable[Entry]) -> None:
    for entry in entries:
        entry.finished = True
