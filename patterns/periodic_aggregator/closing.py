"""Closing a bucket: claim it, close its shards, process its records, write the outcome under the claim."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item, encode_value
from patterns.dynamodb.refusals import condition_failed, item_of_failed_condition
from patterns.dynamodb.transactions import attempt
from patterns.periodic_aggregator.adding import reopen_header
from patterns.periodic_aggregator.bucket import (
    INDEX_HASH_KEY,
    INDEX_RANGE_KEY,
    Bucket,
    BucketState,
    Stored,
)
from patterns.periodic_aggregator.errors import (
    BucketsFailedError,
    ClaimLostError,
    ContendedBucketError,
    OutcomeRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.periodic_aggregator.bucket_table import BucketTable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What processing a bucket leaves behind.

    Parameters
    ----------
    result
        Kept in the bucket's header.
    writes
        Actions of a TransactWriteItems call, at most 99, none on the bucket's items. They are written in one
        transaction with the bucket's DONE: an effect given here happens exactly once per revision, whatever crashes.
    """

    result: Item = field(default_factory=dict[str, Any])
    writes: Sequence[TransactWriteItemTypeDef] = ()


@dataclass(frozen=True, slots=True)
class ClosedBucket:
    """What the processing gets to see.

    Attributes
    ----------
    key, start_ms, end_ms
        Records of this key with ``start_ms <= at_ms < end_ms``, and late ones.
    revision
        1 when the bucket is processed first, 1 more after each time it was re-opened. A result of a higher revision
        replaces the earlier one.
    records
        Reads the records, shard by shard, as they are consumed: not in the order of time.
    """

    key: str
    start_ms: int
    end_ms: int
    revision: int
    records: Callable[[], Iterator[Stored]]


Process: TypeAlias = "Callable[[ClosedBucket], Outcome | None]"
"""Processes a closed bucket. An exception leaves it claimed, for the next run after the lease."""


_Closed: TypeAlias = Literal["processed", "done_before", "busy"]


@dataclass(frozen=True, slots=True)
class ClosingReport:
    """What a run did: buckets processed; processed before, by others; held by others; left for lack of time."""

    processed: int
    done_before: int
    busy: int
    left: int


def close_due(
    buckets: BucketTable,
    process: Process,
    *,
    owner: str,
    remaining_ms: Callable[[], int] | None,
    reserve_ms: int,
) -> ClosingReport:
    """Process all buckets whose time has come; see `PeriodicAggregator.close_due`."""
    due: dict[Bucket, set[int]] = {}
    for found in buckets.open_buckets(buckets.clock()):
        due.setdefault(Bucket(found.key, found.start_ms), set()).add(found.shard)
    outcomes, errors, left = Counter[_Closed](), dict[tuple[str, int], Exception](), 0
    for number, (bucket, shards) in enumerate(sorted(due.items(), key=lambda item: item[0].start_ms)):
        if remaining_ms is not None and remaining_ms() < reserve_ms:
            left = len(due) - number
            break
        try:
            outcomes[_close(buckets, bucket, shards, process, owner)] += 1
        except Exception as error:  # whatever it is, it is this bucket's alone
            errors[bucket] = error
    if errors:
        raise BucketsFailedError(errors)
    return ClosingReport(outcomes["processed"], outcomes["done_before"], outcomes["busy"], left)


def _close(buckets: BucketTable, bucket: Bucket, listed: set[int], process: Process, owner: str) -> _Closed:
    header = _claim(buckets, bucket, owner)
    if header is None:
        if buckets.state(*bucket) is not BucketState.DONE:
            return "busy"
        if not _take_off_the_index(buckets, bucket, sorted(listed - {0})):
            return "done_before"
        # A shard took records that the bucket's closing did not know: it had fewer shards than the writer.
        if not _open_again(buckets, bucket) or (header := _claim(buckets, bucket, owner)) is None:
            return "busy"
    # The bucket may have been processed with more shards than there are by today's settings.
    known = range(max(buckets.shards, cast("int", header.get("shards", 1))))
    others = sorted(listed.union(known) - {0})
    # From here on no writer gets a record into any shard: each write asks its shard's header.
    for shard in others:
        _close_shard(buckets, bucket, shard)
    closed = ClosedBucket(
        key=bucket.key,
        start_ms=bucket.start_ms,
        end_ms=bucket.start_ms + buckets.width_ms,
        revision=cast("int", header.get("revision", 0)) + 1,
        records=lambda: buckets.records_of(bucket, [0, *others]),
    )
    outcome = process(closed) or Outcome()
    _settle(buckets, bucket, cast("int", header["claims"]), max(others, default=0) + 1, outcome)
    _take_off_the_index(buckets, bucket, others)
    return "processed"


def _claim(buckets: BucketTable, bucket: Bucket, owner: str) -> Item | None:
    now = buckets.clock()
    sets = [
        "#state = :closed",
        "#owner = :owner",
        "#lease = :lease",
        "#pending = :pending",
        "#closes = if_not_exists(#closes, :now)",
    ]
    values: dict[str, Any] = {}
    if buckets.retention_ms is not None:
        sets.append("expires_at_s = :expires")
        values[":expires"] = {"N": str(buckets.expires_at_s(bucket))}
    try:
        answer = buckets.client.update_item(
            TableName=buckets.table_name,
            Key=bucket.header(0),
            UpdateExpression=f"SET {', '.join(sets)} ADD #claims :one",
            ConditionExpression=(
                "attribute_not_exists(#state) OR #state = :open "
                "OR (#state = :closed AND (#owner = :owner OR #lease <= :now))"
            ),
            ExpressionAttributeNames={
                "#state": "state",
                "#owner": "claimed_by",
                "#lease": "lease_until_ms",
                "#claims": "claims",
                "#pending": INDEX_HASH_KEY,
                "#closes": INDEX_RANGE_KEY,
            },
            ExpressionAttributeValues={
                ":open": {"S": BucketState.OPEN},
                ":closed": {"S": BucketState.CLOSED},
                ":owner": {"S": owner},
                ":lease": {"N": str(now + buckets.lease_ms)},
                ":pending": {"S": bucket.pending(0)},
                ":now": {"N": str(now)},
                ":one": {"N": "1"},
                **values,
            },
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if not condition_failed(error):
            raise
        return None
    return decode_item(answer["Attributes"])


def _close_shard(buckets: BucketTable, bucket: Bucket, shard: int) -> None:
    sets, values = ["#state = :closed"], dict[str, Any]()
    if buckets.retention_ms is not None:
        sets.append("expires_at_s = :expires")
        values[":expires"] = {"N": str(buckets.expires_at_s(bucket))}
    buckets.client.update_item(
        TableName=buckets.table_name,
        Key=bucket.header(shard),
        UpdateExpression=f"SET {', '.join(sets)}",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":closed": {"S": BucketState.CLOSED}, **values},
    )


def _open_again(buckets: BucketTable, bucket: Bucket) -> bool:
    try:
        buckets.client.update_item(**reopen_header(buckets, bucket, 0, 0))
    except ClientError as error:
        if not condition_failed(error):
            raise
        return False
    return True


def _settle(buckets: BucketTable, bucket: Bucket, token: int, shards: int, outcome: Outcome) -> None:
    done: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": buckets.table_name,
            "Key": bucket.header(0),
            "UpdateExpression": (
                "SET #state = :done, #outcome = :outcome, #done_at_ms = :now, #shards = :shards "
                "ADD #revision :one REMOVE #pending, #closes"
            ),
            "ConditionExpression": "#state = :closed AND #claims = :token",
            "ExpressionAttributeNames": {
                "#state": "state",
                "#outcome": "outcome",
                "#done_at_ms": "done_at_ms",
                "#claims": "claims",
                "#revision": "revision",
                "#shards": "shards",
                "#pending": INDEX_HASH_KEY,
                "#closes": INDEX_RANGE_KEY,
            },
            "ExpressionAttributeValues": {
                ":closed": {"S": BucketState.CLOSED},
                ":done": {"S": BucketState.DONE},
                ":token": {"N": str(token)},
                ":outcome": encode_value(outcome.result),
                ":now": {"N": str(buckets.clock())},
                ":shards": {"N": str(shards)},
                ":one": {"N": "1"},
            },
        }
    }
    for _ in buckets.retries:
        refusal = attempt(buckets.client, [done, *outcome.writes])
        if refusal is None:
            return
        if 0 in refusal.failed:
            # A lost answer: the outcome was written by an attempt that seemed to fail.
            header = buckets.header(*bucket)
            if header and (header["state"], header["claims"]) == (BucketState.DONE, token):
                return
            raise ClaimLostError(*bucket, token)
        if refusal.failed:
            raise OutcomeRefusedError(*bucket, [position - 1 for position in refusal.failed])
    raise ContendedBucketError(bucket.partition(0), buckets.retries.attempts)


def _take_off_the_index(buckets: BucketTable, bucket: Bucket, shards: Sequence[int]) -> bool:
    """Unlist the closed shards of a processed bucket; tell whether one is open."""
    any_open = False
    for shard in shards:
        try:
            buckets.client.update_item(
                TableName=buckets.table_name,
                Key=bucket.header(shard),
                UpdateExpression="REMOVE #pending, #closes",
                # A late record may have opened the shard again.
                ConditionExpression="#state = :closed AND attribute_exists(#pending)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ExpressionAttributeNames={"#state": "state", "#pending": INDEX_HASH_KEY, "#closes": INDEX_RANGE_KEY},
                ExpressionAttributeValues={":closed": {"S": BucketState.CLOSED}},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            stored = item_of_failed_condition(error) or {}
            any_open |= stored.get("state") == {"S": BucketState.OPEN}
    return any_open
