"""The periodic aggregator: what a service holds, and all it can ask of its buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from patterns.dynamodb.items import Item, decode_item, read_int, read_str
from patterns.periodic_aggregator.adding import Collected, LatePolicy, add_all, shard_of
from patterns.periodic_aggregator.bucket import (
    HASH_KEY,
    HEADER,
    INDEX_HASH_KEY,
    INDEX_RANGE_KEY,
    INDEX_SHARDS,
    Bucket,
    BucketState,
    NewRecord,
    Stored,
    check_key,
    parse_partition,
)
from patterns.periodic_aggregator.closing import ClosingReport, Process, close_due, read_records
from patterns.periodic_aggregator.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

MOST_SHARDS = 256


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
class PeriodicAggregator:
    """Time buckets of many keys in one table.

    Parameters
    ----------
    client, table_name
        Table with text keys ``bucket`` and ``entry`` and an index `index_name` of keys ``pending`` (text) and
        ``closes_at_ms`` (number), which needs no other attribute.
    width_ms
        Width of a bucket: one begins at every multiple of it, epoch ms.
    clock
        Epoch ms.
    sleep, random
        Waits so many seconds; uniform in [0, 1), spreads the attempts of competing writers.
    grace_ms
        How long after its end a bucket still takes records.
    late
        What happens to a record after that.
    shards
        Items over which the writers of one bucket are spread, 1..256. More shards take more records a second and cost
        three more requests each per bucket. Raise it at any time; lower it only when no older writer is left.
    lease_ms
        How long a run may process a bucket before another may take it over: no less than the function's timeout.
    retention_ms
        Time to live of a bucket's items after its closing, in the attribute ``expires_at_s``; records that come even
        later are dropped. None: for ever.
    metric
        Told the number of ``LateRecordsDropped``, ``LateRecordsMoved`` and ``BucketsReopened``; see `emf_metric`.
    index_name
        Name of the index.

    Raises
    ------
    InvalidSettingError
        A width, lease or retention that is not positive, a negative grace, a number of shards outside 1..256.
    """

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

    def add(self, key: str, record_id: str, record: Item, *, at_ms: int) -> Collected:
        """Add one record; see `add_all`."""
        (collected,) = self.add_all(key, [NewRecord(record_id, record, at_ms)])
        return collected

    def add_all(self, key: str, new: Iterable[NewRecord]) -> list[Collected]:
        """Add records of a key to the buckets of their times, each once however often it is added.

        Up to 99 records of one bucket and shard go into one transaction, all or nothing. The call may fail half-way,
        and is simply repeated.

        Parameters
        ----------
        key
            1 to 1,900 bytes.
        new
            The records, each at most 400 KB as an item.

        Returns
        -------
        list[Collected]
            What became of each, in their order.

        Raises
        ------
        InvalidKeyError, InvalidRecordError, RecordTooLargeError
            A key, id, time or record of the wrong shape; nothing at all was written.
        ContendedBucketError
            After ten attempts lost to conflicts or throttling. What is stored by then stays.
        BucketClosingError
            The bucket to re-open is being processed. Add the record again.
        """
        return add_all(self, key, new)

    def close_due(
        self,
        process: Process,
        *,
        owner: str,
        remaining_ms: Callable[[], int] | None = None,
        reserve_ms: int = 10_000,
    ) -> ClosingReport:
        """Process every bucket whose time has come, oldest first, however many schedules were missed.

        Parameters
        ----------
        process
            Called once for each bucket and revision. Effects it returns as `Outcome.writes` happen exactly once;
            effects it has by itself happen at least once, and again only if a run died or lost its lease in between.
        owner
            Who asks, the same for every delivery of one schedule's firing (its execution id): a repeated one goes on
            at once where its predecessor died, another owner waits for the lease to run out.
        remaining_ms, reserve_ms
            Time left for this function, and how much of it must be left to begin another bucket.

        Raises
        ------
        BucketsFailedError
            Some buckets failed, after all others were processed.
        """
        return close_due(self, process, owner=owner, remaining_ms=remaining_ms, reserve_ms=reserve_ms)

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
        return read_records(self, Bucket(check_key(key), start_ms), range(self.shards))

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
        """Return the shard of a record."""
        return shard_of(record_id, self.shards)

    def closes_at_ms(self, bucket: Bucket) -> int:
        """Return when a bucket may be closed, epoch ms."""
        return bucket.start_ms + self.width_ms + self.grace_ms

    def expires_at_s(self, bucket: Bucket) -> int:
        """Return when a bucket's items may be deleted, epoch seconds."""
        return (self.closes_at_ms(bucket) + (self.retention_ms or 0)) // 1000

    def is_expired(self, bucket: Bucket) -> bool:
        """Whether a bucket may be forgotten: nothing can tell any more whether it was processed."""
        return self.retention_ms is not None and self.clock() // 1000 >= self.expires_at_s(bucket)
