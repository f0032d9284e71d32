"""Adding records to the buckets of their time: each once, and none to a bucket that is closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.item_size import LARGEST_ITEM, item_size
from patterns.dynamodb.items import Item, encode_item
from patterns.dynamodb.transactions import Refusal, attempt, cut
from patterns.periodic_aggregator.bucket import (
    HASH_KEY,
    INDEX_HASH_KEY,
    INDEX_RANGE_KEY,
    LATE_PREFIX,
    RANGE_KEY,
    RECORD_PREFIX,
    Bucket,
    BucketState,
    NewRecord,
    check_key,
    check_record,
)
from patterns.periodic_aggregator.bucket_table import MOST_ATTEMPTS, BucketTable, LatePolicy
from patterns.periodic_aggregator.errors import BucketClosingError, ContendedBucketError, RecordTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef


class Placed(StrEnum):
    """What became of a record."""

    ADDED = "ADDED"
    """In the bucket of its time."""
    MOVED = "MOVED"
    """Late: in the bucket of the present, marked late."""
    REOPENED = "REOPENED"
    """Late: in the bucket of its time, which will be processed again, with the next revision."""
    DROPPED = "DROPPED"
    """Late: not stored, counted by the metric ``LateRecordsDropped``."""
    DUPLICATE = "DUPLICATE"
    """Stored by an earlier call; nothing was written."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of a record, and the start (epoch ms) of the bucket it is in or would have been in."""

    placed: Placed
    start_ms: int


def add_all(buckets: BucketTable, key: str, new: Iterable[NewRecord]) -> list[Collected]:
    """Add records of a key; see `PeriodicAggregator.add_all`."""
    check_key(key)
    records = list(new)
    shares: dict[tuple[Bucket, int], dict[str, int]] = {}
    sizes: list[int] = []
    for position, record in enumerate(records):
        bucket = buckets.bucket_of(key, check_record(record).at_ms)
        sizes.append(_checked_size(buckets, bucket, record))
        share = shares.setdefault((bucket, buckets.shard_of(record.record_id)), {})
        share.setdefault(record.record_id, position)
    collected = [Collected(Placed.DUPLICATE, buckets.bucket_of(key, record.at_ms).start_ms) for record in records]
    for (bucket, shard), share in shares.items():
        for batch in cut(share.values(), sizes):
            pending = {position: records[position] for position in batch}
            for position, placed in _Adding(buckets, bucket, shard).add(pending):
                collected[position] = placed
    return collected


class _Adding:
    """Adding to one shard of one bucket."""

    def __init__(self, buckets: BucketTable, bucket: Bucket, shard: int) -> None:
        self.buckets = buckets
        self.bucket = bucket
        self.shard = shard
        self.attempts = 0

    def add(self, pending: dict[int, NewRecord]) -> Iterator[tuple[int, Collected]]:
        """Add records of the shard; those left out of the answer are duplicates."""
        if self.buckets.is_expired(self.bucket):
            yield from self._drop(pending)
            return
        # Whoever closed the bucket may have known fewer shards than this writer: a shard does not begin by itself when
        # the bucket's time is over.
        begins = not self.shard or self.buckets.clock() < self.buckets.closes_at_ms(self.bucket)
        while pending:
            positions = list(pending)
            puts = [put(self.buckets, self.bucket, self.shard, record) for record in pending.values()]
            opening = open_header(self.buckets, self.bucket, self.shard, len(puts), begins=begins)
            refusal = attempt(self.buckets.client, [*puts, {"Update": opening}])
            if refusal is None:
                yield from ((position, Collected(Placed.ADDED, self.bucket.start_ms)) for position in pending)
                return
            header = refusal.failed.get(len(puts))
            for action in refusal.failed:
                if action < len(puts):
                    del pending[positions[action]]
            if header is not None and (header or not self._begin()):
                yield from self._add_late(pending)
                return
            self._count_attempt(refusal, progress=len(pending) < len(positions))

    def _begin(self) -> bool:
        """Begin the shard together with shard 0, which speaks for the bucket; tell whether the bucket is open."""
        headers: list[TransactWriteItemTypeDef] = [
            {"Update": open_header(self.buckets, self.bucket, shard, 0)} for shard in (self.shard, 0)
        ]
        for _ in self.buckets.retries:
            refusal = attempt(self.buckets.client, headers)
            if refusal is None or refusal.failed:
                return refusal is None
        raise ContendedBucketError(self.bucket.partition(self.shard), self.buckets.retries.attempts)

    def _count_attempt(self, refusal: Refusal, *, progress: bool) -> None:
        self.attempts = 0 if progress else self.attempts + 1
        if self.attempts == MOST_ATTEMPTS:
            raise ContendedBucketError(self.bucket.partition(self.shard), self.attempts)
        if not refusal.failed:
            self.buckets.retries.wait(self.attempts)

    def _add_late(self, pending: dict[int, NewRecord]) -> Iterator[tuple[int, Collected]]:
        match self.buckets.late:
            case LatePolicy.DROP:
                yield from self._drop(pending)
            case LatePolicy.NEXT_BUCKET:
                for position, record in pending.items():
                    yield position, self._move(record)
            case LatePolicy.REOPEN:
                for position, record in pending.items():
                    yield position, self._reopen(record)

    def _drop(self, pending: dict[int, NewRecord]) -> Iterator[tuple[int, Collected]]:
        if pending:
            self.buckets.metric("LateRecordsDropped", len(pending))
        yield from ((position, Collected(Placed.DROPPED, self.bucket.start_ms)) for position in pending)

    def _move(self, record: NewRecord) -> Collected:
        """Put the record where it counts, and a mark where it belongs: a repeated one meets the mark."""
        # This clock may be behind that of whoever closed the bucket: the present is a later bucket in any case.
        earliest_ms = self.bucket.start_ms + self.buckets.width_ms
        target = self.buckets.bucket_of(self.bucket.key, max(self.buckets.clock(), earliest_ms))
        self.attempts = 0
        while True:
            mark = put(self.buckets, self.bucket, self.shard, record, moved_to=target)
            late = put(self.buckets, target, self.shard, record, late_of=self.bucket)
            opening = open_header(self.buckets, target, self.shard, 1)
            refusal = attempt(self.buckets.client, [mark, late, {"Update": opening}])
            if refusal is None:
                self.buckets.metric("LateRecordsMoved", 1)
                return Collected(Placed.MOVED, target.start_ms)
            if 0 in refusal.failed:
                return Collected(Placed.DUPLICATE, self.bucket.start_ms)
            if 2 in refusal.failed:  # closed, too
                target = self.buckets.bucket_of(self.bucket.key, target.start_ms + self.buckets.width_ms)
            self._count_attempt(refusal, progress=False)

    def _reopen(self, record: NewRecord) -> Collected:
        self.attempts = 0
        while True:
            actions: list[TransactWriteItemTypeDef] = [
                put(self.buckets, self.bucket, self.shard, record, late_of=self.bucket),
                {"Update": reopen_header(self.buckets, self.bucket, self.shard, 1)},
            ]
            if self.shard:
                actions.append({"Update": reopen_header(self.buckets, self.bucket, 0, 0)})
            refusal = attempt(self.buckets.client, actions)
            if refusal is None:
                self.buckets.metric("BucketsReopened", 1)
                return Collected(Placed.REOPENED, self.bucket.start_ms)
            if 0 in refusal.failed:
                return Collected(Placed.DUPLICATE, self.bucket.start_ms)
            self.attempts += 1
            if self.attempts >= MOST_ATTEMPTS:
                raise BucketClosingError(self.bucket.key, self.bucket.start_ms)
            self.buckets.retries.wait(self.attempts)


def put(
    buckets: BucketTable,
    bucket: Bucket,
    shard: int,
    new: NewRecord,
    *,
    late_of: Bucket | None = None,
    moved_to: Bucket | None = None,
) -> TransactWriteItemTypeDef:
    """Return the write of a record, of a late record in any bucket, or of the mark of one that was moved."""
    item = _record_item(buckets, bucket, shard, new)
    if moved_to is not None:
        del item["record"]
        item["moved_to_ms"] = moved_to.start_ms
    if late_of is not None:
        item["late"] = True
        if late_of != bucket:
            item[RANGE_KEY] = f"{LATE_PREFIX}{late_of.start_ms}#{new.record_id}"
    return {
        "Put": {
            "TableName": buckets.table_name,
            "Item": encode_item(item),
            "ConditionExpression": "attribute_not_exists(#bucket)",
            "ExpressionAttributeNames": {"#bucket": HASH_KEY},
        }
    }


def open_header(
    buckets: BucketTable, bucket: Bucket, shard: int, records: int, *, begins: bool = True
) -> UpdateTypeDef:
    """Return the update that counts records in an open shard, and begins a new one if it may."""
    update = _counting(buckets, bucket, shard, records, buckets.closes_at_ms(bucket))
    return {
        **update,
        "ConditionExpression": "attribute_not_exists(#state) OR #state = :open" if begins else "#state = :open",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def reopen_header(buckets: BucketTable, bucket: Bucket, shard: int, records: int) -> UpdateTypeDef:
    """Return the update that opens a shard of a processed bucket again, to be processed at once."""
    update = _counting(buckets, bucket, shard, records, buckets.clock())
    # Shard 0 is CLOSED while somebody processes the bucket; the other shards stay CLOSED after it, or have not begun.
    condition = "#state IN (:open, :done)"
    if shard:
        condition = "attribute_not_exists(#state) OR #state IN (:open, :closed)"
    other = {":done": {"S": BucketState.DONE}} if shard == 0 else {":closed": {"S": BucketState.CLOSED}}
    values: dict[str, Any] = {**update.get("ExpressionAttributeValues", {}), **other}
    return {**update, "ConditionExpression": condition, "ExpressionAttributeValues": values}


def _counting(buckets: BucketTable, bucket: Bucket, shard: int, records: int, closes_at_ms: int) -> UpdateTypeDef:
    sets = ["#state = :open", "#pending = :pending", "#closes = :closes"]
    names = {"#state": "state", "#pending": INDEX_HASH_KEY, "#closes": INDEX_RANGE_KEY, "#records": "records"}
    values: dict[str, Any] = {
        ":open": {"S": BucketState.OPEN},
        ":pending": {"S": bucket.pending(shard)},
        ":closes": {"N": str(closes_at_ms)},
        ":added": {"N": str(records)},
    }
    if buckets.retention_ms is not None:
        sets.append("#expires = :expires")
        names["#expires"] = "expires_at_s"
        values[":expires"] = {"N": str(buckets.expires_at_s(bucket))}
    return {
        "TableName": buckets.table_name,
        "Key": bucket.header(shard),
        "UpdateExpression": f"SET {', '.join(sets)} ADD #records :added",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _record_item(buckets: BucketTable, bucket: Bucket, shard: int, new: NewRecord) -> Item:
    item: Item = {
        HASH_KEY: bucket.partition(shard),
        RANGE_KEY: RECORD_PREFIX + new.record_id,
        "record": new.record,
        "at_ms": new.at_ms,
    }
    if buckets.retention_ms is not None:
        item["expires_at_s"] = buckets.expires_at_s(bucket)
    return item


def _checked_size(buckets: BucketTable, bucket: Bucket, new: NewRecord) -> int:
    item = _record_item(buckets, bucket, buckets.shard_of(new.record_id), new)
    encode_item(item)
    size = item_size(item) + 32  # a late record's mark
    if size > LARGEST_ITEM:
        raise RecordTooLargeError(new.record_id, size, LARGEST_ITEM)
    return size
