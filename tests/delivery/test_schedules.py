"""Schedules fire when their expression says, once a firing, never for the time they were off, and lose no event."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.delivery.checkpoints import MemoryCheckpoints
from local.delivery.expressions import ExpressionError, parse_expression
from local.delivery.memory import ManualClock, MemoryQueues
from local.delivery.ports import NotReachedError
from local.delivery.schedules import Schedule, ScheduleRunner
from local.delivery.stats import ScheduleStats
from local.delivery.wiring import WiringError, load_wiring

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:close"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:lost"
ARN = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/close-hourly"
MINUTE_MS = 60_000
TIME = "<aws.scheduler.scheduled-time>"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW_MS = _ms("2026-11-20T12:00:30")


def _schedule(expression: str, **changes: Any) -> Schedule:
    schedule = Schedule("close", ARN, parse_expression(expression), FUNCTION, json.dumps({"at": TIME}))
    return replace(schedule, failure_queue_arn=QUEUE, **changes)


class World:
    """One schedule, a function's queue that may refuse, and a clock."""

    def __init__(self, schedule: Schedule, refuses: Callable[[int], bool] = lambda call: False) -> None:
        self.clock = ManualClock(NOW_MS)
        self.queues = MemoryQueues()
        self.checkpoints = MemoryCheckpoints()
        self.events: list[tuple[int, Any]] = []
        self.calls = 0
        self._refuses = refuses
        self._schedule = schedule
        self.restart()

    def restart(self) -> None:
        """A new runner over the same checkpoints."""
        self.runner = ScheduleRunner([self._schedule], self, self.queues, self.clock, self.checkpoints)

    def enqueue(self, function: str, event: str) -> None:
        """The function's queue."""
        assert function == FUNCTION
        self.calls += 1
        if self._refuses(self.calls):
            raise NotReachedError("throttled")
        self.events.append((self.clock(), json.loads(event)))

    def run(self, for_ms: int) -> list[str]:
        """Let time pass; the scheduled times of the events that came."""
        before = len(self.events)
        end_ms = self.clock() + for_ms
        while (due_ms := self.runner.next_due_ms()) is not None and due_ms <= end_ms:
            self.clock.advance(max(0, due_ms - self.clock()))
            self.runner.step()
        self.clock.advance(end_ms - self.clock())
        return [event["at"] for _, event in self.events[before:]]


def test_a_rate_counts_from_the_creation() -> None:
    world = World(_schedule("rate(2 minutes)"))
    assert world.run(5 * MINUTE_MS) == ["2026-11-20T12:00:30Z", "2026-11-20T12:02:30Z", "2026-11-20T12:04:30Z"]


@pytest.mark.parametrize("restarts", [True, False], ids=["stopped", "asleep"])
@pytest.mark.parametrize("expression", ["rate(2 minutes)", "cron(* * * * ? *)", "at(2026-11-20T12:10:00)"])
def test_what_was_missed_is_not_made_up_for(expression: str, restarts: bool) -> None:
    world = World(_schedule(expression))
    world.run(5 * MINUTE_MS)
    world.clock.advance(60 * MINUTE_MS)
    if restarts:
        world.restart()
    assert [at for at in world.run(2 * MINUTE_MS - 1) if at < "2026-11-20T13:04:30Z"] == []


def test_a_rate_keeps_its_step_over_a_restart() -> None:
    world = World(_schedule("rate(2 minutes)"))
    world.run(MINUTE_MS)
    world.restart()
    assert world.run(2 * MINUTE_MS) == ["2026-11-20T12:02:30Z"]


def test_a_time_comes_once_and_one_that_has_passed_never() -> None:
    assert World(_schedule("at(2026-11-20T12:10:00)")).run(24 * 60 * MINUTE_MS) == ["2026-11-20T12:10:00Z"]
    assert World(_schedule("at(2026-11-20T12:00:00)")).run(24 * 60 * MINUTE_MS) == []


def test_a_schedule_that_is_off_or_outside_its_dates_does_not_fire() -> None:
    assert World(_schedule("rate(1 minute)", enabled=False)).run(10 * MINUTE_MS) == []
    dates = {"start_ms": NOW_MS + 3 * MINUTE_MS, "end_ms": NOW_MS + 4 * MINUTE_MS}
    dated = World(_schedule("rate(1 minute)", **dates))
    assert dated.run(10 * MINUTE_MS) == ["2026-11-20T12:03:30Z", "2026-11-20T12:04:30Z"]


def test_a_refused_event_is_delivered_again() -> None:
    world = World(_schedule("at(2026-11-20T12:01:00)"), lambda call: call <= 3)
    assert world.run(10 * MINUTE_MS) == ["2026-11-20T12:01:00Z"]
    ((at_ms, _),) = world.events
    assert at_ms == _ms("2026-11-20T12:01:07")  # after 1, 2 and 4 s
    assert world.queues.messages == {}


@pytest.mark.parametrize(("limit", "calls"), [({"maximum_retries": 2}, 3), ({"maximum_age_ms": 4_000}, 3)])
def test_an_event_given_up_goes_to_the_queue(limit: dict[str, int], calls: int) -> None:
    world = World(_schedule("at(2026-11-20T12:01:00)", **limit), lambda call: True)
    world.run(60 * MINUTE_MS)
    assert world.calls == calls
    assert world.queues.messages == {QUEUE: [{"at": "2026-11-20T12:01:00Z"}]}


def test_it_tells_what_fired_and_what_fires_next() -> None:
    world = World(_schedule("rate(2 minutes)", maximum_retries=0), lambda call: call == 2)
    before = world.runner.stats()
    world.run(3 * MINUTE_MS)
    assert before == (ScheduleStats("close", True, None, NOW_MS, 0, 0, 0, ""),)
    due_ms = (NOW_MS + 2 * MINUTE_MS, NOW_MS + 4 * MINUTE_MS)
    assert world.runner.stats() == (ScheduleStats("close", True, *due_ms, 2, 1, 0, "throttled"),)
    disabled = World(_schedule("rate(2 minutes)", enabled=False)).runner
    assert disabled.stats() == (ScheduleStats("close", False, None, None, 0, 0, 0, ""),)


def test_the_event_is_the_programs_or_schedulers_own() -> None:
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    payload = json.dumps({"at": TIME, **{name: f"<aws.scheduler.{name}>" for name in names}})
    world = World(_schedule("at(2026-11-20T12:01:00)", payload=payload), lambda call: call == 1)
    world.run(MINUTE_MS)
    ((_, event),) = world.events
    assert event["schedule-arn"] == ARN
    assert event["attempt-number"] == "2"
    assert len(event["execution-id"]) == 16

    world = World(_schedule("at(2026-11-20T12:01:00)", payload=None))
    with pytest.raises(KeyError):
        world.run(MINUTE_MS)
    ((_, event),) = world.events
    assert event["source"] == "aws.scheduler"
    assert event["resources"] == [ARN]
    assert event["time"] == "2026-11-20T12:01:00Z"


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-20T12:00:30", ["2026-11-20T12:15", "2026-11-20T12:30"]),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-11-20T12:00:00", ["2026-11-21T02:00", "2026-11-22T02:00"]),
        ("cron(30 8 ? * MON-FRI *)", "UTC", "2026-11-20T09:00:00", ["2026-11-23T08:30", "2026-11-24T08:30"]),
        ("cron(0 0 1 JAN,JUL ? *)", "UTC", "2026-11-20T00:00:00", ["2027-01-01T00:00", "2027-07-01T00:00"]),
        ("cron(0 0 29 2 ? *)", "UTC", "2026-11-20T00:00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2027)", "UTC", "2026-11-20T00:00:00", ["2027-01-01T00:00", None]),
        # Clocks go forward at 02:00 on 2027-03-28, and back at 03:00 on 2026-10-25.
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2027-03-27T02:00:00", ["2027-03-29T00:30", "2027-03-30T00:30"]),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("at(2026-12-24T18:00:00)", "America/New_York", "2026-11-20T00:00:00", ["2026-12-24T23:00", None]),
    ],
)
def test_expressions_fire_in_their_zone(expression: str, timezone: str, after: str, expected: list[str | None]) -> None:
    parsed = parse_expression(expression, timezone)
    found: list[str | None] = []
    at_ms: int | None = _ms(after)
    for _ in expected:
        at_ms = None if at_ms is None else parsed.next_after(at_ms, 0)
        found.append(None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M"))
    assert found == expected


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("rate(0 minutes)", "is not rate"),
        ("rate(1 week)", "is not rate"),
        ("every minute", "is not rate"),
        ("cron(* * * * *)", "is not rate"),
        ("cron(0 0 * * * *)", "must be ?, and not both"),
        ("cron(60 0 * * ? *)", "60 is outside 0..59"),
        ("cron(0 0 L * ? *)", "'L' is not supported"),
        ("cron(30-10 0 * * ? *)", "runs backwards"),
        ("at(2026-02-30T00:00:00)", "is not a time"),
    ],
)
def test_a_malformed_expression_is_refused(expression: str, rule: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(expression)
    assert rule in str(caught.value)
    with pytest.raises(ExpressionError, match="'Mars' is not a time zone"):
        parse_expression("rate(1 minute)", "Mars")


def _state(**changes: Any) -> list[dict[str, Any]]:
    target = {"arn": FUNCTION, "roleArn": "r", "input": "{}", "deadLetterConfig": {"arn": QUEUE}}
    inputs: dict[str, Any] = {"scheduleExpression": "rate(5 minutes)", "flexibleTimeWindow": {"mode": "OFF"}}
    inputs |= {"target": target | {"retryPolicy": {"maximumRetryAttempts": 3.0}}} | changes
    function: dict[str, Any] = {
        "urn": "u::f",
        "type": "aws:lambda/function:Function",
        "id": "close",
        "outputs": {"arn": FUNCTION},
    }
    schedule = {"urn": "u::s", "type": "aws:scheduler/schedule:Schedule", "id": "default/s", "outputs": {"arn": ARN}}
    return [function, {**schedule, "inputs": inputs}]


def test_schedules_are_read_from_the_state() -> None:
    (schedule,) = load_wiring(_state(state="DISABLED", endDate="2027-01-01T00:00:00Z")).schedules
    assert schedule.function == FUNCTION
    assert (schedule.maximum_retries, schedule.maximum_age_ms) == (3, 86_400_000)
    assert schedule.failure_queue_arn == QUEUE
    assert not schedule.enabled
    assert schedule.end_ms == _ms("2027-01-01T00:00:00")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flexibleTimeWindow": {"mode": "FLEXIBLE"}}, "only OFF is supported"),
        ({"scheduleExpression": "cron(0 0 L * ? *)"}, "property scheduleExpression: cron"),
        ({"target": {"arn": QUEUE, "roleArn": "r"}}, "only a Lambda function of the stack is supported"),
        ({"target": {"arn": FUNCTION, "roleArn": "r", "ecsParameters": {"a": "b"}}}, "ecsParameters: not supported"),
        ({"kmsKeyArn": "k"}, "property kmsKeyArn: not supported"),
    ],
)
def test_a_schedule_that_cannot_be_executed_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WiringError) as caught:
        load_wiring(_state(**changes))
    assert message in str(caught.value)
