"""Runs EventBridge schedules: fires each when it is due, and delivers its event to a function's queue.

Source: EventBridge Scheduler User Guide, "Schedule types", "Retry policy", "Adding context attributes", "Configuring a
dead-letter queue". Firings that fall into a time when nothing ran are not made up for; events are delivered at least
once; delivery means that Lambda has queued the event, and what the function makes of it is Lambda's concern.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.delivery.checkpoints import MemoryCheckpoints
from local.delivery.engine import epoch_ms
from local.delivery.ports import Checkpoint, NotReachedError
from local.delivery.stats import ScheduleStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.delivery.expressions import Expression
    from local.delivery.ports import CheckpointStore, Clock, EventQueue, FailureDestination

LOG = logging.getLogger(__name__)

_CREATED = "created"
_PRECISION_MS = 60_000
_FIRST_WAIT_MS = 1_000
_LONGEST_WAIT_MS = 60_000
_LONGEST_SLEEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of the program.

    Attributes
    ----------
    name
        The resource's name in the program.
    arn
        The schedule's ARN.
    expression
        When it fires.
    function
        ARN of the function.
    payload
        Event as JSON text with `<aws.scheduler.…>` attributes; None for Scheduler's own event.
    maximum_retries
        Further deliveries after a refused one.
    maximum_age_ms
        Age at which an event that was not delivered is given up.
    failure_queue_arn
        SQS queue that gets events given up.
    enabled
        Whether it fires.
    start_ms, end_ms
        Epoch milliseconds between which it fires.
    """

    name: str
    arn: str
    expression: Expression
    function: str
    payload: str | None = None
    maximum_retries: int = 185
    maximum_age_ms: int = 86_400_000
    failure_queue_arn: str | None = None
    enabled: bool = True
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(slots=True)
class _Clockwork:
    """A schedule with its next firing; counters as in `ScheduleStats`."""

    schedule: Schedule
    created_ms: int
    next_ms: int | None
    last_ms: int | None = None
    firings: int = 0
    discarded: int = 0
    last_error: str = ""


@dataclass(slots=True)
class _Firing:
    """An event on its way."""

    clockwork: _Clockwork
    scheduled_ms: int
    attempts: int = 0
    due_ms: int = 0


class ScheduleRunner:
    """Fires schedules. Either call `step` (deterministic given the ports), or `start` … `stop` (a thread, real time).

    Parameters
    ----------
    schedules
        What to run.
    functions
        Takes the events.
    destinations
        Takes the events given up.
    clock
        Epoch milliseconds; the system's by default.
    checkpoints
        Remembers when a schedule was first seen, which is what a rate counts from.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        functions: EventQueue,
        destinations: FailureDestination,
        clock: Clock = epoch_ms,
        checkpoints: CheckpointStore | None = None,
    ) -> None:
        self._functions = functions
        self._destinations = destinations
        self._clock = clock
        self._checkpoints = checkpoints or MemoryCheckpoints()
        now_ms = clock()
        self._clockworks = [self._wind_up(schedule, now_ms) for schedule in schedules if schedule.enabled]
        self._disabled = [schedule.name for schedule in schedules if not schedule.enabled]
        self._firings: list[_Firing] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> None:
        """Do everything that is due now."""
        now_ms = self._clock()
        for clockwork in self._clockworks:
            while clockwork.next_ms is not None and clockwork.next_ms <= now_ms:
                # A machine that slept missed its firings, as one that was off.
                if now_ms - clockwork.next_ms < _PRECISION_MS:
                    self._firings.append(_Firing(clockwork, clockwork.next_ms))
                    clockwork.last_ms = clockwork.next_ms
                    clockwork.firings += 1
                clockwork.next_ms = _next(clockwork.schedule, clockwork.next_ms, clockwork.created_ms)
        for firing in [firing for firing in self._firings if firing.due_ms <= now_ms]:
            if self._deliver(firing, now_ms):
                self._firings.remove(firing)

    def next_due_ms(self) -> int | None:
        """Epoch milliseconds at which `step` has something to do next; None for never."""
        dues = [clockwork.next_ms for clockwork in self._clockworks if clockwork.next_ms is not None]
        return min([*dues, *(firing.due_ms for firing in self._firings)], default=None)

    def stats(self) -> tuple[ScheduleStats, ...]:
        """Tell when each schedule fired last and fires next; callable from any thread."""
        firings = list(self._firings)
        return tuple(
            ScheduleStats(
                name=clockwork.schedule.name,
                enabled=True,
                last_ms=clockwork.last_ms,
                next_ms=clockwork.next_ms,
                firings=clockwork.firings,
                discarded=clockwork.discarded,
                open_events=sum(firing.clockwork is clockwork for firing in firings),
                last_error=clockwork.last_error,
            )
            for clockwork in self._clockworks
        ) + tuple(ScheduleStats(name, False, None, None, 0, 0, 0, "") for name in self._disabled)

    def start(self) -> None:
        """Run in real time on a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="delivery-schedules", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop firing; an event that was not delivered yet is lost."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except Exception:
                LOG.exception("a schedule failed unexpectedly; trying again")
            self._stopping.wait(_LONGEST_SLEEP_S)

    def _wind_up(self, schedule: Schedule, now_ms: int) -> _Clockwork:
        known = self._checkpoints.load(schedule.arn, schedule.arn, _CREATED)
        if known is not None and known.sequence_number is not None:
            created_ms = int(known.sequence_number)
            return _Clockwork(schedule, created_ms, _next(schedule, now_ms, created_ms))
        self._checkpoints.save(schedule.arn, schedule.arn, _CREATED, Checkpoint(str(now_ms)))
        # A new schedule fires at its creation if a firing falls on it, which a rate's first does.
        return _Clockwork(schedule, now_ms, _next(schedule, now_ms - 1, now_ms))

    def _deliver(self, firing: _Firing, now_ms: int) -> bool:
        """Try once; whether the event is done with."""
        clockwork = firing.clockwork
        schedule = clockwork.schedule
        firing.attempts += 1
        event = _event(firing)
        try:
            self._functions.enqueue(schedule.function, event)
        except NotReachedError as error:
            clockwork.last_error = str(error)
        else:
            return True
        wait_ms = min(_LONGEST_WAIT_MS, _FIRST_WAIT_MS * 2 ** (firing.attempts - 1))
        too_old = now_ms + wait_ms - firing.scheduled_ms > schedule.maximum_age_ms
        if firing.attempts <= schedule.maximum_retries and not too_old:
            firing.due_ms = now_ms + wait_ms
            return False
        clockwork.discarded += 1
        LOG.error("%s: the event of %s is given up: %s", schedule.name, _iso(firing.scheduled_ms), clockwork.last_error)
        if schedule.failure_queue_arn is not None:
            try:
                self._destinations.send(schedule.failure_queue_arn, json.loads(event))
            except NotReachedError:
                LOG.exception("%s: its dead-letter queue cannot be reached", schedule.name)
        return True


def _next(schedule: Schedule, after_ms: int, created_ms: int) -> int | None:
    if schedule.start_ms is not None:
        created_ms = max(created_ms, schedule.start_ms)
        after_ms = max(after_ms, schedule.start_ms - 1)
    at_ms = schedule.expression.next_after(after_ms, created_ms)
    return at_ms if at_ms is None or schedule.end_ms is None or at_ms <= schedule.end_ms else None


def _event(firing: _Firing) -> str:
    """The event as JSON text: the program's with its attributes filled in, or Scheduler's own."""
    schedule = firing.clockwork.schedule
    execution_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{schedule.arn}/{firing.scheduled_ms}/{firing.attempts}")
    if schedule.payload is None:
        region, account = schedule.arn.split(":")[3:5]
        own = {
            "version": "0",
            "id": str(execution_id),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": _iso(firing.scheduled_ms),
            "region": region,
            "resources": [schedule.arn],
            "detail": "{}",
        }
        return json.dumps(own)
    event = schedule.payload
    for name, value in {
        "schedule-arn": schedule.arn,
        "scheduled-time": _iso(firing.scheduled_ms),
        "execution-id": execution_id.hex[:16],
        "attempt-number": str(firing.attempts),
    }.items():
        event = event.replace(f"<aws.scheduler.{name}>", value)
    return event


def _iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
