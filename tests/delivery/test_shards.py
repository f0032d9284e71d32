"""Shards: where reading starts, parents before children, records that left the stream, faults of the source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from local.delivery.mappings import Batching
from local.delivery.ports import IteratorExpiredError, RecordsTrimmedError, SourceUnavailableError
from tests.delivery.world import KINESIS, STREAM, World, mapping, of, sequence_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.delivery.mappings import Source
    from local.delivery.ports import Page, Position
    from local.delivery.records import Json

SHARD = "shardId-000000000000"


def recording() -> tuple[list[str], Callable[[Json], None]]:
    delivered: list[str] = []
    return delivered, lambda event: delivered.extend(sequence_numbers(event))


def test_trim_horizon_reads_what_was_there_latest_does_not() -> None:
    for position, both in (("TRIM_HORIZON", True), ("LATEST", False)):
        delivered, handler = recording()
        source = replace(KINESIS, starting_position=position)
        world = World(of(mapping(Batching(10), source=source)), handler)
        before = world.put("ab")
        world.engine.step()
        after = world.put("c")
        world.run()
        assert delivered == (before + after if both else after)


def test_at_timestamp_reads_from_that_moment() -> None:
    delivered, handler = recording()
    world = World(of(), handler)
    source = replace(KINESIS, starting_position="AT_TIMESTAMP", starting_timestamp_ms=world.clock.now_ms + 50)
    world.wiring = of(mapping(Batching(10), source=source))
    world.new_engine()
    world.put("ab")
    world.clock.advance(50)
    numbers = world.put("cd")
    world.run()
    assert delivered == numbers


@pytest.mark.parametrize("position", ["TRIM_HORIZON", "LATEST"])
def test_children_of_a_split_shard_are_read_from_their_beginning_and_only_after_their_parent(position: str) -> None:
    delivered: list[str] = []
    failing = True

    def handler(event: Json) -> None:
        if failing:
            raise ValueError("not yet")
        delivered.extend(sequence_numbers(event))

    source = replace(KINESIS, starting_position=position)
    world = World(of(mapping(Batching(10), source=source)), handler)
    world.run(for_ms=100)
    parent = world.put("abcdef")
    world.run(for_ms=100)
    world.streams.split(STREAM, SHARD)
    children = world.put("abcdef")
    world.run(for_ms=5000)
    assert delivered == []
    failing = False
    world.run(for_ms=5000)
    assert delivered[:6] == parent
    assert sorted(delivered[6:]) == sorted(children)
    world.new_engine()
    world.run()
    assert len(delivered) == 12  # the parent's end is remembered


def test_a_split_while_the_engine_was_down_loses_nothing() -> None:
    delivered, handler = recording()
    source = replace(KINESIS, starting_position="LATEST")
    world = World(of(mapping(Batching(10), source=source)), handler)
    world.run(for_ms=100)
    numbers = world.put("ab")
    world.run()
    numbers += world.put("cd")
    world.streams.split(STREAM, SHARD)
    numbers += world.put("efgh")
    world.new_engine()
    world.run()
    assert sorted(delivered) == sorted(numbers)


def test_after_records_were_trimmed_reading_goes_on_with_those_that_are_left() -> None:
    delivered, handler = recording()
    world = World(of(mapping(Batching(2))), handler)
    first = world.put("ab")
    world.run()
    later = world.put("cdef")
    world.streams.trim(STREAM, SHARD, keep=2)
    read = world.streams.iterator

    def trimmed(source: Source, shard_id: str, position: object) -> str:
        world.streams.iterator = read
        raise RecordsTrimmedError("trimmed")

    world.streams.iterator = trimmed
    world.new_engine()
    world.run()
    assert delivered == first + later[-2:]
    assert "trim horizon" in world.engine.stats()[0].last_error


def test_an_unavailable_source_delays_but_neither_loses_nor_repeats() -> None:
    delivered, handler = recording()
    world = World(of(mapping(Batching(2))), handler)
    numbers = world.put("abcdefgh")
    read = world.streams.records
    calls = 0

    def faulty(source: Source, iterator: str, limit: int) -> Page:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise SourceUnavailableError("connection refused")
        return read(source, iterator, limit)

    world.streams.records = faulty
    world.run(for_ms=10_000)
    assert delivered == numbers


def test_an_expired_iterator_is_replaced_by_one_after_the_last_record_read() -> None:
    delivered, handler = recording()
    world = World(of(mapping(Batching(2))), handler)
    begin, read = world.streams.iterator, world.streams.records
    pages = 0

    def fresh(source: Source, shard_id: str, position: Position) -> str:
        nonlocal pages
        pages = 0
        return begin(source, shard_id, position)

    def expiring(source: Source, iterator: str, limit: int) -> Page:
        nonlocal pages
        pages += 1
        if pages > 2:
            raise IteratorExpiredError("15 minutes")
        return read(source, iterator, limit)

    world.streams.iterator, world.streams.records = fresh, expiring
    numbers = world.put("abcdefghijklmnop")
    world.run(for_ms=10_000)
    assert delivered == numbers


def test_an_iterator_that_expired_after_its_records_were_trimmed_goes_on_with_those_that_are_left() -> None:
    """A laptop that slept longer than the stream keeps its records."""
    delivered, handler = recording()
    world = World(of(mapping(Batching(2))), handler)
    first = world.put("ab")
    world.run()
    later = world.put("cdef")
    world.streams.trim(STREAM, SHARD, keep=2)
    begin, read = world.streams.iterator, world.streams.records

    def trimmed(source: Source, shard_id: str, position: Position) -> str:
        if position.kind == "AFTER_SEQUENCE_NUMBER":
            raise RecordsTrimmedError("trimmed")
        world.streams.records = read
        return begin(source, shard_id, position)

    def expired(source: Source, iterator: str, limit: int) -> Page:
        raise IteratorExpiredError("15 minutes")

    world.streams.iterator, world.streams.records = trimmed, expired
    world.run(for_ms=10_000)
    assert delivered == first + later[-2:]
