"""Events a second of the sequenced log and of the naive way, on the emulator; calls and request units an event of both.

The naive way keeps a counter: get it, increment it, put the event under the number. Whoever dies in between leaves a
gap, and whoever is asked twice appends twice. The log appends a batch as one item; with ids it also recognises, for
ever, what it has appended before, each id for one more item in the transaction, or one id for the whole append.

Consuming is compared with a consumer that reads one event after the other and stores its checkpoint after each.

Run: ``python -m benchmarks.sequenced_log_vs_naive``
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from statistics import median
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from benchmarks.market_on_emulator import connect, running_emulator
from patterns.sequenced_log import Checkpoints, Consumer, EventLog, NewEvent, Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.sequenced_log import Event

EVENTS, CONSUMERS, COUNTERS = "events", "consumers", "counters"
BATCH = 25
BATCHES = 8
ROUNDS = 5
TARGET_RATIO = 5
NOTE = "x" * 180  # with its attribute's name and number, an event of some 200 bytes

_READS = {"get_item", "query", "batch_get_item"}


class CountingClient:
    """A DynamoDB client that counts its calls and adds up the request units that DynamoDB reports."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0.0

    def __getattr__(self, name: str) -> Any:
        def counted(**arguments: Any) -> Any:
            self.calls[name] += 1
            answer = getattr(self._client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            reported = answer.get("ConsumedCapacity", [])
            for consumed in cast("list[dict[str, Any]]", reported if isinstance(reported, list) else [reported]):
                if name in _READS:
                    self.read_units += float(consumed["CapacityUnits"])
                else:
                    self.write_units += float(consumed["CapacityUnits"])
            return answer

        return counted


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the work with `BATCH * BATCHES` events of a partition."""

    name: str
    work: Callable[[DynamoDBClient, str], object]
    prepare: Callable[[DynamoDBClient, str], object] = lambda _client, _partition: None


def main() -> int:
    """Print the figures; the exit code says whether appending reaches its target."""
    with running_emulator() as url:
        client = connect(url)
        _create_tables(client)
        print(f"batches of {BATCH}, events of 200 bytes, median of {ROUNDS} rounds")
        print(f"{'way':>34} {'events/s':>9} {'ratio':>6} {'calls/event':>12} {'WRU/event':>10} {'RRU/event':>10}")
        ratio = _compare(client, APPENDING)["one item a batch"]
        _compare(client, CONSUMING)
    missed = ratio < TARGET_RATIO
    print(f"target: appending at least {TARGET_RATIO} times the naive events/s: {'missed' if missed else 'met'}")
    return 1 if missed else 0


def _compare(client: DynamoDBClient, ways: Iterable[Way]) -> dict[str, float]:
    """Measure in turns, so that all meet the same noise; counted apart, since counting is work for the emulator."""
    ways = list(ways)
    for way in ways:
        _seconds(client, way)
    turns = [{way.name: _seconds(client, way) for way in ways} for _ in range(ROUNDS)]
    ratios = {way.name: median(turn[ways[0].name] / turn[way.name] for turn in turns) for way in ways}
    events = BATCH * BATCHES
    for way in ways:
        partition = uuid4().hex
        way.prepare(client, partition)
        counting = CountingClient(client)
        way.work(cast("Any", counting), partition)
        seconds = median(turn[way.name] for turn in turns)
        print(
            f"{way.name:>34} {events / seconds:9.0f} {ratios[way.name]:6.1f} {counting.calls.total() / events:12.3f}"
            f" {counting.write_units / events:10.3f} {counting.read_units / events:10.3f}"
        )
    return ratios


def _seconds(client: DynamoDBClient, way: Way) -> float:
    partition = uuid4().hex
    way.prepare(client, partition)
    start = perf_counter()
    way.work(client, partition)
    return perf_counter() - start


def _naive_append(client: DynamoDBClient, partition: str) -> None:
    key = {"partition": {"S": partition}}
    for _ in range(BATCH * BATCHES):
        stored: Any = client.get_item(TableName=COUNTERS, Key=key, ConsistentRead=True).get("Item", {})
        number = int(stored.get("last", {"N": "0"})["N"]) + 1
        client.update_item(
            TableName=COUNTERS,
            Key=key,
            UpdateExpression="SET #last = :number",
            ExpressionAttributeNames={"#last": "last"},
            ExpressionAttributeValues={":number": {"N": str(number)}},
        )
        client.put_item(TableName=EVENTS, Item={**key, "sequence": {"N": str(number)}, "note": {"S": NOTE}})


def _append_in_batches(client: DynamoDBClient, partition: str) -> None:
    log = _log(client)
    for _ in range(BATCHES):
        log.append(partition, [NewEvent({"note": NOTE})] * BATCH)


def _append_singly(client: DynamoDBClient, partition: str) -> None:
    log = _log(client)
    for _ in range(BATCH * BATCHES):
        log.append(partition, [NewEvent({"note": NOTE})])


def _append_identified(client: DynamoDBClient, partition: str) -> None:
    log = _log(client)
    for batch in range(BATCHES):
        log.append(partition, [NewEvent({"note": NOTE}, f"{batch}-{number}") for number in range(BATCH)])


def _append_with_one_id(client: DynamoDBClient, partition: str) -> None:
    log = _log(client)
    for batch in range(BATCHES):
        log.append(partition, [NewEvent({"note": NOTE})] * BATCH, append_id=str(batch))


def _naive_consume(client: DynamoDBClient, partition: str) -> None:
    key: Any = {"consumer": {"S": "naive"}, "partition": {"S": partition}}
    for number in range(1, BATCH * BATCHES + 1):
        client.get_item(
            TableName=EVENTS,
            Key={"partition": {"S": partition}, "sequence": {"N": str(number)}},
            ConsistentRead=True,
        )
        client.put_item(TableName=CONSUMERS, Item={**key, "sequence": {"N": str(number)}})


def _consume(client: DynamoDBClient, partition: str) -> None:
    def handle(_event: Event) -> None:
        return

    consumer = Consumer(
        log=_log(client),
        checkpoints=Checkpoints(
            client=client, table_name=CONSUMERS, consumer="ours", clock=_now_ms, retries=_retries()
        ),
        handle=handle,
        new_holder=lambda: uuid4().hex,
        retries=_retries(),
    )
    assert consumer.run(partition).handled == BATCH * BATCHES


APPENDING = (
    Way("naive: counter, increment, put", _naive_append),
    Way("one item a batch", _append_in_batches),
    Way("one item a batch, one id for it", _append_with_one_id),
    Way("one item a batch, an id an event", _append_identified),
    Way("one item an event", _append_singly),
)
CONSUMING = (
    Way("naive: get, put checkpoint", _naive_consume, _naive_append),
    Way("consumer with lease and checkpoint", _consume, _append_in_batches),
)


def _log(client: DynamoDBClient) -> EventLog:
    return EventLog(client=client, table_name=EVENTS, clock=_now_ms, new_token=lambda: uuid4().hex, retries=_retries())


def _retries() -> Retries:
    return Retries(sleep=lambda _seconds: None, random=lambda: 0.5)


def _now_ms() -> int:
    return time_ns() // 1_000_000


def _create_tables(client: DynamoDBClient) -> None:
    keys = {
        EVENTS: (("partition", "S"), ("sequence", "N")),
        CONSUMERS: (("consumer", "S"), ("partition", "S")),
        COUNTERS: (("partition", "S"),),
    }
    for table, attributes in keys.items():
        client.create_table(
            TableName=table,
            KeySchema=cast(
                "Any",
                [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _), kind in zip(attributes, ("HASH", "RANGE"), strict=False)
                ],
            ),
            AttributeDefinitions=cast("Any", [{"AttributeName": name, "AttributeType": t} for name, t in attributes]),
            BillingMode="PAY_PER_REQUEST",
        )


if __name__ == "__main__":
    sys.exit(main())
