"""Writers that want one item at the same time: versioned updates against a read-modify-write loop, on the emulator.

The naive way is the loop everybody writes first, and it is correct: get, change, put if the version is still the one
read, and from the beginning at once if it is not. Both ways run the same increments in threads with a client each; a
write counts as an attempt whether it was accepted or refused. DynamoDB charges a refused write like an accepted one but
does not report it, so refused writes are added at 1 unit: the item has less than 1 KB.

``burst`` is every writer with a single update, all at the same moment: N writers need at least 2N - 1 attempts, for all
of the first N are based on the same version. ``one by one`` is a single writer: what an operation costs uncontended.

Run: ``python -m benchmarks.optimistic_locking_vs_naive``
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import median
from threading import Barrier, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from benchmarks.market_on_emulator import connect, running_emulator
from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import VersionedTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item

TABLE = "versioned"
MOST_ATTEMPTS_PER_WRITE = 1.5
"""Limit of the sustained workload of 16 writers."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Writers of one item, with so many updates each, run so often in fresh items."""

    name: str
    writers: int
    updates: int
    rounds: int


SUSTAINED = Workload("16 writers", 16, 25, rounds=3)
WORKLOADS = (
    Workload("one by one", 1, 50, rounds=1),
    Workload("2 writers", 2, 50, rounds=1),
    SUSTAINED,
    Workload("burst of 16", 16, 1, rounds=5),
)


class MeteredClient:
    """One writer's client: counts calls, attempts and the units that were consumed."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.calls = 0
        self.attempts = 0
        self.write_units = 0.0
        self.read_units = 0.0

    def get_item(self, **arguments: Any) -> Any:
        """Read, metered."""
        self.calls += 1
        answer = self._client.get_item(**arguments, ReturnConsumedCapacity="TOTAL")
        self.read_units += answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        return answer

    def put_item(self, **arguments: Any) -> Any:
        """Write, metered."""
        self.calls += 1
        self.attempts += 1
        try:
            answer = self._client.put_item(**arguments, ReturnConsumedCapacity="TOTAL")
        except ClientError:
            self.write_units += 1
            raise
        self.write_units += answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        return answer


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one way needed for one workload."""

    writes: int
    seconds: float
    slowest_s: float
    calls: int
    attempts: int
    write_units: float
    read_units: float


def _earn(item: Item) -> Item:
    return item | {"gold": read_int(item, "gold") + 1}


def _versioned(client: MeteredClient, item_id: str) -> Callable[[], object]:
    table = VersionedTable(cast("DynamoDBClient", client), TABLE, "id")
    return lambda: table.update({"id": item_id}, _earn)


def _naive(client: MeteredClient, item_id: str) -> Callable[[], object]:
    def update() -> None:
        while True:
            item = client.get_item(TableName=TABLE, Key={"id": {"S": item_id}}, ConsistentRead=True)["Item"]
            read = item["version"]["N"]
            gold = str(int(item["gold"]["N"]) + 1)
            try:
                client.put_item(
                    TableName=TABLE,
                    Item={**item, "gold": {"N": gold}, "version": {"N": str(int(read) + 1)}},
                    ConditionExpression="version = :read",
                    ExpressionAttributeValues={":read": {"N": read}},
                )
            except ClientError as error:
                if "ConditionalCheckFailed" not in str(error):
                    raise
            else:
                return

    return update


WAYS = {"naive": _naive, "ours": _versioned}


def measure(url: str, way: str, workload: Workload, item_id: str) -> Measurement:
    """Run a workload on a fresh item and check that no update was lost."""
    table = VersionedTable(connect(url), TABLE, "id")
    table.create({"id": item_id, "gold": 0})
    clients = [MeteredClient(connect(url)) for _ in range(workload.writers)]
    start_line = Barrier(workload.writers + 1)
    times: list[float] = []

    def write(client: MeteredClient) -> None:
        update = WAYS[way](client, item_id)
        start_line.wait()
        for _ in range(workload.updates):
            start = perf_counter()
            update()
            times.append(perf_counter() - start)

    threads = [Thread(target=write, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    start_line.wait()
    start = perf_counter()
    for thread in threads:
        thread.join()
    seconds = perf_counter() - start
    writes = workload.writers * workload.updates
    stored = table.get({"id": item_id})
    assert stored is not None
    assert read_int(stored.item, "gold") == writes == len(times), f"{way}: an update was lost"
    return Measurement(
        writes,
        seconds,
        max(times),
        calls=sum(client.calls for client in clients),
        attempts=sum(client.attempts for client in clients),
        write_units=sum(client.write_units for client in clients),
        read_units=sum(client.read_units for client in clients),
    )


def _row(workload: Workload, way: str, runs: Sequence[Measurement]) -> str:
    def middle(figure: Callable[[Measurement], float]) -> float:
        return median(figure(run) for run in runs)

    return (
        f"{workload.name:>12} {way:>6} {middle(lambda run: run.attempts / run.writes):15.2f}"
        f" {middle(lambda run: run.calls / run.writes):12.2f} {middle(lambda run: run.write_units / run.writes):10.2f}"
        f" {middle(lambda run: run.read_units / run.writes):10.2f} {middle(lambda run: run.writes / run.seconds):9.0f}"
        f" {middle(lambda run: run.slowest_s * 1000):11.0f}"
    )


def main() -> int:
    """Print the figures; the exit code says whether 16 sustained writers keep the limit of attempts a write."""
    with running_emulator() as url:
        connect(url).create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        print(
            f"{'workload':>12} {'way':>6} {'attempts/write':>15} {'calls/write':>12} {'WRU/write':>10}"
            f" {'RRU/write':>10} {'writes/s':>9} {'slowest ms':>11}"
        )
        exceeded = False
        for workload in WORKLOADS:
            for way in WAYS:
                runs = [
                    measure(url, way, workload, f"{workload.name}-{way}-{number}") for number in range(workload.rounds)
                ]
                print(_row(workload, way, runs), flush=True)
                if workload is SUSTAINED and way == "ours":
                    exceeded = median(run.attempts / run.writes for run in runs) > MOST_ATTEMPTS_PER_WRITE
        limit = f"more than {MOST_ATTEMPTS_PER_WRITE} attempts a write of 16 sustained writers"
        print("limits exceeded:", limit if exceeded else "none")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
