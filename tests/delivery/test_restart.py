"""Crashes and restarts: a new engine over the same checkpoints loses nothing and repeats only what was not finished."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.delivery.checkpoints import FileCheckpoints
from local.delivery.mappings import Batching
from local.delivery.ports import Checkpoint
from tests.delivery.world import QUEUE, STREAM, World, mapping, of, pipe, sequence_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local.delivery.memory import MemoryStreams
    from local.delivery.records import Json

SHARD = "shardId-000000000000"


class Crash(BaseException):
    """The process dies here."""


@settings(max_examples=80)
@given(
    keys=st.lists(st.sampled_from("abcde"), min_size=1, max_size=40),
    batch_size=st.integers(1, 8),
    parallelization=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
def test_after_crashes_everything_is_handled_and_nothing_before_the_checkpoint_comes_again(
    keys: list[str], batch_size: int, parallelization: int, seed: int
) -> None:
    chance = random.Random(seed)
    handled: list[str] = []
    finished_at_restart = 0

    def handler(event: Json) -> None:
        batch = sequence_numbers(event)
        assert all(int(number) > finished_at_restart for number in batch)
        if chance.random() < 0.2:
            raise Crash  # before the effect
        if chance.random() < 0.3:
            raise ValueError("the function fails")
        handled.extend(batch)
        if chance.random() < 0.2:
            raise Crash  # after the effect, before the engine hears of it

    world = World(of(mapping(Batching(batch_size, parallelization=parallelization, bisect=True))), handler)
    numbers = world.put(keys)
    for _ in range(500):
        try:
            world.run(for_ms=20_000)
            break
        except Crash:
            checkpoint = world.checkpoints.load("mapping-1", STREAM, SHARD) or Checkpoint(None)
            finished_at_restart = int(checkpoint.sequence_number or 0)
            assert {number for number in numbers if int(number) <= finished_at_restart} <= set(handled)
            world.new_engine()
    assert set(handled) == set(numbers)
    saved = world.checkpoints.load("mapping-1", STREAM, SHARD)
    assert saved == Checkpoint(numbers[-1])


def test_a_pipe_that_dies_after_putting_puts_the_batch_again() -> None:
    class DyingSink:
        def __init__(self, streams: MemoryStreams) -> None:
            self.streams = streams
            self.calls = 0

        def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
            self.calls += 1
            codes = self.streams.put_records(stream_arn, entries)
            if self.calls == 2:
                raise Crash
            return codes

    world = World(of(pipe(Batching(2))), sink=DyingSink)
    for n in range(6):
        world.bid(str(n))
    with pytest.raises(Crash):
        world.run()
    world.new_engine()
    world.run()
    assert len(world.streams.contents(STREAM)) == 8


def test_a_failure_message_is_sent_before_the_checkpoint_passes_its_records() -> None:
    def handler(event: Json) -> None:
        raise ValueError("poison")

    world = World(of(mapping(Batching(2, maximum_retries=0))), handler)
    world.put("ab")

    def dying_send(queue_arn: str, message: Json) -> None:
        raise Crash

    working_send = world.queues.send
    world.queues.send = dying_send
    with pytest.raises(Crash):
        world.run()
    assert world.checkpoints.load("mapping-1", STREAM, SHARD) is None
    world.queues.send = working_send
    world.new_engine()
    world.run()
    assert len(world.queues.messages[QUEUE]) == 1


def test_a_file_keeps_checkpoints_over_a_restart_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "stack" / "checkpoints.json"
    batches: list[list[str]] = []
    wiring = of(mapping(Batching(10)))
    world = World(wiring, lambda event: batches.append(sequence_numbers(event)), checkpoints=FileCheckpoints(path))
    first = world.put("ab")
    world.run()
    world.checkpoints = FileCheckpoints(path)
    world.new_engine()
    second = world.put("cd")
    world.run()
    assert batches == [first, second]


def test_checkpoints_that_could_not_be_written_are_written_by_the_next_flush(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.json"
    checkpoints = FileCheckpoints(path)
    checkpoints.save("mapping-1", STREAM, SHARD, Checkpoint("1"))
    in_the_way = path.with_suffix(".tmp")
    in_the_way.mkdir()
    with pytest.raises(OSError, match="checkpoints"):
        checkpoints.flush()
    in_the_way.rmdir()
    checkpoints.flush()
    assert FileCheckpoints(path).load("mapping-1", STREAM, SHARD) == Checkpoint("1")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"checkpoints": [{"mapping": "m"}]}'])
def test_a_damaged_checkpoint_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "checkpoints.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"checkpoints\.json is not a checkpoint file"):
        FileCheckpoints(path)
