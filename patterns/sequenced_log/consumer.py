"""A consumer: handles every event of its partitions in order, from where it stopped, in one run at a time each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from botocore.exceptions import ClientError

from patterns.dynamodb.refusals import cancellation_codes
from patterns.dynamodb.transient import is_transient
from patterns.sequenced_log.errors import GapError, InvalidInputError, LeaseLostError, SequencedLogError
from patterns.sequenced_log.events import Event, check_name, check_sequence
from patterns.sequenced_log.leasing import Busy, FirstLease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.dynamodb.retries import Retries
    from patterns.sequenced_log.checkpoints import Checkpoints
    from patterns.sequenced_log.event_log import EventLog
    from patterns.sequenced_log.places import Lease

Handler: TypeAlias = "Callable[[Event], Sequence[TransactWriteItemTypeDef] | None]"
"""Handles one event. What it returns is written in one transaction with the checkpoint: exactly once. What it does
itself is done at least once. At most 99 actions. An exception is a failed attempt."""

MOST_ACTIONS = 99


class Outcome(StrEnum):
    """How a run ended."""

    CAUGHT_UP = "caught_up"
    """Every event there was is done; the next one triggers the next run."""
    OUT_OF_TIME = "out_of_time"
    """Events are left: hand over to the next invocation."""
    BUSY = "busy"
    """Another run is active; it has been told what is wanted."""
    WAITS_FOR_PARENT = "waits_for_parent"
    """The partition came out of a split and its parent is not done; the parent's run goes on here."""
    FINISHED = "finished"
    """The partition was split and is done to its end: go on with its children."""
    LEASE_LOST = "lease_lost"
    """Another run took over; this one wrote nothing since."""


class TooManyActionsError(SequencedLogError):
    """A handler returned more actions than one transaction holds beside the checkpoint."""


@dataclass(slots=True)
class RunReport:
    """What a run did; `sequence` is the checkpoint it left, `failures` the failed attempts, parked or not."""

    partition: str
    outcome: Outcome
    sequence: int = 0
    handled: int = 0
    failures: int = 0
    parked: int = 0
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind in a partition: `head - sequence` events; `active` is a lease that has not ended."""

    partition: str
    head: int
    sequence: int
    active: bool

    @property
    def events(self) -> int:
        """Events that are not done."""
        return max(self.head - self.sequence, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Runs a handler over a log.

    Parameters
    ----------
    log
        What to read; its registry, if any, tells parents from children.
    checkpoints
        The consumer's own.
    handle
        Called with one event after the other; see `Handler`.
    new_holder
        Returns a text that no other run has.
    retries
        Waits between the attempts of a failing event; `attempts` is how many it gets before it is parked.
    checkpoint_every
        Events between two checkpoints while all goes well: so many may be repeated after a crash.
    """

    log: EventLog
    checkpoints: Checkpoints
    handle: Handler
    new_holder: Callable[[], str]
    retries: Retries
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        if self.checkpoint_every < 1:
            raise InvalidInputError("checkpoint_every", self.checkpoint_every, "must be at least 1")

    def run(self, partition: str, *, deadline_ms: int | None = None, wanted: int = 0) -> RunReport:
        """Catch up with a partition.

        Parameters
        ----------
        partition
            Whose events.
        deadline_ms
            Epoch ms after which no event is begun: the invocation's end less the time of one event. None: no end.
        wanted
            Number of the event that triggered the run, so that an active run does not stop short of it.

        Returns
        -------
        RunReport
            Never an exception for a failing event: it is tried again, and parked in the end.

        Raises
        ------
        GapError
            Events are missing. Those before the gap are done; the partition stands still until somebody decides.
        ClientError
            DynamoDB's trouble outlasted the retries. The lease runs out by itself.
        """
        check_name("partition", partition)
        report = RunReport(partition, Outcome.BUSY)
        try:
            lease = self._enter(partition, wanted)
        except Busy:
            return report
        if lease is None:
            report.outcome = Outcome.WAITS_FOR_PARENT
            return report
        report.sequence = lease.sequence
        try:
            self._catch_up(lease, report, deadline_ms)
        except LeaseLostError:
            report.outcome = Outcome.LEASE_LOST
        except Exception:
            # So that the next run need not wait for the lease to end. If this fails too, it will.
            with suppress(Exception):
                self.checkpoints.release(lease, report.sequence)
            raise
        return report

    def replay(self, partition: str, after: int) -> None:
        """Handle a partition's events again from the one after a number, or skip to it; a `run` must follow.

        A run that is active loses its lease. Children are not rewound with their parent. The entry that closes a split
        partition is no event and is never skipped: without it, no child would get its turn.

        Raises
        ------
        InvalidInputError
            Less than 0 or beyond the head; or the partition waits for its parent.
        """
        check_sequence("after", after)
        check_name("partition", partition)
        end, children = self.log.end(partition)
        if after > end:
            raise InvalidInputError("after", after, f"the partition has {end} events")
        if (parent := self._unfinished_parent(partition)) is not None:
            raise InvalidInputError("partition", partition, f"waits for its parent {parent!r} to be finished")
        self.checkpoints.rewind(partition, min(after, end - 1) if children else after)

    def redrive(self, partition: str, sequence: int) -> None:
        """Handle one parked event again, at an operator's word; it leaves the parked ones if its handler succeeds.

        Raises
        ------
        InvalidInputError
            It is not parked, or these are no partition's name and number.
        GapError
            It is no longer in the log.
        TooManyActionsError
            The handler returned more than 99.
        Exception
            What the handler raises, and DynamoDB's refusal of its actions; the event stays parked.
        """
        check_name("partition", partition)
        check_sequence("sequence", sequence)
        if all(parked.sequence != sequence for parked in self.checkpoints.parked(partition)):
            raise InvalidInputError("sequence", sequence, f"is not parked in partition {partition!r}")
        event = next(iter(self.log.read(partition, sequence - 1)), None)
        if event is None:
            raise GapError(partition, sequence, sequence + 1)
        actions = [self.checkpoints.unpark_action(partition, sequence), *self._actions(event)]
        try:
            self.checkpoints.retries.call(lambda: self.log.client.transact_write_items(TransactItems=actions))
        except ClientError as error:
            # Not parked any more: this very call has done it and its answer was lost, or another operator has.
            if cancellation_codes(error)[:1] != ["ConditionalCheckFailed"]:
                raise

    def lags(self, partitions: Iterable[str]) -> list[Lag]:
        """Compare checkpoints with heads: a read of 100 checkpoints a call and one query a partition.

        Partitions that are done to their end are left out.
        """
        now_ms = self.checkpoints.clock()
        return [
            Lag(name, self.log.head(name), at.sequence, at.active and at.lease_until_ms > now_ms)
            for name, at in self.checkpoints.get_all(partitions).items()
            if not at.finished
        ]

    def _enter(self, partition: str, wanted: int) -> Lease | None:
        holder = self.new_holder()
        try:
            return self.checkpoints.acquire(partition, holder, wanted)
        except FirstLease:
            if self._unfinished_parent(partition) is not None:
                return None
            return self.checkpoints.acquire(partition, holder, wanted, first=True)

    def _unfinished_parent(self, partition: str) -> str | None:
        registered = self.log.partitions.get(partition) if self.log.partitions is not None else None
        parent = registered.parent if registered is not None else None
        return None if parent is None or self.checkpoints.get(parent).finished else parent

    def _catch_up(self, lease: Lease, report: RunReport, deadline_ms: int | None) -> None:
        wanted = True
        while True:
            before = report.sequence
            if self._read_on(lease, report, deadline_ms):
                return
            # What is wanted can be read: a second look that finds nothing has found all.
            if self.checkpoints.release(lease, report.sequence, unless_wanted=wanted):
                report.outcome = Outcome.CAUGHT_UP
                return
            wanted = report.sequence > before

    def _read_on(self, lease: Lease, report: RunReport, deadline_ms: int | None) -> bool:
        """Handle events until there are none, or no time; return whether the run is over and the lease given back."""
        careful = lease.takeovers > 0
        for event in self.log.read(lease.partition, report.sequence):
            if event.children:
                report.sequence, report.children = event.sequence, event.children
                return self._leave(lease, report, Outcome.FINISHED)
            if self._past(deadline_ms) or not self._handle(lease, report, event, deadline_ms):
                return self._leave(lease, report, Outcome.OUT_OF_TIME)
            report.sequence = event.sequence
            if report.sequence - lease.sequence >= (1 if careful else self.checkpoint_every):
                self.checkpoints.save(lease, report.sequence)
        if lease.finished:
            report.children = self._children(lease.partition)
            return self._leave(lease, report, Outcome.FINISHED)
        return False

    def _handle(self, lease: Lease, report: RunReport, event: Event, deadline_ms: int | None) -> bool:
        """Handle an event or park it; return False if the time is up before either."""
        if lease.takeovers >= self.retries.attempts:
            reason = f"{lease.takeovers} runs in a row ended without a word while this event was next"
            self._park(lease, report, event, reason, lease.takeovers)
            return True
        while True:
            try:
                self._attempt(lease, event)
            except LeaseLostError:
                raise
            except Exception as error:  # whatever it is, it is this event's alone
                if is_transient(error):
                    raise
                report.failures += 1
                if report.sequence > lease.sequence:
                    self.checkpoints.save(lease, report.sequence)
                self.checkpoints.count_failure(lease)
                if lease.failures >= self.retries.attempts:
                    self._park(lease, report, event, f"{type(error).__name__}: {error}", lease.failures)
                    return True
                wait_s = self.retries.wait_s(lease.failures)
                if deadline_ms is not None and self.checkpoints.clock() + wait_s * 1000 >= deadline_ms:
                    return False
                self.retries.sleep(wait_s)
            else:
                report.handled += 1
                return True

    def _attempt(self, lease: Lease, event: Event) -> None:
        if actions := self._actions(event):
            self.checkpoints.commit(lease, event.sequence, actions)

    def _actions(self, event: Event) -> Sequence[TransactWriteItemTypeDef]:
        actions = self.handle(event) or ()
        if len(actions) > MOST_ACTIONS:
            raise TooManyActionsError(f"{len(actions)} actions: a transaction has room for {MOST_ACTIONS}")
        return actions

    def _park(self, lease: Lease, report: RunReport, event: Event, reason: str, attempts: int) -> None:
        self.checkpoints.park(lease, event.sequence, reason, attempts)
        report.parked += 1

    def _leave(self, lease: Lease, report: RunReport, outcome: Outcome) -> bool:
        self.checkpoints.release(lease, report.sequence, finished=outcome is Outcome.FINISHED)
        report.outcome = outcome
        return True

    def _children(self, partition: str) -> tuple[str, ...]:
        return next((event.children for event in self.log.read(partition, self.log.head(partition) - 1)), ())

    def _past(self, deadline_ms: int | None) -> bool:
        return deadline_ms is not None and self.checkpoints.clock() >= deadline_ms
