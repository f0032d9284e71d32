"""Calls and request units of the processor against a status field, for one order and for finding the stuck ones.

An order has three steps, each with an effect on an item of its own. The naive way keeps a status field: it reads the
order, makes the effect, writes the status, and so on. Whoever crashes between the two makes the effect twice, and two
workers on one order do as well. The naive way with transactions commits each effect together with the status under a
condition, which is what the processor guarantees, but it still has no lease, attempts, history or retries.

Stuck orders are found by the naive ways with a filtered scan of the table, by the processor with a query of each shard
of its sparse index. Units are those of the capacity reports; for queries and scans
they are counted by DynamoDB's rule (bytes read, in units of 4 KB, halved), which the emulator's reports leave out.

Run: ``python -m benchmarks.processor_vs_naive``
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from benchmarks.market_on_emulator import connect, put_all, running_emulator
from patterns.dynamodb.items import encode_item
from patterns.processor import Done, Processor, ProcessorSettings, StateCodec, Status, Step
from patterns.processor.transaction import HistoryEntry, Transaction, to_item

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.processor import StepContext

ORDERS = 50
STUCK = 10
TABLE_SIZES = (1_000, 5_000)
EFFECTS = ("stock", "wallet", "parcels")
START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Order:
    """As small as an order gets."""

    player: str
    item: str
    price_minor: int


@dataclass
class Counting:
    """A client that adds up calls and units."""

    client: DynamoDBClient
    calls: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    bytes_an_item: int = 0

    def __getattr__(self, name: str) -> Any:
        def counted(**arguments: Any) -> Any:
            self.calls += 1
            answer = getattr(self.client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            if name in ("scan", "query"):
                # What is read counts, not what passes the filter; the emulator reports every page as one small read.
                pages_of_4_kb = ceil(answer["ScannedCount"] * self.bytes_an_item / 4096)
                self.read_units += max(1, pages_of_4_kb) / 2
                return answer
            reported = answer["ConsumedCapacity"]
            for consumed in cast("list[dict[str, Any]]", reported if isinstance(reported, list) else [reported]):
                if name == "get_item":
                    self.read_units += consumed["CapacityUnits"]
                else:
                    self.write_units += consumed["CapacityUnits"]
            return answer

        return counted


def _create_table(client: DynamoDBClient, name: str, key: str, *, indexed: bool = False) -> None:
    attributes: Any = [{"AttributeName": key, "AttributeType": "S"}]
    optional: Any = {}
    if indexed:
        attributes += [
            {"AttributeName": "due_shard", "AttributeType": "S"},
            {"AttributeName": "due_at_ms", "AttributeType": "N"},
        ]
        keys = [
            {"AttributeName": "due_shard", "KeyType": "HASH"},
            {"AttributeName": "due_at_ms", "KeyType": "RANGE"},
        ]
        projection = {"ProjectionType": "KEYS_ONLY"}
        optional["GlobalSecondaryIndexes"] = [{"IndexName": "due", "KeySchema": keys, "Projection": projection}]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
        **optional,
    )


def _effect(name: str) -> Any:
    return {
        "TableName": "effects",
        "Key": {"name": {"S": name}},
        "UpdateExpression": "SET amount = amount - :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }


def _naive_order(client: DynamoDBClient, order_id: str, *, transactions: bool) -> None:
    key = {"order_id": {"S": order_id}}
    client.put_item(TableName="naive", Item={**key, "status": {"S": "NEW"}, **encode_item(_ORDER)})
    before = client.get_item(TableName="naive", Key=key, ConsistentRead=True).get("Item", {})["status"]
    for number, name in enumerate(EFFECTS):
        after = {"S": f"DONE-{name}" if number < 2 else "COMPLETED"}
        status: Any = {
            "TableName": "naive",
            "Key": key,
            "UpdateExpression": "SET #status = :after",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":after": after},
        }
        if transactions:
            status["ConditionExpression"] = "#status = :before"
            status["ExpressionAttributeValues"] = {":after": after, ":before": before}
            client.transact_write_items(TransactItems=[{"Update": status}, {"Update": _effect(name)}])
        else:
            client.update_item(**_effect(name))
            client.update_item(**status)
        before = cast("Any", after)


def _processor(client: DynamoDBClient, clock: Callable[[], int]) -> Processor[Order]:
    def step(name: str) -> Step[Order]:
        def run(order: Order, _context: StepContext) -> Done[Order]:
            return Done(order, [{"Update": _effect(name)}])

        return Step(name=name, run=run)

    settings = ProcessorSettings(table="transactions")
    steps = [step(name) for name in EFFECTS]
    return Processor(client, settings, StateCodec(Order), steps, clock=clock)


_ORDER: Any = {"player": "player-1", "item": "sword", "price_minor": 30}
_clock = count(START_MS, 50).__next__  # 50 ms pass whenever one looks


def _processor_order(client: DynamoDBClient, order_id: str) -> None:
    processor = _processor(client, _clock)
    processor.store.submit(order_id, Order(**_ORDER))
    finished = processor.run(order_id, lambda: 60_000)
    assert finished is not None
    assert finished.status is Status.COMPLETED


def _count_orders(client: DynamoDBClient, way: str, run: Callable[[DynamoDBClient, str], None]) -> Counting:
    counting = Counting(client)
    for number in range(ORDERS):
        run(cast("DynamoDBClient", counting), f"{way}-{number}")
    return counting


def _fill(client: DynamoDBClient, start: int, end: int) -> None:
    """Store finished orders, as each way leaves them."""
    put_all(
        client,
        "naive",
        [
            {"order_id": {"S": f"old-{number}"}, "status": {"S": "COMPLETED"}, **encode_item(_ORDER)}
            for number in range(start, end)
        ],
    )
    history = tuple(HistoryEntry("completed", name, START_MS) for name in EFFECTS)
    finished = Transaction(
        transaction_id="",
        status=Status.COMPLETED,
        state=Order(**_ORDER),
        fingerprint="0" * 32,
        submitted_at_ms=START_MS,
        step_started_at_ms=START_MS,
        updated_at_ms=START_MS,
        completed=EFFECTS,
        token=1,
        revision=3,
        history=(HistoryEntry("submitted", "", START_MS), *history),
    )
    item = to_item(finished, StateCodec(Order))
    put_all(
        client,
        "transactions",
        [encode_item({**item, "transaction_id": f"old-{number}"}) for number in range(start, end)],
    )


def _find_naively(client: DynamoDBClient) -> int:
    found, start = 0, {}
    while True:
        page: Any = client.scan(
            TableName="naive",
            FilterExpression="#status <> :completed",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":completed": {"S": "COMPLETED"}},
            **start,
        )
        found += len(page["Items"])
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _find_due(client: DynamoDBClient) -> int:
    processor = _processor(client, _clock)
    due = (processor.store.due(shard, START_MS + 10**7) for shard in range(processor.settings.shards))
    return sum(1 for ids in due for _ in ids)


_INDEX_ENTRY = 8 + 14 + 5 + 9 + 9 + 8 + 100  # three keys with their names, and DynamoDB's 100 bytes an entry


def _size(client: DynamoDBClient, table: str, key: str, item_id: str) -> int:
    """Bytes of an item: names, texts, and numbers at half a byte a digit."""
    item = client.get_item(TableName=table, Key={key: {"S": item_id}}).get("Item", {})
    return sum(len(name) + len(next(iter(cast("Any", value).values()))) for name, value in item.items())


def _row(name: str, count: Counting, per: int) -> str:
    calls, writes, reads = count.calls / per, count.write_units / per, count.read_units / per
    return f"{name:>34} {calls:8.1f} {writes:8.1f} {reads:8.1f}"


def main() -> int:
    """Print the figures; the exit code says whether the processor's stay as documented."""
    with running_emulator() as url:
        client = connect(url)
        _create_table(client, "naive", "order_id")
        _create_table(client, "effects", "name")
        _create_table(client, "transactions", "transaction_id", indexed=True)
        put_all(client, "effects", [{"name": {"S": name}, "amount": {"N": "1000000"}} for name in EFFECTS])

        print(f"{'an order of three steps':>34} {'calls':>8} {'WRU':>8} {'RRU':>8}")
        naive = _count_orders(client, "a", lambda c, i: _naive_order(c, i, transactions=False))
        safer = _count_orders(client, "b", lambda c, i: _naive_order(c, i, transactions=True))
        ours = _count_orders(client, "c", _processor_order)
        print(_row("naive (effects may repeat)", naive, ORDERS))
        print(_row("naive with transactions", safer, ORDERS))
        print(_row("processor", ours, ORDERS))

        store = _processor(client, _clock).store
        for number in range(STUCK):
            store.submit(f"stuck-{number}", Order(**_ORDER))
            client.put_item(TableName="naive", Item={"order_id": {"S": f"stuck-{number}"}, "status": {"S": "NEW"}})
        stored, ratio = ORDERS, 0.0
        for size in TABLE_SIZES:
            _fill(client, stored, size)
            stored = size
            print(f"\n{f'{STUCK} stuck among {size:,}':>34} {'calls':>8} {'WRU':>8} {'RRU':>8}")
            scanned = Counting(client, bytes_an_item=_size(client, "naive", "order_id", "old-99"))
            queried = Counting(client, bytes_an_item=_INDEX_ENTRY)
            assert _find_naively(cast("DynamoDBClient", scanned)) == STUCK
            assert _find_due(cast("DynamoDBClient", queried)) == STUCK
            print(_row("naive scan", scanned, 1))
            print(_row("processor's index", queried, 1))
            ratio = scanned.read_units / queried.read_units
        print(f"\nread units of the scan over the index, {stored:,} orders: {ratio:.0f}x")
    most_calls, most_units = 5, 16.5
    missed = ours.calls > most_calls * ORDERS or ours.write_units > most_units * ORDERS or ours.read_units > 0
    print(f"targets missed: {f'more than {most_calls} calls or {most_units} units an order' if missed else 'none'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
