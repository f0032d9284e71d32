"""Order ids are canonical version-7 UUIDs that sort by time, whatever the clock does."""

from __future__ import annotations

import random
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from market.order_ids import ORDER_ID_PATTERN, OrderIdGenerator


def all_ones(size: int) -> bytes:
    """Return the bytes at which every step within a millisecond overflows."""
    return b"\xff" * size


@given(
    times_ms=st.lists(st.integers(0, 2**47), min_size=2, max_size=50),
    entropy=st.one_of(
        st.integers().map(lambda seed: random.Random(seed).randbytes),
        st.just(all_ones),
    ),
)
def test_ids_grow_even_when_the_clock_stands_still_or_steps_back(times_ms: list[int], entropy: object) -> None:
    clock = iter(times_ms)
    generator = OrderIdGenerator(lambda: next(clock), entropy)  # pyright: ignore[reportArgumentType]
    ids = [generator.next_id() for _ in times_ms]
    assert ids == sorted(set(ids))
    for order_id in ids:
        assert ORDER_ID_PATTERN.fullmatch(order_id)
        assert str(UUID(order_id)) == order_id
        assert (UUID(order_id).version, UUID(order_id).variant) == (7, RFC_4122)


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, unique=True), st.randoms())
def test_ids_of_different_processes_sort_by_their_milliseconds(times_ms: list[int], seeds: random.Random) -> None:
    ids = {ms: OrderIdGenerator(lambda ms=ms: ms, seeds.randbytes).next_id() for ms in times_ms}
    assert [ids[ms] for ms in sorted(times_ms)] == sorted(ids.values())
    assert {ms: UUID(order_id).int >> 80 for ms, order_id in ids.items()} == {ms: ms for ms in times_ms}
