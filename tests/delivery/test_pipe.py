"""Pipes: what arrives in Kinesis, under which key, in which order, and what happens to entries that fail."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.delivery.filters import compile_pattern
from local.delivery.mappings import PUT_RECORDS_ENTRIES, Batching
from local.delivery.ports import NotReachedError, TargetError
from local.delivery.targets import resolve_partition_key
from tests.delivery.world import KINESIS, PIPE_ARN, STREAM, TABLE_STREAM, World, mapping, of, partition_keys, pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.delivery.memory import MemoryStreams
    from local.delivery.ports import KinesisSink
    from local.delivery.records import KinesisRecord

INSERTS = compile_pattern('{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"bid_id": {"S": [{"exists": true}]}}}}')


def arrived(world: World) -> list[tuple[str, str]]:
    """(partition key, bid id) of what is in the Kinesis stream, in order."""
    records = cast("list[KinesisRecord]", world.streams.contents(STREAM))
    return [
        (record.partition_key, json.loads(record.data)["dynamodb"]["NewImage"]["bid_id"]["S"]) for record in records
    ]


class PartialSink:
    """Takes part of each call at random; sometimes refuses, or cannot be reached."""

    def __init__(self, streams: MemoryStreams, chance: random.Random) -> None:
        self.streams = streams
        self.chance = chance

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
        assert 1 <= len(entries) <= PUT_RECORDS_ENTRIES
        if self.chance.random() < 0.1:
            raise NotReachedError("connection reset")
        codes: list[str | None] = []
        for entry in entries:
            failed = self.chance.random() < 0.25
            codes.append("ProvisionedThroughputExceededException" if failed else None)
            if not failed:
                self.streams.put_records(stream_arn, [entry])
        return codes


def partial(seed: int) -> Callable[[MemoryStreams], KinesisSink]:
    return lambda streams: PartialSink(streams, random.Random(seed))


@settings(max_examples=60)
@given(
    materials=st.lists(st.sampled_from(["copper", "wheat", "iron"]), min_size=1, max_size=40),
    batch_size=st.integers(1, 20),
    bisect=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_entries_that_fail_are_put_again_none_is_lost_and_each_is_followed_by_its_keys_later_ones(
    materials: list[str], batch_size: int, bisect: bool, seed: int
) -> None:
    world = World(of(pipe(Batching(batch_size, bisect=bisect))), sink=partial(seed))
    for n, material in enumerate(materials):
        world.bid(f"{n:03d}", material)
    world.run(for_ms=60_000)
    for material in set(materials):
        sent = [f"{n:03d}" for n, of_bid in enumerate(materials) if of_bid == material]
        got = [bid_id for key, bid_id in arrived(world) if key == material]
        assert set(got) == set(sent)
        last = {bid_id: index for index, bid_id in enumerate(got)}
        assert [last[bid_id] for bid_id in sent] == sorted(last.values())
    assert world.discarded() == []


def test_without_failures_each_record_arrives_once_in_order_unchanged_under_its_material() -> None:
    world = World(of(pipe(Batching(500, patterns=(INSERTS,)))))
    number = world.bid("1", "copper")
    world.streams.change(TABLE_STREAM, "INSERT", {"bid_id": {"S": "~x"}}, {"NewImage": {"order_id": {"S": "1"}}})
    world.streams.change(TABLE_STREAM, "MODIFY", {"bid_id": {"S": "1"}}, {"NewImage": {"bid_id": {"S": "1"}}})
    world.bid("2", "wheat")
    world.run()
    assert arrived(world) == [("copper", "1"), ("wheat", "2")]
    first = cast("KinesisRecord", world.streams.contents(STREAM)[0])
    event = json.loads(first.data)
    assert event["eventName"] == "INSERT"
    assert event["eventSourceARN"] == TABLE_STREAM
    assert event["dynamodb"]["SequenceNumber"] == number


class HesitantSink:
    """Cannot be reached the first time, so that the pipe's put falls between two polls of the stream."""

    def __init__(self, streams: MemoryStreams) -> None:
        self.streams = streams
        self.calls = 0

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
        self.calls += 1
        if self.calls == 1:
            raise NotReachedError("connection reset")
        return self.streams.put_records(stream_arn, entries)


def test_table_to_pipe_to_kinesis_to_function_runs_through_one_engine() -> None:
    seen: list[str] = []
    wiring = of(pipe(Batching(500)), mapping(Batching(500)))
    world = World(wiring, lambda event: seen.extend(partition_keys(event)), sink=HesitantSink)
    world.run(for_ms=10_000)
    world.bid("1", "copper")
    world.bid("2", "wheat")
    world.run(for_ms=1000)
    assert seen == ["copper", "wheat"]


def test_a_record_without_partition_key_is_given_up_alone_and_dead_lettered_with_the_pipes_message() -> None:
    world = World(of(pipe(Batching(10, bisect=True, maximum_retries=2))))
    world.bid("1")
    bad = world.bid("2", material=None)
    world.bid("3")
    world.run()
    assert [bid_id for _, bid_id in arrived(world)] == ["1", "3"]
    (message,) = world.discarded()
    assert message["context"] == {"partnerResourceArn": PIPE_ARN, "condition": "RetryAttemptsExhausted"}
    assert cast("dict[str, object]", message["DDBStreamBatchInfo"])["startSequenceNumber"] == bad


def test_a_refusal_by_the_stream_uses_up_the_retries() -> None:
    class Refusing:
        def __init__(self, streams: MemoryStreams) -> None:
            self.calls = 0

        def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
            self.calls += 1
            raise TargetError("no such stream")

    world = World(of(pipe(Batching(10, maximum_retries=3))), sink=Refusing)
    world.bid("1")
    world.run()
    assert cast("Refusing", world.sink).calls == 4
    assert len(world.discarded()) == 1


def test_a_pipe_from_kinesis_carries_the_flat_record() -> None:
    world = World(of(pipe(Batching(1), source=KINESIS)))
    target: list[tuple[str, bytes]] = []

    class Recording:
        def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
            target.extend(entries)
            return [None] * len(entries)

    world.sink = Recording()
    world.new_engine()
    world.put(["copper"])
    world.run()
    ((key, data),) = target
    assert key == "copper"
    assert {"partitionKey", "sequenceNumber", "data", "eventSource", "eventSourceARN"} <= json.loads(data).keys()


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("fixed", "fixed"),
        ("$.a.S", "x"),
        ("$.n", "7"),
        ("$.list[1].S", "z"),
        ("$['with-dash'].S", "w"),
        ("$.missing.S", None),
        ("$.a", None),
        ("$.list[2]", None),
        ("$.empty", None),
        ("$.flag", None),
        ("$.long", None),
    ],
)
def test_partition_keys(template: str, key: str | None) -> None:
    event = {
        "a": {"S": "x"},
        "n": 7,
        "list": [{"S": "y"}, {"S": "z"}],
        "with-dash": {"S": "w"},
        "empty": "",
        "flag": True,
        "long": "x" * 257,
    }
    if key is None:
        with pytest.raises(TargetError, match="partition key"):
            resolve_partition_key(template, event)
    else:
        assert resolve_partition_key(template, event) == key
