"""Collecting and closing time buckets: the periodic aggregator against puts and a scan, on the emulator.

The naive way is the one everybody writes first: put each record with its minute as an attribute, and let the schedule
scan the table for records of minutes that have ended, process them and mark each as processed. It scans all records
ever kept, processes a minute twice when the schedule fires twice or the function dies between the two steps, and drops
what comes in between.

Each round adds the records of a minute and closes it; `rounds` minutes are kept. Units are what the emulator reports; a
refused transaction is added at the price of an accepted one, and reads are counted in items.

Run: ``python -m benchmarks.periodic_aggregator_vs_naive``
"""

from __future__ import annotations

import random
import sys
import time
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from benchmarks.aggregator_vs_naive import MeteredClient, create_table
from benchmarks.market_on_emulator import connect, running_emulator
from patterns.periodic_aggregator import ClosedBucket, NewRecord, Outcome, PeriodicAggregator

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

MINUTE_MS = 60_000
BATCH = 25
PER_MINUTE = 100


def naive(client: MeteredClient, rounds: int) -> int:
    """Put, scan, process, mark."""
    processed = 0
    for minute in range(rounds):
        for number in range(PER_MINUTE):
            key = {"bucket": {"S": f"naive-{rounds}-{minute}"}, "entry": {"S": f"{number:03}"}}
            client.put_item(TableName="minutes", Item={**key, "minute": {"N": str(minute)}, "points": {"N": "1"}})
        query: dict[str, Any] = {
            "TableName": "minutes",
            "FilterExpression": "#minute <= :minute AND attribute_not_exists(done) AND begins_with(#bucket, :mine)",
            "ExpressionAttributeNames": {"#minute": "minute", "#bucket": "bucket"},
            "ExpressionAttributeValues": {":minute": {"N": str(minute)}, ":mine": {"S": f"naive-{rounds}-"}},
        }
        while True:
            answer = client.scan(**query)
            for item in answer["Items"]:
                processed += int(item["points"]["N"])
                client.update_item(
                    TableName="minutes",
                    Key={"bucket": item["bucket"], "entry": item["entry"]},
                    UpdateExpression="SET done = :yes",
                    ExpressionAttributeValues={":yes": {"BOOL": True}},
                )
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return processed


def _ours(client: MeteredClient, rounds: int, batch: int, shards: int) -> int:
    now_ms = 0
    key, processed = f"ours-{batch}-{shards}-{rounds}", 0
    buckets = PeriodicAggregator(
        client=cast("DynamoDBClient", client),
        table_name="minutes",
        width_ms=MINUTE_MS,
        clock=lambda: now_ms,
        sleep=time.sleep,
        random=random.random,
        shards=shards,
    )

    def process(bucket: ClosedBucket) -> Outcome:
        nonlocal processed
        points = sum(cast("int", stored.record["points"]) for stored in bucket.records())
        processed += points
        return Outcome({"points": points})

    for minute in range(rounds):
        new = [NewRecord(str(number), {"points": 1}, minute * MINUTE_MS) for number in range(PER_MINUTE)]
        for start in range(0, PER_MINUTE, batch):
            buckets.add_all(key, new[start : start + batch])
        now_ms = (minute + 1) * MINUTE_MS
        buckets.close_due(process, owner=str(minute))
    return processed


WAYS: dict[str, Callable[[MeteredClient, int], int]] = {
    "put and scan": naive,
    "add": lambda client, rounds: _ours(client, rounds, 1, 1),
    f"add_all of {BATCH}": lambda client, rounds: _ours(client, rounds, BATCH, 1),
    f"add_all of {BATCH}, 4 shards": lambda client, rounds: _ours(client, rounds, BATCH, 4),
}


def main() -> int:
    """Print the figures; the exit code says whether every record was processed once."""
    wrong = 0
    with running_emulator() as url:
        create_table(connect(url), "minutes", ("bucket", "entry"), ("pending", "closes_at_ms"))
        print(f"{PER_MINUTE} records a minute of one key; per record:")
        print(f"{'minutes':>8} {'way':>22} {'calls':>7} {'write units':>12} {'items read':>11} {'records/s':>10}")
        for rounds in (1, 20):
            for way, run in WAYS.items():
                metered = MeteredClient(connect(url))
                start = perf_counter()
                records = run(metered, rounds)
                seconds = perf_counter() - start
                wrong += records != rounds * PER_MINUTE
                print(
                    f"{rounds:8} {way:>22} {metered.calls.total() / records:7.2f} {metered.write_units / records:12.2f}"
                    f" {metered.items_read / records:11.2f} {records / seconds:10.0f}"
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
