"""Retries, bisecting, age and throttling: what is tried again how often, and what is given up."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.delivery.mappings import Batching
from local.delivery.ports import NotReachedError
from local.delivery.shard import Backoff
from tests.delivery.world import DYNAMODB, World, mapping, of, sequence_numbers

if TYPE_CHECKING:
    from local.delivery.records import Json

AGE_MS = 60_000


def info(message: object) -> dict[str, object]:
    return cast("dict[str, dict[str, object]]", message)["KinesisBatchInfo"]


def condition(message: object) -> object:
    return cast("dict[str, dict[str, object]]", message)["requestContext"]["condition"]


@settings(max_examples=80)
@given(
    count=st.integers(1, 40),
    poison=st.sets(st.integers(0, 39), max_size=5),
    batch_size=st.integers(1, 40),
    parallelization=st.integers(1, 4),
    retries=st.integers(0, 3),
    reports=st.booleans(),
)
def test_bisecting_gives_up_exactly_the_poison_records_each_after_its_own_retries(
    *,
    count: int,
    poison: set[int],
    batch_size: int,
    parallelization: int,
    retries: int,
    reports: bool,
) -> None:
    handled: set[str] = set()
    alone: dict[str, int] = {}

    def handler(event: Json) -> object:
        batch = sequence_numbers(event)
        bad = [number for number in batch if number in poisoned]
        if len(batch) == 1 and bad:
            alone[batch[0]] = alone.get(batch[0], 0) + 1
        if bad and not reports:
            raise ValueError("poison")
        handled.update(batch[: batch.index(bad[0])] if bad else batch)
        return {"batchItemFailures": [{"itemIdentifier": number} for number in bad]}

    batching = Batching(batch_size, bisect=True, maximum_retries=retries, parallelization=parallelization)
    world = World(of(mapping(batching, report=reports)), handler)
    numbers = world.put([str(n % 7) for n in range(count)])
    poisoned = {numbers[n] for n in poison if n < count}
    world.run(for_ms=30_000)
    assert handled == set(numbers) - poisoned
    assert sorted(str(info(message)["startSequenceNumber"]) for message in world.discarded()) == sorted(poisoned)
    assert all(info(message)["batchSize"] == 1 for message in world.discarded())
    assert all(alone[number] >= 1 + retries for number in poisoned)
    assert world.engine.idle


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_without_bisect_the_whole_batch_is_retried_and_then_given_up_and_the_next_goes_on(retries: int) -> None:
    batches: list[list[str]] = []

    def handler(event: Json) -> None:
        batches.append(sequence_numbers(event))
        if numbers[0] in batches[-1]:
            raise ValueError("poison")

    world = World(of(mapping(Batching(3, maximum_retries=retries))), handler)
    numbers = world.put("abcdef")
    world.run()
    assert batches == [numbers[:3]] * (1 + retries) + [numbers[3:]]
    (message,) = world.discarded()
    assert condition(message) == "RetryAttemptsExhausted"
    assert info(message)["batchSize"] == 3


def test_throttles_use_up_no_retries() -> None:
    throttles = iter(range(50))
    handled: list[str] = []

    def throttle(function: str, event: Json) -> None:
        if next(throttles, None) is not None:
            raise NotReachedError("429")

    batching = Batching(10, maximum_retries=0, bisect=True)
    world = World(of(mapping(batching)), lambda event: handled.extend(sequence_numbers(event)), before=throttle)
    numbers = world.put("abc")
    world.run(for_ms=10_000)
    assert handled == numbers
    assert world.engine.stats()[0].not_reached == 50
    assert world.discarded() == []


@pytest.mark.parametrize("reached", [True, False])
def test_records_that_are_too_old_are_given_up_whether_the_function_fails_or_cannot_be_reached(reached: bool) -> None:
    def before(function: str, event: Json) -> None:
        if not reached and old in sequence_numbers(event):
            raise NotReachedError("429")

    def handler(event: Json) -> None:
        if old in sequence_numbers(event):
            raise ValueError("poison")
        handled.extend(sequence_numbers(event))

    handled: list[str] = []
    world = World(of(mapping(Batching(10, maximum_age_ms=AGE_MS))), handler, before=before)
    (old,) = world.put("a")
    world.run(for_ms=AGE_MS // 2)
    young = world.put("bc")
    assert world.discarded() == []
    world.run(for_ms=AGE_MS // 2 + 1000)
    (message,) = world.discarded()
    assert (condition(message), info(message)["startSequenceNumber"]) == ("RecordAgeExceeded", old)
    assert handled == young


def test_a_record_that_becomes_too_old_while_its_retry_waits_is_given_up_then() -> None:
    def handler(event: Json) -> None:
        raise ValueError("poison")

    backoff = Backoff(base_ms=10 * AGE_MS, longest_ms=10 * AGE_MS)
    world = World(of(mapping(Batching(10, maximum_age_ms=AGE_MS))), handler, backoff=backoff)
    world.put("a")
    world.run(for_ms=AGE_MS + 1)
    assert [condition(message) for message in world.discarded()] == ["RecordAgeExceeded"]


def test_halves_of_halves_keep_the_order_and_wait_no_longer_each_time() -> None:
    handled: list[str] = []
    handled_ms: list[int] = []

    def handler(event: Json) -> None:
        batch = sequence_numbers(event)
        if len(batch) > 1:
            raise ValueError("too many")
        handled.extend(batch)
        handled_ms.append(world.clock.now_ms)

    world = World(of(mapping(Batching(9, bisect=True, maximum_retries=0))), handler)
    numbers = world.put("aaaaaaaaa")
    put_ms = world.clock.now_ms
    world.run()
    assert handled == numbers
    assert handled_ms[0] - put_ms == 3 * 10  # nine, four, two, one


def test_records_too_old_when_read_never_reach_the_function_and_those_still_young_do() -> None:
    handled: list[str] = []
    batching = Batching(10, maximum_age_ms=AGE_MS)
    world = World(of(mapping(batching)), lambda event: handled.extend(sequence_numbers(event)))
    world.put("ab")
    world.clock.advance(AGE_MS + 1)
    young = world.put("cd")
    world.run()
    assert handled == young
    (message,) = world.discarded()
    assert info(message)["batchSize"] == 2
    assert "responseContext" not in message


def test_without_limits_a_batch_is_retried_with_growing_waits_until_it_succeeds() -> None:
    times: list[int] = []

    def handler(event: Json) -> None:
        times.append(world.clock.now_ms)
        if len(times) < 9:
            raise ValueError("not yet")

    world = World(of(mapping(Batching(10))), handler)
    world.put("a")
    world.run()
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [10, 20, 40, 80, 80, 80, 80, 80]


def test_a_failure_destination_that_cannot_be_reached_blocks_nobody_and_is_counted() -> None:
    def handler(event: Json) -> None:
        if bad in sequence_numbers(event):
            raise ValueError("poison")
        handled.extend(sequence_numbers(event))

    def unreachable(queue_arn: str, message: Json) -> None:
        raise NotReachedError("no such queue")

    handled: list[str] = []
    world = World(of(mapping(Batching(1, maximum_retries=1))), handler)
    world.queues.send = unreachable
    bad, good = world.put("aa")
    world.run()
    assert handled == [good]
    (stats,) = world.engine.stats()
    assert (stats.records, stats.batches, stats.failures, stats.retries) == (2, 3, 2, 1)
    assert (stats.discarded, stats.destination_failures, stats.open_records) == (1, 1, 0)
    assert "no such queue" in stats.last_error


def test_dynamodb_streams_follow_the_same_rules() -> None:
    def handler(event: Json) -> None:
        if bad in sequence_numbers(event):
            raise ValueError("poison")
        handled.extend(sequence_numbers(event))

    handled: list[str] = []
    batching = Batching(10, bisect=True, maximum_retries=1)
    world = World(of(mapping(batching, source=DYNAMODB)), handler)
    first, bad, last = world.bid("1"), world.bid("2"), world.bid("3")
    world.run()
    assert handled == [first, last]
    assert len(world.discarded()) == 1
