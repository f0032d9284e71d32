"""What a user of the periodic aggregator relies on, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from patterns.dynamodb.items import decode_item
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
from tests.patterns.small_pages import SmallPages

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


def test_lists_go_on_over_all_pages(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(SmallPages(store.client), table, clock=clock)
    keys = [f"k{number}" for number in range(9)]
    for key in keys:
        buckets.add_all(key, scores(1, 2))
    clock.now_ms += MINUTE_MS
    assert sorted(bucket.key for bucket in buckets.open_buckets(clock.now_ms)) == keys
    assert buckets.close_due(summing(table), owner="a").processed == 9
    assert [effects(store, table, key) for key in keys] == [(1, 3)] * 9


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
    table, clock, counted = new_table(store), Clock(), dict[str, int]()
    buckets = buckets_on(store.client, table, clock=clock, shards=shards, metric=counted.__setitem__)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    late = scores(1, 2, 3, 4)
    placed = [(collected.placed, collected.start_ms) for collected in buckets.add_all("ann", late)]
    assert placed == [(Placed.DUPLICATE, START_MS)] + [(Placed.MOVED, START_MS + MINUTE_MS)] * 3
    assert counted == {"LateRecordsMoved": 1}
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
    table, clock, counted = new_table(store), Clock(), dict[str, int]()
    buckets = buckets_on(
        store.client, table, clock=clock, shards=shards, late=LatePolicy.REOPEN, metric=counted.__setitem__
    )
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS
    buckets.close_due(summing(table), owner="a")
    assert buckets.add_all("ann", scores(2))[0].placed is Placed.REOPENED
    assert {collected.placed for collected in buckets.add_all("ann", scores(1, 2))} == {Placed.DUPLICATE}
    buckets.add_all("ann", scores(3, 4, 5))
    assert buckets.close_due(summing(table), owner="b") == PROCESSED_ONE
    assert buckets.close_due(summing(table), owner="c") == NOTHING
    assert effects(store, table, "ann") == (2, 15)
    assert counted == {"BucketsReopened": 1}
    assert buckets.result("ann", START_MS) == {"points": 15, "revision": 2}
    assert list(buckets.open_buckets(clock.now_ms + MINUTE_MS)) == []


def test_a_late_record_of_a_slow_clock_counts_in_the_next_bucket(store: Store) -> None:
    table, clock = new_table(store), Clock(START_MS + MINUTE_MS)
    slow = buckets_on(store.client, table, clock=Clock(START_MS + MINUTE_MS - 1))
    slow.add_all("ann", scores(1))
    buckets_on(store.client, table, clock=clock).close_due(summing(table), owner="a")
    (late,) = slow.add_all("ann", scores(2))
    assert (late.placed, late.start_ms) == (Placed.MOVED, START_MS + MINUTE_MS)
    clock.now_ms += MINUTE_MS
    buckets_on(store.client, table, clock=clock).close_due(summing(table), owner="b")
    assert effects(store, table, "ann", START_MS + MINUTE_MS) == (1, 2)


@pytest.mark.parametrize(
    ("late", "placed", "sums"),
    [
        (LatePolicy.NEXT_BUCKET, {Placed.MOVED}, [(1, 10), (1, 35)]),
        (LatePolicy.REOPEN, {Placed.REOPENED, Placed.ADDED}, [(2, 45), (0, 0)]),
        (LatePolicy.DROP, {Placed.DROPPED}, [(1, 10), (0, 0)]),
    ],
)
def test_a_bucket_closed_with_fewer_shards_is_closed_to_the_added_ones(
    store: Store, late: LatePolicy, placed: set[Placed], sums: list[tuple[int, int]]
) -> None:
    table, clock = new_table(store), Clock()
    one = buckets_on(store.client, table, clock=clock, late=late)
    one.add_all("ann", scores(1, 2, 3, 4))
    clock.now_ms += MINUTE_MS
    one.close_due(summing(table), owner="a")
    four = buckets_on(store.client, table, clock=clock, late=late, shards=4)
    assert {four.shard_of(record.record_id) for record in scores(5, 6, 7, 8, 9)} == {0, 1, 2, 3}
    assert {collected.placed for collected in four.add_all("ann", scores(5, 6, 7, 8, 9))} == placed
    clock.now_ms += MINUTE_MS
    four.close_due(summing(table), owner="b")
    assert [effects(store, table, "ann"), effects(store, table, "ann", START_MS + MINUTE_MS)] == sums
    assert list(four.open_buckets(clock.now_ms + 9 * MINUTE_MS)) == []


def test_a_record_may_begin_a_shard_of_a_bucket_that_waits_for_its_closing(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=4)
    clock.now_ms += MINUTE_MS
    # Each shard gets a full transaction of 99 records, and more.
    assert {collected.placed for collected in buckets.add_all("ann", scores(*range(500)))} == {Placed.ADDED}
    assert buckets.close_due(summing(table), owner="a") == PROCESSED_ONE
    assert effects(store, table, "ann") == (1, sum(range(500)))


def test_a_bucket_opened_again_with_fewer_shards_keeps_its_records(store: Store) -> None:
    table, clock = new_table(store), Clock()
    four = buckets_on(store.client, table, clock=clock, late=LatePolicy.REOPEN, shards=4)
    four.add_all("ann", scores(*range(1, 10)))
    clock.now_ms += MINUTE_MS
    four.close_due(summing(table), owner="a")
    one = buckets_on(store.client, table, clock=clock, late=LatePolicy.REOPEN)
    assert one.add_all("ann", scores(10))[0].placed is Placed.REOPENED
    one.close_due(summing(table), owner="b")
    assert effects(store, table, "ann") == (2, 55)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_bucket_is_not_opened_again_while_it_is_processed(store: Store, shards: int) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, late=LatePolicy.REOPEN, shards=shards)
    assert bool(buckets.shard_of("r2")) is (shards > 1)
    buckets.add_all("ann", scores(1))
    clock.now_ms += MINUTE_MS

    def process(bucket: ClosedBucket) -> Outcome:
        with pytest.raises(BucketClosingError, match="is being processed"):
            buckets.add_all("ann", scores(2))
        return summing(table)(bucket)

    buckets.close_due(process, owner="a")
    assert effects(store, table, "ann") == (1, 1)


def test_all_of_a_bucket_may_be_deleted_a_day_after_it_takes_no_record(store: Store) -> None:
    table, clock = new_table(store), Clock()
    buckets = buckets_on(store.client, table, clock=clock, shards=3, retention_ms=MINUTE_MS)
    # Into shard 2; the other headers come with the closing.
    assert {buckets.shard_of(record.record_id) for record in scores(2, 5)} == {2}
    buckets.add_all("ann", scores(2, 5))
    clock.now_ms += 2 * MINUTE_MS - 1
    buckets.close_due(lambda _bucket: None, owner="a")
    assert buckets.add_all("ann", scores(3))[0].placed is Placed.MOVED
    items = [decode_item(item) for item in store.client.scan(TableName=table)["Items"]]
    last_ms = START_MS + 2 * MINUTE_MS + 24 * 3600 * 1000
    expected = {f"ann#{START_MS + minute * MINUTE_MS}": last_ms + minute * MINUTE_MS for minute in (0, 1)}
    assert [
        item for item in items if item["expires_at_s"] != expected[str(item["bucket"]).rpartition("#")[0]] // 1000
    ] == []
    assert len(items) == 3 + 2 + 1 + 2  # headers, records, the mark; header and record of the next bucket


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
