"""Whatever fails: nothing is lost, and a key's records are never out of order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from local.delivery.mappings import Batching
from local.delivery.ports import NotReachedError
from tests.delivery.world import World, mapping, of, partition_keys, sequence_numbers

if TYPE_CHECKING:
    from local.delivery.records import Json


class FaultyFunction:
    """Fails, throttles and fails partially at random; remembers what it acknowledged."""

    def __init__(self, seed: int, fault_rate: float) -> None:
        self.random = random.Random(seed)
        self.fault_rate = fault_rate
        self.acknowledged: dict[str, list[str]] = {}
        self.known: dict[str, list[str]] = {}

    def throttle(self, function: str, event: Json) -> None:
        if self.random.random() < self.fault_rate / 3:
            raise NotReachedError("throttled")

    def __call__(self, event: Json) -> object:
        batch = list(zip(partition_keys(event), sequence_numbers(event), strict=True))
        self._assert_nothing_skipped(batch)
        fault = self.random.random()
        if fault < self.fault_rate / 3:
            raise ValueError("the whole batch")
        handled = len(batch)
        if fault < self.fault_rate:
            handled = self.random.randrange(len(batch))
        for key, number in batch[:handled]:
            self.acknowledged.setdefault(key, []).append(number)
        return {"batchItemFailures": [{"itemIdentifier": number} for _, number in reversed(batch[handled:])]}

    def _assert_nothing_skipped(self, batch: list[tuple[str, str]]) -> None:
        for index, (key, number) in enumerate(batch):
            before = self.known[key][: self.known[key].index(number)]
            so_far = set(self.acknowledged.get(key, [])) | {earlier for _, earlier in batch[:index]}
            assert so_far.issuperset(before)


@settings(max_examples=120)
@given(
    keys=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=60),
    batch_size=st.integers(1, 12),
    parallelization=st.integers(1, 10),
    shards=st.integers(1, 3),
    bisect=st.booleans(),
    window_ms=st.sampled_from([0, 1000]),
    seed=st.integers(0, 2**32),
)
def test_every_record_is_acknowledged_in_the_order_of_its_key_under_random_failures(
    *,
    keys: list[str],
    batch_size: int,
    parallelization: int,
    shards: int,
    bisect: bool,
    window_ms: int,
    seed: int,
) -> None:
    function = FaultyFunction(seed, fault_rate=0.5)
    batching = Batching(batch_size, window_ms=window_ms, parallelization=parallelization, bisect=bisect)
    world = World(of(mapping(batching, report=True)), function, before=function.throttle, shards=shards)
    split = len(keys) // 2
    for part in (keys[:split], keys[split:]):
        for key, number in zip(part, world.put(part), strict=True):
            function.known.setdefault(key, []).append(number)
        world.run(for_ms=200)
    world.run(for_ms=60_000)
    assert {key: list(dict.fromkeys(acked)) for key, acked in function.acknowledged.items()} == function.known
    assert world.engine.idle
    assert world.discarded() == []


def test_one_batch_a_time_keeps_the_order_of_the_whole_shard() -> None:
    delivered: list[str] = []
    world = World(of(mapping(Batching(3))), lambda event: delivered.extend(sequence_numbers(event)))
    assert world.put("abcabcabca") == (world.run() or delivered)


def test_parallel_batches_hold_each_key_in_one_lane_and_let_the_others_pass() -> None:
    def handler(event: Json) -> None:
        if "stuck" in partition_keys(event):
            raise ValueError("stuck")
        delivered.extend(partition_keys(event))

    delivered: list[str] = []
    world = World(of(mapping(Batching(2, parallelization=10))), handler)
    numbers = world.put(["stuck", "a", "b", "c", "stuck", "a", "b", "c"])
    world.run()
    assert sorted(delivered) == list("aabbcc")
    (stats,) = world.engine.stats()
    assert stats.open_records == len(numbers)  # the checkpoint is the lowest unfinished record
