"""Calls, capacity units and stored bytes of a history, and of the naive form of one, on the emulator.

The naive form does it in the request: get the item, put it, put a copy with image before and after under the time. The
pattern's request is the put alone; the recorder works behind the stream, in batches of 100 records, on a recorder that
knows no heads (cold) or the batch before's (warm). Reading the stream from Lambda costs no units.

The naive copy is two calls away from the write: a crash between them loses a version and nothing tells.

Run: ``python -m benchmarks.historic_vs_naive``
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from benchmarks.market_on_emulator import connect, running_emulator
from patterns.historic import History, ItemKeys, Recorder, SignedAttributes
from patterns.historic.images import estimated_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

ITEMS, VERSIONS, BATCH = 5, 256, 100
IMAGE_BYTES = (300, 1_500)
KEYS = ItemKeys("accounts", "id")
_SIGNATURE = SignedAttributes()
_ATTRIBUTE = re.compile(r"'(\w+)': \?")
_START_MS = 1_760_000_000_000
_WRITES = frozenset({"put_item", "update_item"})


@dataclass
class Counted:
    """A client that adds up its calls and what they consumed."""

    client: DynamoDBClient
    calls: int = 0
    write_units: float = 0
    read_units: float = 0
    written: dict[str, int] = field(default_factory=dict[str, int])

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls += 1
            answer = getattr(self.client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            if name == "batch_execute_statement":
                for statement in arguments["Statements"]:
                    self._insert(**statement)
                return answer
            units = float(answer["ConsumedCapacity"]["CapacityUnits"])
            if name in _WRITES:
                self._write(arguments["TableName"], estimated_size(arguments["Item"]), units)
            else:
                consistent = 2 if arguments.get("ConsistentRead") else 1
                self.read_units += consistent * _query_units(answer["Items"]) if name == "query" else units
            return answer

        return call

    def _insert(self, Statement: str, Parameters: Sequence[Any]) -> None:  # noqa: N803 - boto3's names
        _, table, attributes = Statement.split('"')
        size = estimated_size(dict(zip(_ATTRIBUTE.findall(attributes), Parameters, strict=True)))
        # A write unit per KB, as for a put; the emulator takes one for an insertion of any size.
        self._write(table, size, ceil(size / 1024))

    def _write(self, table: str, size: int, units: float) -> None:
        self.write_units += units
        self.written[table] = self.written.get(table, 0) + size


def _query_units(items: Sequence[Any]) -> float:
    """What DynamoDB takes for an eventually consistent query: half a unit per 4 KB; the emulator reports a flat half.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    return max(1, ceil(sum(map(estimated_size, items)) / 4096)) / 2


def _create(client: DynamoDBClient, table: str, hash_key: str, range_key: str | None = None) -> None:
    names = [hash_key] if range_key is None else [hash_key, range_key]
    client.create_table(
        TableName=table,
        KeySchema=cast("Any", [{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"))]),  # noqa: B905
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
    )


def _writes(image_bytes: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Items in turns, and the time of each write."""
    for number in range(ITEMS * VERSIONS):
        at_ms = _START_MS + 1000 * number
        signed = _SIGNATURE.sign("player-1", "deposit", f"change-{number}", at_ms)
        text = {"text": {"S": "x" * (image_bytes - 150)}, "balance": {"N": str(number)}}
        yield {"id": {"S": f"account-{number % ITEMS}"}, **text, **signed}, at_ms


def _naive(client: Counted, table: str, copies: str, image_bytes: int) -> None:
    for item, at_ms in _writes(image_bytes):
        before = client.get_item(TableName=table, Key={"id": item["id"]}, ConsistentRead=True).get("Item")
        client.put_item(TableName=table, Item=item)
        copy: dict[str, Any] = {"id": item["id"], "at": {"S": str(at_ms)}, "after": {"M": item}}
        client.put_item(TableName=copies, Item=copy | ({"before": {"M": before}} if before else {}))


def _records(image_bytes: int) -> list[dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    records: list[dict[str, Any]] = []
    for number, (item, at_ms) in enumerate(_writes(image_bytes)):
        before = last.get(item["id"]["S"])
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": at_ms / 1000,
            "Keys": {"id": item["id"]},
            "SequenceNumber": str(number + 1),
            "NewImage": item,
        } | ({"OldImage": before} if before else {})
        records.append(
            {
                "eventName": "MODIFY" if before else "INSERT",
                "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/t/stream/2026-11-01T00:00:00.000",
                "dynamodb": body,
            }
        )
        last[item["id"]["S"]] = item
    return records


def _row(name: str, counted: Counted, operations: int, stored: float | None = None) -> str:
    bytes_ = "" if stored is None else f"{stored / operations:9.0f}"
    per = (counted.calls / operations, counted.write_units / operations, counted.read_units / operations)
    return f"{name:>34} {per[0]:7.2f} {per[1]:7.2f} {per[2]:7.2f} {bytes_}"


def _compare(client: DynamoDBClient, image_bytes: int) -> Sequence[str]:
    tables = {role: f"{role}-{image_bytes}" for role in ("naive", "copies", "source", "warm", "cold")}
    for role in ("naive", "source"):
        _create(client, tables[role], "id")
    _create(client, tables["copies"], "id", "at")
    for role in ("warm", "cold"):
        _create(client, tables[role], "collection", "version_key")
    operations = ITEMS * VERSIONS
    rows: list[str] = []

    naive = Counted(client)
    _naive(naive, tables["naive"], tables["copies"], image_bytes)
    rows.append(_row("naive: request", naive, operations, naive.written[tables["copies"]]))

    request = Counted(client)
    for item, _ in _writes(image_bytes):
        request.put_item(TableName=tables["source"], Item=item)
    rows.append(_row("historic: request", request, operations))
    records = _records(image_bytes)
    for role in ("warm", "cold"):
        counted = Counted(client)
        recorder = Recorder(cast("Any", counted), tables[role], KEYS, _SIGNATURE)
        for start in range(0, len(records), BATCH):
            if role == "cold":
                recorder = Recorder(cast("Any", counted), tables[role], KEYS, _SIGNATURE)
            report = recorder.record(records[start : start + BATCH])
            assert not report.errors
        rows.append(_row(f"historic: recorder, {role}", counted, operations, counted.written[tables[role]]))

    moments = [_START_MS + 1000 * ITEMS * VERSIONS * part // 8 for part in range(1, 8)]
    key = {"id": {"S": "account-0"}}
    scan = Counted(client)
    for _ in moments:
        scan.query(
            TableName=tables["copies"],
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": key["id"]},
        )
    rows.append(_row("naive: as of, all versions read", scan, len(moments)))
    search = Counted(client)
    history = History(cast("Any", search), tables["warm"], KEYS)
    for moment in moments:
        assert history.as_of(key, moment).at_ms <= moment
    rows.append(_row(f"historic: as of, {VERSIONS} versions", search, len(moments)))
    return rows


def main() -> int:
    """Print the table."""
    print(f"{'per write or question':>34} {'calls':>7} {'WRU':>7} {'RRU':>7} {'stored B':>9}")
    with running_emulator() as url:
        client = connect(url)
        for image_bytes in IMAGE_BYTES:
            print(f"items of about {image_bytes} bytes, {ITEMS} items, {VERSIONS} versions each")
            for row in _compare(client, image_bytes):
                print(row)
    print("the index of actors costs 1 WRU more for a signed version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
