"""How often shards are read: as often as AWS does, and no more often than there is something to read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from local.delivery.engine import DeliveryEngine, epoch_ms
from local.delivery.mappings import Batching
from local.delivery.memory import MemoryInvoker, MemoryQueues, MemoryStreams
from local.delivery.reader import Polling
from tests.delivery.world import DYNAMODB, FUNCTION, KINESIS, STREAM, TABLE_STREAM, World, mapping, of

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.delivery.mappings import Source
    from local.delivery.ports import Page

FAN_OUT = replace(KINESIS, arn=f"{STREAM}/consumer/matcher:1")
NEVER_MS = 10_000_000


class CountingStreams(MemoryStreams):
    """Notes when it was read, and what was found."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self.now_ms = clock
        self.reads: list[tuple[int, int]] = []

    def records(self, source: Source, iterator: str, limit: int) -> Page:
        page = super().records(source, iterator, limit)
        self.reads.append((self.now_ms(), len(page.records)))
        return page


def world_of(source: Source, batching: Batching, polling: Polling) -> tuple[World, CountingStreams]:
    """A world whose streams note when they are read."""
    world = World(of(mapping(batching, source=source)), polling=polling)
    streams = CountingStreams(world.clock)
    for arn in (STREAM, TABLE_STREAM):
        streams.create(arn)
    world.streams = world.sink = streams
    world.new_engine()
    return world, streams


@pytest.mark.parametrize(
    ("source", "interval_ms"), [(DYNAMODB, 250), (KINESIS, 1000), (FAN_OUT, 25)], ids=["table", "stream", "fan-out"]
)
def test_an_engine_that_is_told_nothing_reads_as_often_as_aws_does_whether_or_not_there_is_something(
    source: Source, interval_ms: int
) -> None:
    world, streams = world_of(source, Batching(100), Polling())
    for _ in range(10):
        world.bid("1") if source is DYNAMODB else world.put("a")
        world.run(for_ms=1000)
    gaps = {after - before for (before, _), (after, _) in zip(streams.reads, streams.reads[1:], strict=False)}
    assert gaps == {interval_ms}


def test_a_full_page_is_followed_by_the_next_one_at_once() -> None:
    world, streams = world_of(KINESIS, Batching(2), Polling())
    world.put("abcdefgh")
    world.engine.step()
    assert sum(found for _, found in streams.reads) == 8


def test_an_engine_that_is_told_of_writes_reads_only_now_and_then_without() -> None:
    world, streams = world_of(FAN_OUT, Batching(100), Polling(unannounced_ms=5000))
    world.run(for_ms=60_000)
    assert 12 <= len(streams.reads) <= 14
    world.put("a")
    world.run(for_ms=5000)
    assert sum(found for _, found in streams.reads) == 1, "a lost announcement delays a record, no more"


@pytest.mark.parametrize(
    ("source", "least_wait_ms"), [(FAN_OUT, 0), (DYNAMODB, 300), (KINESIS, 300)], ids=["fan-out", "table", "stream"]
)
def test_an_announced_write_is_read_at_once_with_fan_out_and_otherwise_not_before_the_next_poll_is_due(
    source: Source, least_wait_ms: int
) -> None:
    streams = CountingStreams(epoch_ms)
    for arn in (STREAM, TABLE_STREAM):
        streams.create(arn)
    handled: list[int] = []
    engine = DeliveryEngine(
        of(mapping(Batching(100), source=source)),
        streams,
        MemoryInvoker({FUNCTION: lambda event: handled.append(epoch_ms())}),
        MemoryQueues(),
        streams,
        polling=Polling(dynamodb_ms=300, kinesis_ms=300, unannounced_ms=NEVER_MS),
    )
    engine.start()
    try:
        while not streams.reads:
            time.sleep(0.001)
        first_ms = streams.reads[0][0]
        if source is DYNAMODB:
            streams.change(TABLE_STREAM, "INSERT", {"id": {"S": "1"}}, {})
        else:
            streams.put(STREAM, "a", b"{}")
        engine.announce("arn:aws:kinesis:eu-west-1:123456789012:stream/another")
        engine.announce(source.stream_arn)
        while not handled:
            time.sleep(0.001)
    finally:
        assert engine.stop()
    assert streams.reads[1][0] - first_ms >= least_wait_ms
    assert len(streams.reads) == 2
