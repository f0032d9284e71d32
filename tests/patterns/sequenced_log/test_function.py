"""The consumer as a Lambda function: triggers, handing over, children, sweeps, metrics, failures."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from patterns.sequenced_log import InvalidInputError
from patterns.sequenced_log.environment import LogEnvironment
from patterns.sequenced_log.function import ConsumerFunction
from patterns.sequenced_log.metrics import NAMESPACE
from tests.patterns.sequenced_log.world import events, moving

if TYPE_CHECKING:
    from patterns.sequenced_log import Event, Handler
    from tests.patterns.sequenced_log.world import World


@dataclass
class Context:
    """Lambda's context."""

    remaining_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class Host:
    """The function, and what it would have sent to others."""

    world: World
    handle: Handler | None = None
    sweepers: int = 1
    invoked: list[Any] = field(default_factory=list[Any])
    metrics: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __call__(self, event: dict[str, Any], remaining_ms: int = 60_000) -> list[str]:
        return [failure["itemIdentifier"] for failure in self.ask(event, remaining_ms)["batchItemFailures"]]

    def ask(self, event: dict[str, Any], remaining_ms: int = 60_000) -> dict[str, Any]:
        function = ConsumerFunction(
            consumer=self.world.consumer(self.handle),
            invoke_again=self.invoked.append,
            emit=lambda line: self.metrics.append(json.loads(line)),
            sweepers=self.sweepers,
        )
        return function(event, Context(remaining_ms))

    def total(self, metric: str) -> int:
        return sum(line.get(metric, 0) for line in self.metrics)


def record(partition: str, sequence: int, number: str, length: int = 1) -> dict[str, Any]:
    image = {"length": {"N": str(length)}}
    keys = {"partition": {"S": partition}, "sequence": {"N": str(sequence)}}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image, "SequenceNumber": number}}


def test_a_trigger_runs_each_partition_once_and_a_second_delivery_does_nothing(world: World) -> None:
    world.log().append("a", events(*"123"))
    world.log().append("b", events("1"))
    host = Host(world)
    trigger = {"Records": [record("a", 1, "100", 3), record("b", 1, "101"), record("a", 4, "102")]}
    assert host(trigger) == []
    assert host(trigger) == []
    assert world.handled == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert host.total("Handled") == 4
    assert (host.metrics[0]["Table"], host.metrics[0]["Consumer"]) == (world.events_table, "settlement")
    assert host.metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE


def test_records_in_the_wrong_order_after_a_redelivery_are_handled_in_the_right_one(world: World) -> None:
    for note in "123":
        world.log().append("a", events(note))
    backwards = {"Records": [record("a", 3, "102"), record("a", 1, "100"), record("a", 2, "101")]}
    checkpoints = world.consumer().checkpoints
    active = checkpoints.acquire("a", "an active run that has read on to 2", 0, first=True)
    assert Host(world)(backwards) == []
    assert not checkpoints.release(active, 2, unless_wanted=True), "it has been told of 3"
    assert checkpoints.release(active, 0)
    assert Host(world)(backwards) == []
    assert world.handled == [("a", 1), ("a", 2), ("a", 3)]


def test_out_of_time_it_hands_over_until_all_is_done(world: World) -> None:
    for partition in "ab":
        world.log().append(partition, events(*"12345"))
    host = Host(world, moving(world, world.note, 1_000))
    host({"Records": [record("a", 1, "100", 5), record("b", 1, "101", 5)]}, remaining_ms=5_000)
    assert host.invoked == [{"partition": "a"}, {"partition": "b"}]
    for number, event in enumerate(host.invoked):  # grows while it lasts
        assert number < 10
        host(event, remaining_ms=5_000)
    assert sorted(world.handled) == [(partition, n) for partition in "ab" for n in range(1, 6)]


def test_the_run_that_finishes_a_parent_goes_on_with_its_children(world: World) -> None:
    log = world.log()
    log.append("a", events("1"))
    log.split("a", ["b", "c"])
    log.append("c", events("2"))
    host = Host(world)
    assert host({"Records": [record("c", 1, "100")]}) == []
    assert world.handled == []
    host({"Records": [record("a", 1, "99"), record("a", 2, "101")]})
    assert world.handled == [("a", 1), ("c", 1)]


def test_a_partition_that_cannot_be_run_is_handed_back_and_holds_up_no_other(world: World) -> None:
    for note in "123":
        world.log().append("a", events(note))
    world.log().append("b", events("1"))
    world.client.delete_item(TableName=world.events_table, Key={"partition": {"S": "a"}, "sequence": {"N": "2"}})
    host = Host(world)
    assert host({"Records": [record("a", 1, "100"), record("b", 1, "101"), record("a", 2, "102")]}) == ["100"]
    assert world.handled == [("a", 1), ("b", 1)]
    assert host.total("Gaps") == 1
    with pytest.raises(ExceptionGroup):
        host({"partition": "a"})


def test_a_sweep_finds_what_nobody_was_triggered_for_and_measures_the_lag(world: World) -> None:
    world.log().append("a", events(*"123"))
    world.log().append("b", events("1"))
    world.log().append("c", events("1"))
    world.run("b")
    world.consumer().checkpoints.acquire("c", "a run that is alive", 0, first=True)
    host = Host(world)
    host({"scheduled_time": "2026-11-20T13:00:00Z"})
    assert (host.total("Lag"), host.total("LaggingPartitions")) == (3, 2)
    assert [partition for partition, _ in world.handled] == ["b", "a", "a", "a"]
    assert sum("Handled" in line for line in host.metrics) == 1, "no run where one is active or nothing is left"
    world.now_ms += 1_001
    host({"scheduled_time": "2026-11-20T13:01:00Z"})
    assert world.handled[-1] == ("c", 1), "its run has died"


def test_a_sweep_without_time_for_all_partitions_says_so(world: World) -> None:
    world.log().append("a", events("1"))
    host = Host(world)
    host({"scheduled_time": "2026-11-20T13:00:00Z"}, remaining_ms=3_000)
    assert (host.total("UnsweptPartitions"), world.handled) == (1, [])


def test_a_divided_sweep_covers_every_partition_once(world: World) -> None:
    for number in range(12):
        world.log().append(f"p{number}", events("1"))
    host = Host(world, sweepers=3)
    host({"scheduled_time": "2026-11-20T13:00:00Z"})
    assert (len(host.invoked), world.handled) == (3, [])
    for event in host.invoked:
        host(event)
    assert sorted(world.handled) == sorted((f"p{number}", 1) for number in range(12))


def test_an_operator_lists_what_is_parked_redrives_it_and_replays(world: World) -> None:
    world.log().append("a", events(*"12"))
    world.log().append("b", events("1"))
    broken = True

    def handle(event: Event) -> None:
        if broken:
            raise ValueError("cannot digest")
        world.note(event)

    host = Host(world, handle)
    host({"Records": [record("a", 1, "100", 2), record("b", 1, "101")]})
    parked = host.ask({"parked": {}})["parked"]
    assert [(each["partition"], each["sequence"]) for each in parked] == [("a", 1), ("a", 2), ("b", 1)]
    assert parked[0]["reason"] == "ValueError: cannot digest"
    assert json.loads(json.dumps(parked)) == parked, "an answer of Lambda's is JSON"
    assert [each["partition"] for each in host.ask({"parked": {"partition": "b"}})["parked"]] == ["b"]

    broken = False
    host.ask({"redrive": {"partition": "b", "sequence": 1}})
    assert world.handled == [("b", 1)]
    with pytest.raises(InvalidInputError, match="sequence = 1: is not parked"):
        host.ask({"redrive": {"partition": "b", "sequence": 1}})
    host.ask({"replay": {"partition": "a", "after": 1}})
    assert world.handled == [("b", 1), ("a", 2)], "it runs at once"
    with pytest.raises(InvalidInputError, match="after = 3: the partition has 2 events"):
        host.ask({"replay": {"partition": "a", "after": 3}})


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            {"redrive": {"partition": "a"}},
            "redrive = {'partition': 'a'}: must be an object with partition and sequence",
        ),
        ({"redrive": {"partition": "a", "sequence": "1"}}, "sequence = '1'"),
        ({"redrive": ["a", 1]}, "redrive = ['a', 1]: must be an object"),
        ({"replay": {"partition": "a", "before": 1}}, "must be an object with partition and after"),
        ({"replay": {"partition": 7, "after": 1}}, "partition = 7"),
        ({"parked": {"of": "a"}}, "parked = {'of': 'a'}: may name partition"),
        ({"parked": True}, "parked = True: may name partition"),
    ],
)
def test_an_order_that_makes_no_sense_says_why(world: World, asked: dict[str, Any], text: str) -> None:
    world.log().append("a", events("1"))
    with pytest.raises(InvalidInputError, match=re.escape(text)):
        Host(world, world.note).ask(asked)
    assert world.handled == []


def test_a_missing_or_malformed_variable_is_named() -> None:
    good = dict.fromkeys(LogEnvironment.variables(), "1")
    assert LogEnvironment.from_environ(good).lease_ms == 1
    for name, value in (("SEQUENCED_LOG_EVENTS_TABLE", ""), ("SEQUENCED_LOG_LEASE_MS", "1.5")):
        with pytest.raises(InvalidInputError, match=name):
            LogEnvironment.from_environ({**good, name: value})
