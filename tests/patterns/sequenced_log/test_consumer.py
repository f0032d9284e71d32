"""Consuming: in order, one run at a time, from the checkpoint, to the end; parking, replay, lag."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from patterns.sequenced_log import GapError, InvalidInputError, Lag, NewEvent, Outcome, TooManyActionsError
from tests.faults import Crash, FaultyClient
from tests.patterns.sequenced_log.world import events, moving

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.sequenced_log import Event
    from tests.patterns.sequenced_log.world import World


def test_a_run_catches_up_and_the_next_one_goes_on(world: World) -> None:
    log = world.log()
    log.append("a", events("1", "2", "3"))
    report = world.run()
    assert (report.outcome, report.handled, report.sequence) == (Outcome.CAUGHT_UP, 3, 3)
    assert world.run().handled == 0, "a duplicate trigger finds nothing to do"
    log.append("a", events("4"))
    log.append("b", events("1"))
    assert [world.run().handled, world.run("b").handled, world.run("nothing here").handled] == [1, 1, 0]
    assert world.handled == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 1)]
    assert world.run(name="another consumer").handled == 4


def test_out_of_time_inside_a_batch_the_next_invocation_goes_on_there(world: World) -> None:
    world.log().append("a", events(*"12345"))
    consumer = world.consumer(moving(world, world.note, 100))
    outcomes = [consumer.run("a", deadline_ms=world.now_ms + 200).outcome for _ in range(3)]
    assert outcomes == [Outcome.OUT_OF_TIME, Outcome.OUT_OF_TIME, Outcome.CAUGHT_UP]
    assert [number for _, number in world.handled] == [1, 2, 3, 4, 5]


def test_only_one_run_is_active_and_it_does_not_stop_short_of_what_another_was_triggered_for(world: World) -> None:
    log = world.log()
    log.append("a", events("1"))
    seen: list[Any] = []

    def triggered_meanwhile(event: Event) -> None:
        world.note(event)
        seen.append(world.consumer().run("a", wanted=event.sequence).outcome)

    assert world.run("a", triggered_meanwhile).outcome is Outcome.CAUGHT_UP
    assert seen == [Outcome.BUSY]

    # The event arrives after the active run has read to the end, its trigger before that run has given the lease back.
    consumer = world.consumer()
    lease = consumer.checkpoints.acquire("a", "active run", 0)
    log.append("a", events("2"))
    assert world.consumer().run("a", wanted=2).outcome is Outcome.BUSY
    assert not consumer.checkpoints.release(lease, 1, unless_wanted=True), "it must look again"
    assert consumer.checkpoints.release(lease, 2, unless_wanted=True)


def test_a_wish_for_an_event_that_does_not_exist_keeps_nobody_busy(world: World) -> None:
    world.log().append("a", events("1"))

    def mistaken(event: Event) -> None:
        world.note(event)
        world.consumer().run("a", wanted=1_000)

    assert world.run("a", mistaken).outcome is Outcome.CAUGHT_UP


def test_a_zombie_is_fenced_from_checkpoint_effects_and_release(world: World) -> None:
    world.log().append("a", events(*"123"))
    table = world.events_table
    effect: Any = {
        "Put": {"TableName": table, "Item": {"partition": {"S": "~effect of a zombie"}, "sequence": {"N": "0"}}}
    }

    def paused(event: Event) -> Any:
        if event.sequence == 2:
            world.now_ms += 10_000  # longer than the lease
            assert world.run("a").sequence == 3
            assert world.consumer().checkpoints.get("a").sequence == 3
        return [effect] if event.sequence == 2 else None

    report = world.run("a", paused, checkpoint_every=1)
    assert report.outcome is Outcome.LEASE_LOST
    at = world.consumer().checkpoints.get("a")
    assert (at.sequence, at.active) == (3, False)
    assert world.item(table, effect["Put"]["Item"]) is None


def test_a_zombies_effect_is_refused_although_its_successor_has_not_come_as_far(world: World) -> None:
    """The token fences, not the place: a successor that has only just taken over, or an operator who has rewound."""
    key: Any = {"partition": {"S": "~effect of a zombie"}, "sequence": {"N": "0"}}

    def successor() -> None:
        world.now_ms += 10_000  # longer than the lease
        world.consumer().checkpoints.acquire("a", "successor", 0)

    world.log().append("a", events(*"12"))
    for take_over in (successor, lambda: world.consumer().replay("a", 0)):
        world.consumer().replay("a", 0)

        def paused(event: Event, take_over: Callable[[], object] = take_over) -> Any:
            if event.sequence == 1:
                return None
            take_over()
            return [{"Put": {"TableName": world.events_table, "Item": key}}]

        assert world.run("a", paused).outcome is Outcome.LEASE_LOST
        assert world.item(world.events_table, key) is None
        assert world.consumer().checkpoints.get("a").sequence == 0


def test_effects_returned_by_the_handler_are_written_with_the_checkpoint(world: World) -> None:
    world.log().append("a", events(*"12"))

    def count_up(event: Event) -> Any:
        return [
            {
                "Update": {
                    "TableName": world.events_table,
                    "Key": {"partition": {"S": "~counter"}, "sequence": {"N": "0"}},
                    "UpdateExpression": "ADD counted :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            }
        ] * (event.sequence == 2)

    assert world.run("a", count_up).handled == 2
    assert world.run("a", count_up).handled == 0
    key: Any = {"partition": {"S": "~counter"}, "sequence": {"N": "0"}}
    assert world.item(world.events_table, key) == {**key, "counted": {"N": "1"}}


def test_a_poison_event_is_tried_parked_passed_and_handled_at_an_operators_word(world: World) -> None:
    world.log().append("a", events(*"1234"))
    healed = False

    def handle(event: Event) -> None:
        if event.sequence == 3 and not healed:
            raise ValueError("cannot digest")
        world.note(event)

    report = world.run("a", handle)
    assert (report.outcome, report.handled, report.failures, report.parked) == (Outcome.CAUGHT_UP, 3, 3, 1)
    assert [number for _, number in world.handled] == [1, 2, 4]
    assert len(world.waits_s) == 2, "a wait between the attempts"
    consumer = world.consumer(handle)
    (parked,) = consumer.checkpoints.parked()
    assert (parked.partition, parked.sequence, parked.attempts) == ("a", 3, 3)
    assert parked.reason == "ValueError: cannot digest"
    assert parked.parked_at_ms == world.now_ms
    assert list(consumer.checkpoints.parked("a")) == [parked]
    assert list(consumer.checkpoints.parked("other")) == []

    with pytest.raises(ValueError, match="cannot digest"):
        consumer.redrive("a", 3)
    healed = True
    consumer.redrive("a", 3)
    assert list(consumer.checkpoints.parked()) == []
    assert world.handled[-1] == ("a", 3)
    with pytest.raises(InvalidInputError, match="sequence = 3: is not parked"):
        consumer.redrive("a", 3)


@pytest.mark.parametrize("trouble", ["conflict", "throttle", "lost answer", "crash before", "crash after"])
def test_trouble_at_any_call_of_a_redrive_makes_its_effect_once(world: World, trouble: str) -> None:
    key: Any = {"partition": {"S": "~counter"}, "sequence": {"N": "0"}}

    def count_up(_event: Event) -> Any:
        add = {"UpdateExpression": "ADD counted :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
        return [{"Update": {"TableName": world.events_table, "Key": key, **add}}]

    def refuse(_event: Event) -> None:
        raise ValueError

    for call in range(3):
        world.log().append("a", events("x"))
        world.run("a", refuse)
        with suppress(Crash):
            world.consumer(count_up, client=FaultyClient(world.client, {call: trouble})).redrive("a", call + 1)
        with suppress(InvalidInputError):
            world.consumer(count_up).redrive("a", call + 1)
        assert world.item(world.events_table, key) == {**key, "counted": {"N": str(call + 1)}}
        assert list(world.consumer().checkpoints.parked()) == []


def test_a_reason_that_dynamodb_would_refuse_does_not_keep_an_event_from_being_parked(world: World) -> None:
    def refuse(_event: Event) -> None:
        raise ValueError("half a pair: \ud83d" + "x" * 2_000)

    world.log().append("a", events("1"))
    assert world.run("a", refuse, attempts=1).parked == 1
    (parked,) = world.consumer().checkpoints.parked()
    assert parked.reason == ("ValueError: half a pair: ?" + "x" * 2_000)[:1_000]


def test_more_actions_than_a_transaction_holds_are_a_failure_in_a_run_and_in_a_redrive(world: World) -> None:
    def too_many(_event: Event) -> Any:
        return ["an action"] * 100

    world.log().append("a", events("1"))
    assert world.run("a", too_many, attempts=1).parked == 1
    (parked,) = world.consumer().checkpoints.parked()
    assert parked.reason == "TooManyActionsError: 100 actions: a transaction has room for 99"
    with pytest.raises(TooManyActionsError, match="room for 99"):
        world.consumer(too_many).redrive("a", 1)


def test_attempts_add_up_over_runs_that_have_no_time_for_the_wait(world: World) -> None:
    world.log().append("a", events("1", "2"))

    def handle(event: Event) -> None:
        if event.sequence == 1:
            raise ValueError
        world.note(event)

    consumer = world.consumer(handle)
    reports = [consumer.run("a", deadline_ms=world.now_ms + 1) for _ in range(3)]
    assert [report.parked for report in reports] == [0, 0, 1]
    assert world.handled == [("a", 2)]


def test_replay_from_a_position_and_skipping_ahead(world: World) -> None:
    world.log().append("a", events(*"12345"))
    consumer = world.consumer()
    consumer.run("a")
    consumer.replay("a", 3)
    assert consumer.run("a").handled == 2
    consumer.replay("a", 0)
    consumer.replay("a", 5)
    assert consumer.run("a").handled == 0
    for after, rule in ((-1, "at least 0"), (6, "the partition has 5 events")):
        with pytest.raises(InvalidInputError, match=f"after = {after}: .*{rule}"):
            consumer.replay("a", after)


def test_replay_fences_the_active_run(world: World) -> None:
    world.log().append("a", events(*"123"))

    def handle(event: Event) -> None:
        world.note(event)
        if event.sequence == 2:
            world.consumer().replay("a", 0)

    assert world.run("a", handle).outcome is Outcome.LEASE_LOST
    assert world.run("a").sequence == 3
    assert [number for _, number in world.handled] == [1, 2, 3, 1, 2, 3]


def test_a_gap_stops_the_partition_after_what_precedes_it(world: World) -> None:
    for note in "123":
        world.log().append("a", events(note))
    world.client.delete_item(TableName=world.events_table, Key={"partition": {"S": "a"}, "sequence": {"N": "2"}})
    for _ in range(2):
        with pytest.raises(GapError):
            world.run()
    at = world.consumer().checkpoints.get("a")
    assert (world.handled, at.sequence, at.active) == ([("a", 1)], 1, False)


def test_lag_is_the_distance_to_the_head(world: World) -> None:
    log, consumer = world.log(), world.consumer()
    log.append("a", events(*"123"))
    log.append("b", [NewEvent({})])
    consumer.run("b")
    assert consumer.lags(["a", "b", "new"]) == [
        Lag("a", head=3, sequence=0, active=False),
        Lag("b", head=1, sequence=1, active=False),
        Lag("new", head=0, sequence=0, active=False),
    ]
    consumer.checkpoints.acquire("b", "holder", 0)
    assert consumer.lags(["b"])[0].active
    world.now_ms += 1_001
    assert not consumer.lags(["b"])[0].active


def test_a_lease_of_zero_and_other_impossible_settings(world: World) -> None:
    consumer = world.consumer()
    for make, message in [
        (lambda: type(consumer.checkpoints)(
            client=world.client, table_name="t", consumer="c", clock=world.clock, retries=world.retries(), lease_ms=0
        ), "lease_ms = 0: must be at least 1"),
        (lambda: world.consumer(checkpoint_every=0), "checkpoint_every = 0"),
        (lambda: world.consumer(name="a~b"), "consumer = 'a~b'"),
        (lambda: world.log(remember_ids_ms=0), "remember_ids_ms = 0"),
    ]:  # fmt: skip
        with pytest.raises(InvalidInputError) as error:
            make()
        assert message in str(error.value)
