"""The engine in real time: concurrent batches, draining, stopping."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from local.delivery.engine import DeliveryEngine, epoch_ms
from local.delivery.mappings import Batching
from local.delivery.memory import MemoryInvoker, MemoryQueues, MemoryStreams
from tests.delivery.world import (
    FUNCTION,
    KINESIS,
    STREAM,
    TABLE_STREAM,
    mapping,
    of,
    partition_keys,
    pipe,
    sequence_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.delivery.mappings import Source, Wiring
    from local.delivery.ports import Page, Shard
    from local.delivery.records import Json


class SlowStreams(MemoryStreams):
    """Answers late, so that draining meets reads and puts under way."""

    def records(self, source: Source, iterator: str, limit: int) -> Page:
        time.sleep(0.03)
        page = super().records(source, iterator, limit)
        time.sleep(0.03)
        return page

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
        time.sleep(0.05)
        return super().put_records(stream_arn, entries)


def engine_over(wiring: Wiring, handler: Callable[[Json], object]) -> tuple[DeliveryEngine, MemoryStreams]:
    streams = SlowStreams(epoch_ms)
    streams.create(STREAM)
    streams.create(TABLE_STREAM)
    engine = DeliveryEngine(wiring, streams, MemoryInvoker({FUNCTION: handler}), MemoryQueues(), streams)
    return engine, streams


def test_batches_of_different_keys_run_concurrently() -> None:
    both_running = threading.Barrier(2)

    def handler(event: Json) -> None:
        both_running.wait(timeout=20)

    engine, streams = engine_over(of(mapping(Batching(1, parallelization=2, maximum_retries=0))), handler)
    for key in ("a", "b", "d", "e"):  # CRC-32: two keys for each of the two lanes
        streams.put(STREAM, key, b"{}")
    engine.start()
    try:
        assert engine.drain(20)
    finally:
        engine.stop()
    assert engine.stats()[0].failures == 0


def test_drain_waits_for_what_pipes_put_and_a_batch_of_one_key_is_never_run_twice_at_once() -> None:
    handled: list[str] = []
    running: set[str] = set()
    overlaps: list[set[str]] = []

    def handler(event: Json) -> None:
        keys = set(partition_keys(event))
        overlaps.append(keys & running)
        running.update(keys)
        handled.extend(sequence_numbers(event))
        running.difference_update(keys)

    engine, streams = engine_over(of(pipe(Batching(100)), mapping(Batching(10, parallelization=4))), handler)
    engine.start()
    try:
        for n in range(300):
            streams.change(
                TABLE_STREAM,
                "INSERT",
                {"id": {"S": str(n)}},
                {"NewImage": {"material": {"S": f"m{n % 9}"}}},
            )
        assert engine.drain(20)
        assert len(handled) == 300
        assert not any(overlaps)
    finally:
        assert engine.stop()


def test_drain_waits_for_streams_not_yet_asked_for_their_shards() -> None:
    class Undiscovered(MemoryStreams):
        def shards(self, source: Source) -> Sequence[Shard]:
            time.sleep(0.01)  # the draining thread is in its loop, at any place in it, when the answer comes
            return super().shards(source)

    for _ in range(30):
        handled: list[str] = []
        streams = Undiscovered(epoch_ms)
        streams.create(STREAM)
        number = streams.put(STREAM, "a", b"{}").sequence_number
        invoker = MemoryInvoker({FUNCTION: lambda event, to=handled: to.extend(sequence_numbers(event))})
        engine = DeliveryEngine(of(mapping(Batching(1))), streams, invoker, MemoryQueues(), streams)
        engine.start()
        try:
            assert engine.drain(20)
            assert handled == [number]
        finally:
            assert engine.stop()


def test_drain_waits_for_the_children_of_a_shard_that_was_split() -> None:
    handled: list[str] = []
    engine, streams = engine_over(of(mapping(Batching(1))), lambda event: handled.extend(sequence_numbers(event)))
    parent = streams.shards(KINESIS)[0].shard_id
    before = streams.put(STREAM, "a", b"{}").sequence_number
    engine.start()
    try:
        assert engine.drain(20)
        streams.split(STREAM, parent)
        after = streams.put(STREAM, "a", b"{}").sequence_number
        assert engine.drain(20)
        assert handled == [before, after]
    finally:
        assert engine.stop()


def test_stop_waits_for_deliveries_under_way_and_reads_nothing_more() -> None:
    started, release = threading.Event(), threading.Event()
    handled: list[str] = []

    def handler(event: Json) -> None:
        started.set()
        release.wait(20)
        handled.extend(sequence_numbers(event))

    engine, streams = engine_over(of(mapping(Batching(1))), handler)
    first = streams.put(STREAM, "a", b"{}").sequence_number
    streams.put(STREAM, "a", b"{}")
    engine.start()
    assert started.wait(20)
    assert not engine.stop(timeout_s=0.05)
    release.set()
    assert engine.stop()
    assert handled == [first]


def test_a_started_engine_cannot_be_stepped_or_started_again() -> None:
    engine, _ = engine_over(of(mapping(Batching(1))), lambda event: None)
    engine.start()
    try:
        with pytest.raises(RuntimeError):
            engine.step()
        with pytest.raises(RuntimeError):
            engine.start()
    finally:
        assert engine.stop()
    engine.step()
