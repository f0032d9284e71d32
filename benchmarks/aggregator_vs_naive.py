"""Collecting records until a group is complete: the aggregator against a list that grows in one item, on the emulator.

The naive way is the one everybody writes first: append each record to a list attribute, and let every change of the
item invoke the function, which looks whether the list is long enough. It counts a repeated record twice, pays for the
whole list with every append, and ends at 400 KB.

Units are what the emulator reports; a refused transaction, which DynamoDB charges but does not report, is added at the
price of an accepted one. Reads are counted in items: the emulator charges a query or a scan one unit whatever it reads.
Invocations are the stream records that pass the event source mapping's filter.

Run: ``python -m benchmarks.aggregator_vs_naive``
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from benchmarks.market_on_emulator import connect, running_emulator
from functions.clock import now_ms
from patterns.aggregator import Aggregator, ByCount, CompleteGroup, NewRecord
from patterns.dynamodb.item_size import item_size
from patterns.dynamodb.items import decode_item

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

RECORD_BYTES = 900
BATCH = 25


class MeteredClient:
    """A DynamoDB client that adds up the calls and the capacity they consumed; see the module for refused ones."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.write_units = 0.0
        self.items_read = 0

    def __getattr__(self, name: str) -> Any:
        def metered(**arguments: Any) -> Any:
            self.calls[name] += 1
            try:
                answer = getattr(self._client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            except ClientError:
                self.write_units += sum(_units(action) for action in arguments.get("TransactItems", [{}]))
                raise
            reported = answer.get("ConsumedCapacity", [])
            for consumed in cast("list[dict[str, Any]]", reported if isinstance(reported, list) else [reported]):
                units = float(consumed["CapacityUnits"])
                if name not in ("get_item", "query", "scan"):
                    self.write_units += units
            self.items_read += answer.get("ScannedCount", name == "get_item")
            return answer

        return metered


def _units(action: Any) -> int:
    """Write units of an action in a transaction, or of a single refused write of less than 1 KB."""
    if not action:
        return 1
    return 2 * ceil(item_size(decode_item(action["Put"]["Item"])) / 1024) if "Put" in action else 2


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a way needed for one group."""

    metered: MeteredClient
    seconds: float
    invocations: int


def create_table(client: DynamoDBClient, name: str, keys: tuple[str, str], index: tuple[str, str]) -> None:
    """Create a pattern's table with its index of text and number."""
    definitions = [(keys[0], "S"), (keys[1], "S"), (index[0], "S"), (index[1], "N")]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": keys[0], "KeyType": "HASH"}, {"AttributeName": keys[1], "KeyType": "RANGE"}],
        AttributeDefinitions=cast("Any", [{"AttributeName": key, "AttributeType": kind} for key, kind in definitions]),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "pending",
                "KeySchema": [
                    {"AttributeName": index[0], "KeyType": "HASH"},
                    {"AttributeName": index[1], "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def _contents(count: int) -> list[str]:
    source = random.Random(count)
    return [f"{source.getrandbits(4 * RECORD_BYTES):0{RECORD_BYTES}x}" for _ in range(count)]


def naive(client: MeteredClient, count: int) -> int:
    """Append to a list; every append invokes the function."""
    for content in _contents(count):
        client.update_item(
            TableName="groups",
            Key={"group_id": {"S": f"naive-{count}"}, "entry": {"S": "list"}},
            UpdateExpression="SET #records = list_append(if_not_exists(#records, :none), :record)",
            ExpressionAttributeNames={"#records": "records"},
            ExpressionAttributeValues={":none": {"L": []}, ":record": {"L": [{"S": content}]}},
        )
    return count


def _aggregator(client: MeteredClient, count: int) -> Aggregator:
    return Aggregator(
        client=cast("DynamoDBClient", client),
        table_name="groups",
        completion=ByCount(count),
        clock=now_ms,
        sleep=time.sleep,
        random=random.random,
    )


def one_by_one(client: MeteredClient, count: int) -> int:
    """Add each record by itself, then act."""
    groups = _aggregator(client, count)
    for number, content in enumerate(_contents(count)):
        groups.add(f"single-{count}", str(number), {"content": content})
    return _act(groups, f"single-{count}", count)


def in_batches(client: MeteredClient, count: int) -> int:
    """Add 25 records at a time, as a stream's consumer does, then act."""
    groups = _aggregator(client, count)
    new = [NewRecord(str(number), {"content": content}) for number, content in enumerate(_contents(count))]
    for start in range(0, count, BATCH):
        groups.add_all(f"batch-{count}", new[start : start + BATCH])
    return _act(groups, f"batch-{count}", count)


def _act(groups: Aggregator, group_id: str, count: int) -> int:
    seen: list[int] = []

    def action(group: CompleteGroup) -> None:
        seen.append(sum(1 for _ in group.records()))

    groups.fire(group_id, action, owner="event")
    assert seen == [count]
    return 1


WAYS: dict[str, Callable[[MeteredClient, int], int]] = {
    "list append": naive,
    "add": one_by_one,
    f"add_all of {BATCH}": in_batches,
}


def measure(url: str, way: str, count: int) -> Measurement:
    """Collect one group in a way."""
    metered = MeteredClient(connect(url))
    start = perf_counter()
    invocations = WAYS[way](metered, count)
    return Measurement(metered, perf_counter() - start, invocations)


def main() -> int:
    """Print the figures; the exit code says whether a complete group invoked its function once."""
    with running_emulator() as url:
        create_table(connect(url), "groups", ("group_id", "entry"), ("pending", "pending_since_ms"))
        print(f"records of {RECORD_BYTES} bytes; per record:")
        header = f"{'records':>8} {'way':>14} {'calls':>7} {'write units':>12} {'items read':>11} {'records/s':>10}"
        print(f"{header} {'invocations a group':>20}")
        wrong = 0
        for count in (10, 100, 400):
            for way in WAYS:
                found = measure(url, way, count)
                wrong += way != "list append" and found.invocations != 1
                print(
                    f"{count:8} {way:>14} {found.metered.calls.total() / count:7.2f}"
                    f" {found.metered.write_units / count:12.2f} {found.metered.items_read / count:11.2f}"
                    f" {count / found.seconds:10.0f} {found.invocations:20}"
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
