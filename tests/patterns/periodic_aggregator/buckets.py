"""Periodic aggregators over a fresh table, with a clock and waits in the test's hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from patterns.periodic_aggregator import ClosedBucket, NewRecord, Outcome, PeriodicAggregator
from tests.patterns.stores import Index

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from tests.patterns.stores import Store

MINUTE_MS = 60_000
START_MS = 28_333_333 * MINUTE_MS


@dataclass
class Clock:
    """Epoch ms that stand still until somebody waits."""

    now_ms: int = START_MS
    waits_s: list[float] = field(default_factory=list[float])

    def __call__(self) -> int:
        return self.now_ms

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.now_ms += int(seconds * 1000)


def new_table(store: Store) -> str:
    """A table as the component makes it."""
    return store.create_table("bucket", "entry", indexes=[Index("pending", "pending", "S", "closes_at_ms", "N")])


def buckets_on(client: object, table: str, *, clock: Clock | None = None, **settings: Any) -> PeriodicAggregator:
    """A periodic aggregator of minutes."""
    clock = clock or Clock()
    return PeriodicAggregator(
        client=cast("DynamoDBClient", client),
        table_name=table,
        clock=clock,
        sleep=clock.sleep,
        random=lambda: 0.5,
        width_ms=MINUTE_MS,
        **settings,
    )


def scores(*points: int, at_ms: int = START_MS) -> list[NewRecord]:
    """Records with ids and contents of these points."""
    return [NewRecord(f"r{number}", {"points": number}, at_ms) for number in points]


def summing(table: str) -> Callable[[ClosedBucket], Outcome]:
    """A processing whose effects are counted in the table itself, in the transaction of the outcome."""

    def process(bucket: ClosedBucket) -> Outcome:
        points = sum(cast("int", stored.record["points"]) for stored in bucket.records())
        write: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": table,
                "Key": {"bucket": {"S": "effects"}, "entry": {"S": f"{bucket.key}#{bucket.start_ms}"}},
                "UpdateExpression": "SET points = :points ADD effects :one",
                "ExpressionAttributeValues": {":points": {"N": str(points)}, ":one": {"N": "1"}},
            }
        }
        return Outcome({"points": points, "revision": bucket.revision}, [write])

    return process


def effects(store: Store, table: str, key: str, start_ms: int = START_MS) -> tuple[int, int]:
    """How often the effect of a bucket happened, and the points it had last."""
    item = store.client.get_item(
        TableName=table, Key={"bucket": {"S": "effects"}, "entry": {"S": f"{key}#{start_ms}"}}, ConsistentRead=True
    ).get("Item", {})
    return int(item.get("effects", {}).get("N", "0")), int(item.get("points", {}).get("N", "0"))
