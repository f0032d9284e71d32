"""Whatever crashes, is repeated or overtaken: every record counted once, every bucket processed once."""

from __future__ import annotations

from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from patterns.periodic_aggregator import (
    BucketsFailedError,
    ClaimLostError,
    ClosedBucket,
    ClosingReport,
    ContendedBucketError,
    LatePolicy,
    NewRecord,
    Outcome,
    PeriodicAggregator,
    Placed,
)
from tests.faults import Crash, FaultyClient
from tests.patterns.periodic_aggregator.buckets import (
    MINUTE_MS,
    START_MS,
    Clock,
    buckets_on,
    effects,
    new_table,
    scores,
    summing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.patterns.stores import Store


def until_it_works(
    work: Callable[[PeriodicAggregator], object], client: FaultyClient, table: str, **settings: Any
) -> None:
    """Deliver the same work again, to a new invocation, until one gets through."""
    for _ in range(20):
        try:
            work(buckets_on(client, table, **settings))
        except (Crash, Exception):  # as Lambda does, whatever it was
            continue
        return
    raise AssertionError("the work never got through")


@pytest.mark.parametrize(
    ("trouble", "late"),
    [
        ("crash before", LatePolicy.REOPEN),
        ("crash after", LatePolicy.REOPEN),
        ("crash after", LatePolicy.NEXT_BUCKET),
        ("lost answer", LatePolicy.REOPEN),
        ("lost answer", LatePolicy.NEXT_BUCKET),
        ("conflict", LatePolicy.NEXT_BUCKET),
        ("throttle", LatePolicy.REOPEN),
    ],
)
def test_trouble_at_any_call_changes_nothing(store: Store, trouble: str, late: LatePolicy) -> None:
    for number in range(60):
        table, clock = new_table(store), Clock()
        client = FaultyClient(store.client, {number: trouble})
        settings: dict[str, Any] = {"clock": clock, "shards": 2, "late": late}
        process = summing(table)
        until_it_works(lambda buckets: buckets.add_all("ann", scores(1, 2)), client, table, **settings)
        clock.now_ms = START_MS + MINUTE_MS
        until_it_works(lambda buckets: buckets.close_due(process, owner="a"), client, table, **settings)  # noqa: B023
        until_it_works(lambda buckets: buckets.add_all("ann", scores(2, 3)), client, table, **settings)
        clock.now_ms = START_MS + 2 * MINUTE_MS
        until_it_works(lambda buckets: buckets.close_due(process, owner="b"), client, table, **settings)  # noqa: B023
        present = effects(store, table, "ann", START_MS + MINUTE_MS)
        assert (effects(store, table, "ann"), present) == (
            ((2, 6), (0, 0)) if late is LatePolicy.REOPEN else ((1, 3), (1, 3))
        )
        assert list(buckets_on(store.client, table).open_buckets(START_MS + 9 * MINUTE_MS)) == []
        store.client.delete_table(TableName=table)  # moto copies all of its tables for each transaction
        if client.calls.total() <= number:
            return
    raise AssertionError("no run without trouble")


@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "conflict"])
def test_trouble_while_shards_begin_after_their_time_changes_nothing(store: Store, trouble: str) -> None:
    for number in range(20):
        table, clock = new_table(store), Clock(START_MS + MINUTE_MS)
        client = FaultyClient(store.client, {number: trouble})
        records = scores(1, 2, 3, 4)
        until_it_works(lambda buckets: buckets.add_all("ann", records), client, table, clock=clock, shards=4)  # noqa: B023
        buckets_on(store.client, table, clock=clock, shards=4).close_due(summing(table), owner="a")
        assert effects(store, table, "ann") == (1, 10)
        store.client.delete_table(TableName=table)
        if client.calls.total() <= number:
            return
    raise AssertionError("no run without trouble")


def test_two_firings_at_a_time_process_a_bucket_once_and_the_zombie_writes_nothing(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, lease_ms=1000)
    buckets.add_all("ann", scores(1, 2))
    clock.now_ms += MINUTE_MS

    def paused(bucket: ClosedBucket) -> Outcome:
        busy = ClosingReport(processed=0, done_before=0, busy=1, left=0)
        assert buckets.close_due(summing(table), owner="b") == busy
        clock.now_ms += 1001
        assert buckets.close_due(summing(table), owner="b").processed == 1
        return summing(table)(bucket)

    with pytest.raises(BucketsFailedError) as failed:
        buckets.close_due(paused, owner="a")
    assert [type(error) for error in failed.value.errors.values()] == [ClaimLostError]
    assert effects(store, table, "ann") == (1, 3)


def test_a_zombie_writes_nothing_while_its_successor_processes(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, lease_ms=1000)
    buckets.add_all("ann", scores(1, 2))
    clock.now_ms += MINUTE_MS

    def overtaken(bucket: ClosedBucket) -> Outcome:
        clock.now_ms += 1001
        with pytest.raises(Crash):
            buckets.close_due(dies, owner="b")
        return summing(table)(bucket)

    def dies(_bucket: ClosedBucket) -> Outcome:
        raise Crash

    with pytest.raises(BucketsFailedError) as failed:
        buckets.close_due(overtaken, owner="a")
    assert [type(error) for error in failed.value.errors.values()] == [ClaimLostError]
    assert effects(store, table, "ann") == (0, 0)
    assert buckets.close_due(summing(table), owner="b").processed == 1
    assert effects(store, table, "ann") == (1, 3)


def test_an_outcome_whose_answer_is_lost_is_written_and_told_as_such(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets_on(store.client, table, clock=clock).add_all("ann", scores(1, 2))
    clock.now_ms += MINUTE_MS
    # Four queries of the index, claim, read the records, write the outcome.
    client = FaultyClient(store.client, {6: "lost answer"})
    assert buckets_on(client, table, clock=clock).close_due(summing(table), owner="a").processed == 1
    assert effects(store, table, "ann") == (1, 3)


def test_a_repeated_firing_goes_on_at_once(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS

    def dies(_bucket: ClosedBucket) -> Outcome:
        raise Crash

    with pytest.raises(Crash):
        buckets.close_due(dies, owner="a")
    assert buckets.close_due(summing(table), owner="b").busy == 1
    assert buckets.close_due(summing(table), owner="a").processed == 1


def test_a_record_that_races_with_the_closing_is_in_the_bucket_or_late_but_never_lost(store: Store) -> None:
    """The record is added before each single call of the closing in turn."""
    for call in range(40):
        table, clock = new_table(store), Clock()
        buckets = buckets_on(store.client, table, clock=clock, shards=2)
        buckets.add_all("ann", scores(1, 2))
        clock.now_ms += MINUTE_MS
        client = FaultyClient(store.client, {call: lambda: buckets.add_all("ann", scores(3, 4))})  # noqa: B023
        buckets_on(client, table, clock=clock, shards=2).close_due(summing(table), owner="a")
        clock.now_ms += MINUTE_MS
        buckets.close_due(summing(table), owner="b")
        first, second = effects(store, table, "ann"), effects(store, table, "ann", START_MS + MINUTE_MS)
        store.client.delete_table(TableName=table)
        if client.calls.total() <= call:
            assert (first, second) == ((1, 3), (0, 0))
            return
        assert first[0] == 1
        assert first[1] + second[1] == 10
    raise AssertionError("the closing never ended")


def test_a_record_in_a_shard_that_the_closing_does_not_know_is_processed(store: Store) -> None:
    """The number of shards is raised before each single call of a run with the old number in turn."""
    for call in range(40):
        table, clock = new_table(store), Clock()
        one, four = (buckets_on(store.client, table, clock=clock, shards=shards) for shards in (1, 4))
        one.add_all("ann", scores(1, 2))
        clock.now_ms += MINUTE_MS
        # A writer whose clock is a moment behind does not see that the bucket's time is over.
        writer = buckets_on(store.client, table, clock=Clock(clock.now_ms - 1), shards=4)
        client = FaultyClient(store.client, {call: lambda: writer.add_all("ann", scores(3, 4, 5, 6))})  # noqa: B023
        buckets_on(client, table, clock=clock).close_due(summing(table), owner="a")
        four.close_due(summing(table), owner="b")
        clock.now_ms += MINUTE_MS
        four.close_due(summing(table), owner="c")
        points = [effects(store, table, "ann", START_MS + minute * MINUTE_MS)[1] for minute in range(2)]
        assert list(four.open_buckets(clock.now_ms + 9 * MINUTE_MS)) == []
        store.client.delete_table(TableName=table)
        if client.calls.total() <= call:
            assert points == [3, 0]
            return
        assert sum(points) == 21
    raise AssertionError("the closing never ended")


def test_a_batch_of_late_records_gives_up_only_when_one_makes_no_progress(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    # The batch is refused, then each of its twelve records collides once.
    client = FaultyClient(store.client, dict.fromkeys(range(1, 25, 2), "conflict"))
    late = buckets_on(client, table, clock=clock).add_all("ann", scores(*range(2, 14)))
    assert {collected.placed for collected in late} == {Placed.MOVED}
    assert client.calls["transact_write_items"] == 25


def test_any_order_and_repetition_counts_each_record_once(store: Store) -> None:
    random, table, clock = Random(7), new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=3)
    deliveries = [record for minute in range(3) for record in scores(1, 2, 3, at_ms=START_MS + minute * MINUTE_MS)] * 3
    random.shuffle(deliveries)
    for record in deliveries:
        buckets.add_all("ann", [record])
    clock.now_ms += 3 * MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    assert [effects(store, table, "ann", START_MS + n * MINUTE_MS) for n in range(3)] == [(1, 6)] * 3


def test_writers_side_by_side_lose_nothing(store: Store) -> None:
    if store.name == "moto":
        pytest.skip("moto's tables are not made for threads")
    table, clock = new_table(store), Clock()

    def write(writer: int) -> None:
        buckets = buckets_on(store.client, table, clock=clock, shards=2)
        for number in range(8):
            while True:
                try:
                    buckets.add_all("ann", [NewRecord(f"{writer}-{number}", {"points": 1}, START_MS)])
                except ContendedBucketError:
                    continue
                break

    writers = [Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    clock.now_ms = START_MS + MINUTE_MS
    buckets_on(store.client, table, clock=clock, shards=2).close_due(summing(table), owner="a")
    assert effects(store, table, "ann") == (1, 32)


def test_contention_gives_up_after_bounded_jittered_waits(store: Store) -> None:
    table, clock = new_table(store), Clock()
    client = FaultyClient(store.client, dict.fromkeys(range(50), "conflict"))
    with pytest.raises(ContendedBucketError, match="use more shards"):
        buckets_on(client, table, clock=clock).add_all("ann", scores(1))
    assert client.calls["transact_write_items"] == 10
    assert len(clock.waits_s) == 9
