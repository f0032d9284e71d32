"""Splitting a partition, parents before children, and sharing the partitions out."""

from __future__ import annotations

import doctest
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from patterns.sequenced_log import (
    InvalidInputError,
    Outcome,
    PartitionClosedError,
    UnknownPartitionError,
    partitions,
    prefixes_of,
    route,
)
from patterns.sequenced_log.partitions import placement_of
from tests.faults import Crash, FaultyClient
from tests.patterns.sequenced_log.world import events, identified

if TYPE_CHECKING:
    from tests.patterns.sequenced_log.world import World


def test_a_split_closes_the_parent_to_every_appender_for_good(world: World) -> None:
    log, other = world.log(), world.log()
    log.append("a", identified("1", "2"))
    other.append("a", events("3"))
    assert log.split("a", ["a/0", "a/1"]) == 4
    assert log.split("a", ["a/0", "a/1"]) == 4, "again changes nothing"
    for appender in (log, other, world.log()):
        with pytest.raises(PartitionClosedError) as closed:
            appender.append("a", events("late"))
        assert closed.value.children == ("a/0", "a/1")
    assert log.append("a", identified("2")).sequences == (2,), "an event of before is still recognised"
    with pytest.raises(PartitionClosedError):
        log.split("a", ["a/2", "a/3"])
    assert log.append("a/0", events("x")).sequences == (1,)
    parent, child = world.partitions().get("a"), world.partitions().get("a/1")
    assert parent is not None
    assert child is not None
    assert (parent.children, child.parent) == (("a/0", "a/1"), "a")


def test_children_wait_until_the_parent_is_done(world: World) -> None:
    log = world.log()
    log.append("a", events("1", "2"))
    log.split("a", ["b", "c"])
    log.append("b", events("3"))
    consumer = world.consumer()
    assert consumer.run("b").outcome is Outcome.WAITS_FOR_PARENT
    with pytest.raises(InvalidInputError, match="partition = 'b': waits for its parent 'a'"):
        consumer.replay("b", 0)
    report = consumer.run("a")
    assert (report.outcome, report.handled, report.children) == (Outcome.FINISHED, 2, ("b", "c"))
    assert consumer.run("a").children == ("b", "c"), "whoever comes again learns again where to go on"
    assert consumer.run("b").outcome is Outcome.CAUGHT_UP
    assert world.handled == [("a", 1), ("a", 2), ("b", 1)]
    assert [lag.partition for lag in consumer.lags(["a", "b", "c"])] == ["b", "c"]


def test_skipping_to_the_end_of_a_split_partition_does_not_skip_its_children(world: World) -> None:
    log = world.log()
    log.append("a", events("1", "2"))
    assert log.split("a", ["b", "c"]) == 3
    log.append("b", events("3"))
    consumer = world.consumer()
    consumer.replay("a", 3)
    report = consumer.run("a")
    assert (report.outcome, report.handled, report.children) == (Outcome.FINISHED, 0, ("b", "c"))
    assert consumer.run("b").outcome is Outcome.CAUGHT_UP
    assert world.handled == [("b", 1)]


def test_a_crash_at_any_call_of_a_split_and_another_try_split_once(world: World) -> None:
    for call in range(6):
        for trouble in ("crash before", "crash after", "lost answer", "conflict"):
            name = f"{call}-{trouble}"
            world.log().append(name, events("1"))
            children = [f"{name}/0", f"{name}/1"]
            with suppress(Crash):
                world.log(FaultyClient(world.client, {call: trouble})).split(name, children)
            assert world.log().split(name, children) == 2
            assert world.stored_numbers(name) == [1, 2]


def test_an_appender_that_races_the_split_gets_in_before_it_or_is_told(world: World) -> None:
    world.log().append("a", events("1"))
    late = {1: lambda: world.log().append("a", events("2"))}
    assert world.log(FaultyClient(world.client, late)).split("a", ["b", "c"]) == 3
    world.log().append("d", events("1"))
    split = {1: lambda: world.log().split("d", ["e", "f"])}
    with pytest.raises(PartitionClosedError):
        world.log(FaultyClient(world.client, split)).append("d", events("2"))


@pytest.mark.parametrize(
    ("children", "message"),
    [
        (["b"], "children = ['b']: must be 2..16 different names"),
        (["b", "b"], "must be 2..16 different names"),
        (["b", "a"], "children = ['b', 'a']: must be 2..16 different names, none of them the parent's"),
        (["b", "x~"], "without '~'"),
        (["b", "used"], "children = ['used']: must be names that have never been used"),
    ],
)
def test_a_bad_split_says_why_and_changes_nothing(world: World, children: list[str], message: str) -> None:
    log = world.log()
    log.append("a", events("1"))
    log.append("used", events("1"))
    with pytest.raises(InvalidInputError) as error:
        log.split("a", children)
    assert message in str(error.value)
    assert log.append("a", events("2")).sequences == (2,)
    with pytest.raises(UnknownPartitionError, match="'unknown' is not registered"):
        log.split("unknown", ["y", "z"])


@pytest.mark.parametrize("instances", [1, 2, 3, 16, 17, 256])
def test_every_placement_has_exactly_one_instance_and_shares_are_even(instances: int) -> None:
    shares = [prefixes_of(instance, instances) for instance in range(instances)]
    for number in range(300):
        placement = placement_of(f"player-{number}")
        assert sum(placement.startswith(share) for share in shares) == 1
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_instances_read_their_partitions_from_the_index(world: World) -> None:
    log = world.log()
    names = {f"player-{number}" for number in range(20)}
    for name in names:
        log.append(name, events("1"))
        log.append(name, events("2"))
    counting = FaultyClient(world.client)
    registry = world.partitions(counting)
    shares = [{partition.name for partition in registry.assigned(instance, 3)} for instance in range(3)]
    assert set().union(*shares) == names
    assert sum(map(len, shares)) == len(names)
    assert set(counting.calls) == {"query"}
    for instance, instances in ((0, 0), (0, 257), (3, 3), (-1, 3)):
        with pytest.raises(InvalidInputError, match="instance"):
            list(registry.assigned(instance, instances))


def test_a_route_is_stable_and_moves_only_to_a_newcomer() -> None:
    before = {f"key-{n}": route(f"key-{n}", ["x", "y"]) for n in range(200)}
    after = {key: route(key, ["y", "x", "z"]) for key in before}
    assert set(after.values()) == {"x", "y", "z"}
    assert all(after[key] in (before[key], "z") for key in before)
    with pytest.raises(InvalidInputError, match="must name at least one"):
        route("key", [])


def test_the_examples_of_the_docstrings() -> None:
    assert doctest.testmod(partitions).failed == 0
