"""How records become batches: size, window, bytes, and filtered records."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from local.delivery.filters import compile_pattern
from local.delivery.mappings import Batching
from tests.delivery.world import STREAM, World, mapping, of, sequence_numbers

if TYPE_CHECKING:
    from local.delivery.records import Json


class Recorder:
    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, event: Json) -> None:
        self.batches.append(sequence_numbers(event))


def test_batches_hold_at_most_the_batch_size_and_without_a_window_do_not_wait() -> None:
    function = Recorder()
    world = World(of(mapping(Batching(4))), function)
    numbers = world.put("abcdefghij")
    world.engine.step()
    assert function.batches == [numbers[:4], numbers[4:8], numbers[8:]]


def test_a_window_gathers_until_it_is_over_or_the_batch_is_full() -> None:
    function = Recorder()
    world = World(of(mapping(Batching(4, window_ms=5000))), function)
    numbers = world.put("ab")
    world.run(for_ms=2000)
    numbers += world.put("c")
    world.run(for_ms=2900)
    assert function.batches == []
    world.run(for_ms=200)
    assert function.batches == [numbers]
    more = world.put("abcd")
    world.run(for_ms=100)
    assert function.batches == [numbers, more]


def test_the_last_batch_of_a_closed_shard_does_not_wait_for_the_window() -> None:
    function = Recorder()
    world = World(of(mapping(Batching(4, window_ms=300_000))), function)
    numbers = world.put("abc")
    world.streams.split(STREAM, "shardId-000000000000")
    world.run(for_ms=1000)
    assert function.batches == [numbers]


def test_a_batch_stays_within_the_payload_limit() -> None:
    function = Recorder()
    sizes: list[int] = []
    limit = 10_000

    def measure(name: str, event: Json) -> None:
        sizes.append(len(json.dumps(event, separators=(",", ":"))))

    world = World(of(mapping(Batching(100, batch_bytes=limit, window_ms=1000))), function, before=measure)
    numbers = [world.streams.put(STREAM, "a", b"x" * 2000).sequence_number for _ in range(7)]
    world.run()
    assert [number for batch in function.batches for number in batch] == numbers
    assert max(sizes) <= limit
    assert len(sizes) == 3


def test_filtered_records_are_passed_over_and_the_checkpoint_moves_beyond_them() -> None:
    function = Recorder()
    batching = Batching(2, patterns=(compile_pattern('{"data": {"key": ["a"]}}'),))
    world = World(of(mapping(batching)), function)
    numbers = world.put("abbbabbb")
    world.streams.put(STREAM, "a", b"not json")
    world.run()
    assert function.batches == [[numbers[0], numbers[4]]] or function.batches == [[numbers[0]], [numbers[4]]]
    (stats,) = world.engine.stats()
    assert (stats.records, stats.filtered, stats.open_records) == (9, 7, 0)


def test_a_disabled_mapping_delivers_nothing_and_is_listed() -> None:
    function = Recorder()
    world = World(of(replace(mapping(Batching(4)), enabled=False)), function)
    world.put("abc")
    world.run()
    assert function.batches == []
    assert [(stats.name, stats.enabled) for stats in world.engine.stats()] == [("matcher", False)]
