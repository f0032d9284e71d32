"""The table of buckets: where it is, the rules its buckets live by, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast
from zlib import crc32

from patterns.dynamodb.items import Item, decode_item, read_int, read_str
from patterns.dynamodb.retries import Retries
from patterns.periodic_aggregator.bucket import (
    HASH_KEY,
    HEADER,
    INDEX_HASH_KEY,
    INDEX_RANGE_KEY,
    INDEX_SHARDS,
    RANGE_KEY,
    Bucket,
    BucketState,
    Stored,
    check_key,
    parse_partition,
    read_stored,
)
from patterns.periodic_aggregator.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

MOST_SHARDS = 256
MOST_ATTEMPTS = 10
"""Attempts in a row without progress before `ContendedBucketError` or `BucketClosingError`."""

_LAST_CLOSING_MS = 24 * 3600 * 1000
"""For how long the items of a bucket that was opened again in the last moment stay, to be processed as a whole."""


class LatePolicy(StrEnum):
    """What happens to a record whose bucket is closed."""

    NEXT_BUCKET = "NEXT_BUCKET"
    """It counts in the bucket of the present."""
    REOPEN = "REOPEN"
    """Its bucket is opened and, as a whole, processed again."""
    DROP = "DROP"
    """It is not stored."""


def _ignore(_name: str, _number: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class OpenBucket:
    """A shard of a bucket that is not processed, and when its time comes or came (epoch ms)."""

    key: str
    start_ms: int
    shard: int
    closes_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTable:
    """What all that is done with buckets stands on; see `PeriodicAggregator` for the parameters."""

    client: DynamoDBClient
    table_name: str
    width_ms: int
    clock: Callable[[], int]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    grace_ms: int = 0
    late: LatePolicy = LatePolicy.NEXT_BUCKET
    shards: int = 1
    lease_ms: int = 60_000
    retention_ms: int | None = None
    metric: Callable[[str, int], None] = _ignore
    index_name: str = "pending"

    def __post_init__(self) -> None:
        for name, lowest in (("width_ms", 1), ("grace_ms", 0), ("lease_ms", 1), ("retention_ms", 1), ("shards", 1)):
            value = getattr(self, name)
            if name == "retention_ms" and value is None:
                continue
            if type(value) is not int or value < lowest:
                raise InvalidSettingError(name, value, f"must be an integer of at least {lowest}")
        if self.shards > MOST_SHARDS:
            raise InvalidSettingError("shards", self.shards, f"must be at most {MOST_SHARDS}")
        if self.late not in tuple(LatePolicy):
            raise InvalidSettingError("late", self.late, f"must be one of {', '.join(LatePolicy)}")

    def open_buckets(self, until_ms: int) -> Iterator[OpenBucket]:
        """Yield the shards of unprocessed buckets whose time comes no later than this, from the index."""
        for partition in range(INDEX_SHARDS):
            query: QueryInputTypeDef = {
                "TableName": self.table_name,
                "IndexName": self.index_name,
                "KeyConditionExpression": "#pending = :pending AND #closes <= :until",
                "ExpressionAttributeNames": {"#pending": INDEX_HASH_KEY, "#closes": INDEX_RANGE_KEY},
                "ExpressionAttributeValues": {
                    ":pending": {"S": f"{HEADER}#{partition}"},
                    ":until": {"N": str(until_ms)},
                },
            }
            while True:
                answer = self.client.query(**query)
                for item in answer["Items"]:
                    keys = decode_item({name: item[name] for name in (HASH_KEY, INDEX_RANGE_KEY)})
                    bucket, shard = parse_partition(read_str(keys, HASH_KEY))
                    yield OpenBucket(bucket.key, bucket.start_ms, shard, read_int(keys, INDEX_RANGE_KEY))
                if "LastEvaluatedKey" not in answer:
                    break
                query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def records(self, key: str, start_ms: int) -> Iterator[Stored]:
        """Yield the records of a bucket, in no particular order."""
        return self.records_of(Bucket(check_key(key), start_ms), range(self.shards))

    def records_of(self, bucket: Bucket, shards: Sequence[int]) -> Iterator[Stored]:
        """Yield the records of some shards of a bucket, strongly consistent, a page at a time."""
        for shard in shards:
            query: QueryInputTypeDef = {
                "TableName": self.table_name,
                "KeyConditionExpression": "#bucket = :bucket AND #entry > :header",
                "ExpressionAttributeNames": {"#bucket": HASH_KEY, "#entry": RANGE_KEY},
                "ExpressionAttributeValues": {":bucket": {"S": bucket.partition(shard)}, ":header": {"S": HEADER}},
                "ConsistentRead": True,
            }
            while True:
                answer = self.client.query(**query)
                yield from filter(None, map(read_stored, answer["Items"]))
                if "LastEvaluatedKey" not in answer:
                    break
                query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def result(self, key: str, start_ms: int) -> Item | None:
        """Return what processing the bucket returned as result, None if it is not processed."""
        header = self.header(key, start_ms)
        return cast("Item | None", header.get("outcome")) if header else None

    def state(self, key: str, start_ms: int) -> BucketState | None:
        """Return where a bucket stands, None if shard 0 has never been written."""
        header = self.header(key, start_ms)
        return BucketState(read_str(header, "state")) if header else None

    def header(self, key: str, start_ms: int) -> Item | None:
        """Return the header of a bucket's shard 0, which speaks for the bucket; one strongly consistent read."""
        bucket = Bucket(check_key(key), start_ms)
        answer = self.client.get_item(TableName=self.table_name, Key=bucket.header(0), ConsistentRead=True)
        return decode_item(answer["Item"]) if "Item" in answer else None

    def bucket_of(self, key: str, at_ms: int) -> Bucket:
        """Return the bucket of a time."""
        return Bucket(key, at_ms - at_ms % self.width_ms)

    def shard_of(self, record_id: str) -> int:
        """Return the shard of a record: always the same one, so that a repeated record meets the first."""
        return crc32(record_id.encode()) % self.shards

    def closes_at_ms(self, bucket: Bucket) -> int:
        """Return when a bucket may be closed, epoch ms."""
        return bucket.start_ms + self.width_ms + self.grace_ms

    def expires_at_s(self, bucket: Bucket) -> int:
        """Return when a bucket's items may be deleted, epoch seconds."""
        return (self.closes_at_ms(bucket) + (self.retention_ms or 0) + _LAST_CLOSING_MS) // 1000

    def is_expired(self, bucket: Bucket) -> bool:
        """Whether a bucket takes no record for good: soon nothing can tell any more whether it was processed."""
        return self.retention_ms is not None and self.clock() >= self.closes_at_ms(bucket) + self.retention_ms

    @property
    def retries(self) -> Retries:
        """Attempts at a transaction that others may win."""
        return Retries(sleep=self.sleep, random=self.random, attempts=MOST_ATTEMPTS, first_wait_ms=40)
