"""What a user of the periodic aggregator relies on, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from patterns.periodic_aggregator import (
    BucketClosingError,
    BucketsFailedError,
    BucketState,
    ClosedBucket,
    ClosingReport,
    LatePolicy,
    NewRecord,
    Outcome,
    Placed,
)
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
    from tests.patterns.stores import Store

PROCESSED_ONE = ClosingReport(processed=1, done_before=0, busy=0, left=0)
NOTHING = ClosingReport(processed=0, done_before=0, busy=0, left=0)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_bucket_is_processed_once_when_its_time_has_come(store: Store, shards: int) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=shards, grace_ms=5000)
    first, again = scores(1, 2, 3, 4, 5), scores(5, 6)
    assert {collected.placed for collected in buckets.add_all("ann", first)} == {Placed.ADDED}
    assert [collected.placed for collected in buckets.add_all("ann", again)] == [Placed.DUPLICATE, Placed.ADDED]

    clock.now_ms = START_MS + MINUTE_MS + 4999
    assert buckets.close_due(summing(table), owner="a") == NOTHING
    clock.now_ms += 1
    assert buckets.close_due(summing(table), owner="a") == PROCESSED_ONE
    assert buckets.close_due(summing(table), owner="b") == NOTHING
    assert effects(store, table, "ann") == (1, 21)
    assert buckets.result("ann", START_MS) == {"points": 21, "revision": 1}
    assert buckets.state("ann", START_MS) is BucketState.DONE
    assert list(buckets.open_buckets(clock.now_ms + MINUTE_MS)) == []


def test_keys_and_minutes_are_buckets_of_their_own_and_missed_ones_are_caught_up_oldest_first(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock)
    for minute in range(3):
        for key in ("ann", "bob#1"):
            buckets.add_all(key, scores(minute + 1, at_ms=START_MS + minute * MINUTE_MS + 59_999))
    clock.now_ms += 10 * MINUTE_MS
    seen: list[tuple[int, str, int]] = []

    def process(bucket: ClosedBucket) -> Outcome:
        assert bucket.end_ms - bucket.start_ms == MINUTE_MS
        seen.append((bucket.start_ms, bucket.key, sum(1 for _ in bucket.records())))
        return Outcome()

    assert buckets.close_due(process, owner="a").processed == 6
    assert [start for start, _, _ in seen] == sorted(start for start, _, _ in seen)
    assert sorted(seen) == [(START_MS + n * MINUTE_MS, key, 1) for n in range(3) for key in ("ann", "bob#1")]


def test_a_run_out_of_time_leaves_the_rest_to_the_next(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock)
    for key in ("a", "b", "c"):
        buckets.add_all(key, scores(1))
    clock.now_ms += MINUTE_MS
    time_left = iter([30_000, 9_999])
    report = buckets.close_due(summing(table), owner="a", remaining_ms=lambda: next(time_left))
    assert report == ClosingReport(processed=1, done_before=0, busy=0, left=2)
    assert buckets.close_due(summing(table), owner="b").processed == 2


def test_a_bucket_that_fails_holds_up_no_other(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock)
    for key in ("bad", "good"):
        buckets.add_all(key, scores(1))
    clock.now_ms += MINUTE_MS

    def process(bucket: ClosedBucket) -> Outcome:
        if bucket.key == "bad":
            raise ConnectionError
        return summing(table)(bucket)

    with pytest.raises(BucketsFailedError, match="1 buckets failed; the first is 'bad'"):
        buckets.close_due(process, owner="a")
    assert effects(store, table, "good") == (1, 1)
    assert buckets.close_due(summing(table), owner="a") == PROCESSED_ONE
    assert effects(store, table, "bad") == (1, 1)


@pytest.mark.parametrize("shards", [1, 3])
def test_late_records_are_dropped_with_a_metric(store: Store, shards: int) -> None:
    table, clock, counted = new_table(store), Clock(), dict[str, int]()
    buckets = buckets_on(
        store.client, table, clock=clock, shards=shards, late=LatePolicy.DROP, metric=counted.__setitem__
    )
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    assert [collected.placed for collected in buckets.add_all("ann", scores(1, 2))] == [
        Placed.DUPLICATE,
        Placed.DROPPED,
    ]
    assert counted == {"LateRecordsDropped": 1}
    assert buckets.close_due(summing(table), owner="b") == NOTHING


@pytest.mark.parametrize("shards", [1, 3])
def test_late_records_count_once_in_the_bucket_of_the_present(store: Store, shards: int) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=shards)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    late = scores(1, 2, 3, 4)
    placed = [(collected.placed, collected.start_ms) for collected in buckets.add_all("ann", late)]
    assert placed == [(Placed.DUPLICATE, START_MS)] + [(Placed.MOVED, START_MS + MINUTE_MS)] * 3
    # The same id in the bucket of the present is another record, and a repetition a minute later is none.
    buckets.add_all("ann", scores(2, at_ms=clock.now_ms))
    clock.now_ms += MINUTE_MS
    assert {collected.placed for collected in buckets.add_all("ann", late)} == {Placed.DUPLICATE}
    assert buckets.close_due(summing(table), owner="b").processed == 1
    assert effects(store, table, "ann") == (1, 1)
    assert effects(store, table, "ann", START_MS + MINUTE_MS) == (1, 2 + 3 + 4 + 2)
    stored = sorted((found.record_id, found.late) for found in buckets.records("ann", START_MS + MINUTE_MS))
    assert stored == [("r2", False), ("r2", True), ("r3", True), ("r4", True)]


@pytest.mark.parametrize("shards", [1, 3])
def test_late_records_open_their_bucket_again_for_another_revision(store: Store, shards: int) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=shards, late=LatePolicy.REOPEN)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    assert buckets.add_all("ann", scores(2))[0].placed is Placed.REOPENED
    assert {collected.placed for collected in buckets.add_all("ann", scores(1, 2))} == {Placed.DUPLICATE}
    buckets.add_all("ann", scores(3, 4, 5))
    assert buckets.close_due(summing(table), owner="b") == PROCESSED_ONE
    assert buckets.close_due(summing(table), owner="c") == NOTHING
    assert effects(store, table, "ann") == (2, 15)
    assert buckets.result("ann", START_MS) == {"points": 15, "revision": 2}
    assert list(buckets.open_buckets(clock.now_ms + MINUTE_MS)) == []


def test_a_bucket_is_not_opened_again_while_it_is_processed(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, late=LatePolicy.REOPEN)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS

    def process(bucket: ClosedBucket) -> Outcome:
        with pytest.raises(BucketClosingError, match="is being processed"):
            buckets.add_all("ann", scores(2))
        return summing(table)(bucket)

    buckets.close_due(process, owner="a")
    assert effects(store, table, "ann") == (1, 1)


def test_forgotten_buckets_take_no_records(store: Store) -> None:
    table, clock, counted = new_table(store), Clock(), dict[str, int]()
    buckets = buckets_on(store.client, table, clock=clock, retention_ms=MINUTE_MS, metric=counted.__setitem__)
    clock.now_ms += 2 * MINUTE_MS
    assert buckets.add_all("ann", scores(1))[0].placed is Placed.DROPPED
    assert counted == {"LateRecordsDropped": 1}


def test_a_large_batch_is_spread_over_shards_and_transactions(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=4)
    batch = [NewRecord(f"r{number}", {"points": 1}, START_MS + number % 60_000) for number in range(250)]
    assert {collected.placed for collected in buckets.add_all("ann", batch)} == {Placed.ADDED}
    assert sum(1 for _ in buckets.records("ann", START_MS)) == 250
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    assert effects(store, table, "ann") == (1, 250)
