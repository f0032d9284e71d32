"""Faults: whatever call a run dies at, another takes up what it left, and nothing is lost or done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from patterns.sequenced_log import Outcome
from tests.faults import Crash, FaultyClient
from tests.patterns.sequenced_log.world import events

if TYPE_CHECKING:
    from patterns.sequenced_log import Event
    from tests.patterns.sequenced_log.world import World

POISON = 3


def _counter(partition: str) -> Any:
    return {"partition": {"S": f"~{partition}"}, "sequence": {"N": "0"}}


def _handle(world: World, event: Event) -> Any:
    """Add the event's number to the partition's sum, in the checkpoint's transaction, but for the first, a plain one.

    Refuse the poison event.
    """
    if event.sequence == POISON:
        raise ValueError("poison")
    world.handled.append((event.partition, event.sequence))
    if event.sequence == 1:
        return None
    update = {
        "TableName": world.events_table,
        "Key": _counter(event.partition),
        "UpdateExpression": "ADD summed :n, counted :one",
        "ExpressionAttributeValues": {":n": {"N": str(event.sequence)}, ":one": {"N": "1"}},
    }
    return [{"Update": update}]


@pytest.mark.parametrize(
    ("trouble", "then_throttled"),
    [("crash before", 0), ("crash after", 0), ("lost answer", 0), ("conflict", 0), ("lost answer", 8)],
)
def test_trouble_at_every_call_of_a_run_changes_nothing_in_the_end(
    world: World, trouble: str, then_throttled: int
) -> None:
    """Exactly-once effects, one poison event parked once, the end of a split partition reached, whatever dies when.

    A lost answer that nobody can make up for, because all further attempts are throttled, is the hardest: the run ends
    without knowing how far it came.
    """
    call = 0
    reached = True
    while reached:
        partition = f"p{call}"
        log = world.log()
        log.append(partition, events(*"123"))
        log.append(partition, events("4"))
        log.split(partition, [f"{partition}/0", f"{partition}/1"])
        throttled = dict.fromkeys(range(call + 1, call + 1 + then_throttled), "throttle")
        client = FaultyClient(world.client, {call: trouble, **throttled})
        for _ in range(10):  # redelivered until a run is done
            consumer = world.consumer(lambda event: _handle(world, event), client=client, attempts=2)
            try:
                report = consumer.run(partition)
            except (Crash, ClientError):
                world.now_ms += 2_000  # the lease runs out
                continue
            if report.outcome is Outcome.FINISHED:
                break
        else:
            pytest.fail(f"call {call}: never done")
        sums = world.item(world.events_table, _counter(partition))
        assert sums is not None, call
        assert (sums["summed"], sums["counted"]) == ({"N": str(2 + 4)}, {"N": "2"}), call
        checkpoints = world.consumer().checkpoints
        assert [parked.sequence for parked in checkpoints.parked(partition)] == [POISON], call
        at = checkpoints.get(partition)
        assert (at.sequence, at.finished, at.active) == (5, True, False), call
        reached = sum(client.calls.values()) > call
        call += 1
    assert call > 10


@pytest.mark.parametrize("trouble", ["crash before", "crash after"])
def test_effects_of_the_handlers_own_are_at_least_once_and_in_order(world: World, trouble: str) -> None:
    for call in range(8):
        partition = f"p{call}"
        for notes in ("12", "3"):
            world.log().append(partition, events(*notes))
        client = FaultyClient(world.client, {call: trouble})
        for _ in range(3):
            try:
                world.consumer(client=client, checkpoint_every=2).run(partition)
            except Crash:
                world.now_ms += 2_000
        numbers = [number for name, number in world.handled if name == partition]
        assert list(dict.fromkeys(numbers)) == [1, 2, 3]
        assert numbers == sorted(numbers) or numbers[numbers.index(1, 1) :] == [1, 2, 3]


def test_an_event_that_kills_its_function_every_time_is_parked_too(world: World) -> None:
    world.log().append("a", events(*"12345"))

    def handle(event: Event) -> None:
        if event.sequence == 4:
            raise Crash
        world.note(event)

    for _ in range(10):
        try:
            report = world.run("a", handle)
            break
        except Crash:
            world.now_ms += 2_000
    else:
        pytest.fail("never parked")
    assert (report.outcome, report.parked, report.sequence) == (Outcome.CAUGHT_UP, 1, 5)
    (parked,) = world.consumer().checkpoints.parked("a")
    assert (parked.sequence, parked.attempts) == (4, 3)
    assert "ended without a word" in parked.reason


def test_a_dead_run_holds_the_partition_only_until_its_lease_ends(world: World) -> None:
    world.log().append("a", events("1"))

    def die(_event: Event) -> None:
        raise Crash

    with pytest.raises(Crash):
        world.run("a", die)
    assert world.run().outcome is Outcome.BUSY
    world.now_ms += 1_001
    assert world.run().outcome is Outcome.CAUGHT_UP


def test_trouble_that_outlasts_the_retries_is_raised_and_the_lease_given_back(world: World) -> None:
    world.log().append("a", events("1"))
    busy = dict.fromkeys(range(3, 11), "throttle")  # the query for the events: eight attempts
    with pytest.raises(ClientError, match="injected"):
        world.run(client=FaultyClient(world.client, busy))
    assert world.handled == []
    assert world.run().outcome is Outcome.CAUGHT_UP


def test_a_dynamodb_in_trouble_is_no_events_fault_and_parks_none(world: World) -> None:
    """Neither when the handler's own call meets it nor when the effect's transaction does, however few the attempts."""
    world.log().append("a", events("1", "2"))
    meetings = iter([EndpointConnectionError(endpoint_url="https://dynamodb")])

    def handle(event: Event) -> Any:
        for trouble in meetings:
            raise trouble
        return _handle(world, event)

    with pytest.raises(EndpointConnectionError):
        world.run("a", handle, attempts=1)
    throttled = dict.fromkeys(range(2, 10), "throttle")  # after the lease and the query, the effect's eight attempts
    with pytest.raises(ClientError, match="injected"):
        world.run("a", handle, client=FaultyClient(world.client, throttled), attempts=1)
    assert world.run("a", handle, attempts=1).sequence == 2
    assert list(world.consumer().checkpoints.parked()) == []
    sums = world.item(world.events_table, _counter("a"))
    assert sums is not None
    assert sums["counted"] == {"N": "1"}
