"""Fills a second of the matcher and of the naive way, on the emulator; calls and capacity units a fill of both.

The naive way takes one bid at a time: a query for the best ask, then one transaction of the ask and the bid. It keeps
no trade record and no standing bids; with a trade record, one more item, it needs 2 calls and 6 write units a fill.

Both ways run the same orders in fresh materials, in turns, so that both meet the same noise. They are counted in a run
of their own, since reporting the capacity is work for the emulator, too.

The last workload is a market's normal state: most of the book is priced too high to trade. The matcher reads as deep as
it trades; the emulator takes longer for every query the more items a material has, which DynamoDB does not. With no
deeper book the emulator's own work for each item of a transaction bounds the ratio.

Run: ``python -m benchmarks.matcher_vs_naive``
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from benchmarks.market_on_emulator import TABLES, CountingClient, connect, create_tables, put_all, running_emulator
from functions.clock import now_ms
from functions.matching.batch import work_batch
from functions.matching.matcher import Matcher
from market.fees import Fees, hold_minor
from market.keys import ask_price_key
from market.matching.engine import SelfTradePrevention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

_Item = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Workload:
    """Bids of one unit each on asks that they sell out, in some materials, each with `deeper` asks priced too high."""

    bids: int
    asks: int
    materials: int
    deeper: int
    rounds: int

    @property
    def name(self) -> str:
        """For the table of results."""
        return f"{self.bids} x {self.asks} / {self.materials} / {self.deeper}"


WORKLOADS = (
    Workload(90, 10, materials=1, deeper=0, rounds=5),
    Workload(500, 50, materials=1, deeper=0, rounds=3),
    Workload(1000, 100, materials=4, deeper=0, rounds=2),
    Workload(90, 10, materials=1, deeper=2000, rounds=3),
)
BATCH = 500
FEES = Fees(maker_bps=10, taker_bps=20)
WAYS = ("naive", "matcher")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one way needed for one workload."""

    fills: int
    seconds: float
    calls: int
    write_units: float
    read_units: float


def _order_id(number: int, random: Random) -> str:
    digits = f"{number:012x}7{random.getrandbits(12):03x}8{random.getrandbits(60):015x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _player(random: Random) -> str:
    return _order_id(random.getrandbits(48), random)


def _asks(material: str, workload: Workload, random: Random) -> list[_Item]:
    units = workload.bids // workload.asks
    items: list[_Item] = []
    for number in range(workload.asks + workload.deeper * workload.materials):
        ask_material = f"{material}-{number % workload.materials}"
        ask_id, price_minor = _order_id(number + 1, random), random.randrange(900, 1000)
        if number >= workload.asks:
            price_minor += 1000
        items.append(
            {
                "material": {"S": ask_material},
                "price_key": {"S": ask_price_key(price_minor, ask_id)},
                "ask_id": {"S": ask_id},
                "seller": {"S": _player(random)},
                "price_minor": {"N": str(price_minor)},
                "quantity": {"N": str(units)},
                "remaining": {"N": str(units)},
                "placed_at_ms": {"N": str(now_ms())},
            }
        )
    return items


def _bids(material: str, workload: Workload, random: Random) -> list[_Item]:
    items: list[_Item] = []
    for number in range(workload.bids):
        bid_id = _order_id(10**6 + number, random)
        items.append(
            {
                "buyer": {"S": _player(random)},
                "order_key": {"S": bid_id},
                "bid_id": {"S": bid_id},
                "material": {"S": f"{material}-{number % workload.materials}"},
                "price_minor": {"N": "1000"},
                "quantity": {"N": "1"},
                "filled": {"N": "0"},
                "status": {"S": "PENDING"},
                "placed_at_ms": {"N": str(now_ms())},
                "fee_bps": {"N": str(FEES.taker_bps)},
                "hold": {"N": str(hold_minor(1000, 1, FEES.taker_bps))},
            }
        )
    return items


def _records(bids: Sequence[_Item]) -> list[dict[str, Any]]:
    return [
        {
            "kinesis": {
                "sequenceNumber": str(number),
                "partitionKey": bid["material"]["S"],
                "approximateArrivalTimestamp": now_ms() / 1000,
                "data": b64encode(json.dumps({"eventName": "INSERT", "dynamodb": {"NewImage": bid}}).encode()).decode(),
            }
        }
        for number, bid in enumerate(bids, 1)
    ]


def _matcher(client: DynamoDBClient, bids: Sequence[_Item]) -> int:
    def refuse(_record: Mapping[str, Any], reason: str) -> None:
        raise AssertionError(reason)

    matcher = Matcher(
        client=client,
        tables=TABLES,
        fees=FEES,
        self_trade_prevention=SelfTradePrevention.CANCEL_TAKER,
        clock=now_ms,
        sleep=lambda _seconds: None,
        random=Random(1).random,
    )
    records = _records(bids)
    fills = 0
    with ThreadPoolExecutor(max_workers=8) as threads:  # as the handler has them
        for start in range(0, len(records), BATCH):
            report = work_batch(records[start : start + BATCH], matcher, refuse, threads.map)
            assert not report.errors, report.errors
            fills += report.fills
    return fills


def _naive(client: DynamoDBClient, bids: Sequence[_Item]) -> int:
    for bid in bids:
        ask = client.query(
            TableName=TABLES.asks,
            KeyConditionExpression="material = :material",
            ExpressionAttributeValues={":material": bid["material"]},
            ConsistentRead=True,
            Limit=1,
        )["Items"][0]
        read = cast("_Item", ask)["remaining"]["N"]
        key = {"material": ask["material"], "price_key": ask["price_key"]}
        left = int(read) - 1
        take: Any = {
            "Delete": {
                "TableName": TABLES.asks,
                "Key": key,
                "ConditionExpression": "remaining = :read",
                "ExpressionAttributeValues": {":read": {"N": read}},
            }
        }
        if left:
            take = {
                "Update": {
                    **take["Delete"],
                    "UpdateExpression": "SET remaining = :left",
                    "ExpressionAttributeValues": {":read": {"N": read}, ":left": {"N": str(left)}},
                }
            }
        fill: Any = {
            "Update": {
                "TableName": TABLES.bids,
                "Key": {"buyer": bid["buyer"], "order_key": bid["order_key"]},
                "UpdateExpression": "SET filled = :one, #status = :filled",
                "ConditionExpression": "filled = :zero",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {":one": {"N": "1"}, ":zero": {"N": "0"}, ":filled": {"S": "FILLED"}},
            }
        }
        client.transact_write_items(TransactItems=[take, fill])
    return len(bids)


def measure(url: str, way: str, workload: Workload, material: str, *, counted: bool = False) -> Measurement:
    """Store a workload in fresh materials and run it through ``"matcher"`` or ``"naive"``."""
    client = connect(url)
    random = Random(workload.bids)
    put_all(client, TABLES.asks, _asks(material, workload, random))
    bids = _bids(material, workload, random)
    put_all(client, TABLES.bids, bids)
    counting = CountingClient(client)
    run = _matcher if way == "matcher" else _naive
    start = perf_counter()
    fills = run(cast("DynamoDBClient", counting) if counted else client, bids)
    seconds = perf_counter() - start
    assert fills == workload.bids, f"{way}: {fills} fills of {workload.bids}"
    return Measurement(fills, seconds, counting.calls.total(), counting.write_units, counting.read_units)


def main() -> int:
    """Print the figures; the exit code says whether the counted ones, which no noise can change, keep their limits."""
    exceeded: list[str] = []
    with running_emulator() as url:
        create_tables(connect(url))
        for way in WAYS:
            measure(url, way, WORKLOADS[0], f"warm-up-{way}")
        print("bids x asks / materials / deeper asks:")
        header = f"{'workload':>23} {'way':>8} {'fills/s':>10} {'calls/fill':>11} {'WCU/fill':>9} {'RCU/fill':>9}"
        print(f"{header} {'ratio':>7}")
        for index, workload in enumerate(WORKLOADS):
            turns = [
                {way: measure(url, way, workload, f"{way}-{index}-{turn}").seconds for way in WAYS}
                for turn in range(workload.rounds)
            ]
            ratio = median(turn["naive"] / turn["matcher"] for turn in turns)
            for way in WAYS:
                counted = measure(url, way, workload, f"{way}-{index}-counted", counted=True)
                fills_per_second = workload.bids / median(turn[way] for turn in turns)
                print(
                    f"{workload.name:>23} {way:>8} {fills_per_second:10.0f} {counted.calls / counted.fills:11.4f}"
                    f" {counted.write_units / counted.fills:9.3f} {counted.read_units / counted.fills:9.3f}"
                    f" {ratio if way == 'matcher' else 1:7.1f}"
                )
                if way == "matcher":
                    exceeded += _exceeded(workload, counted)
    print("limits exceeded:", "; ".join(exceeded) or "none")
    return 1 if exceeded else 0


def _exceeded(workload: Workload, counted: Measurement) -> list[str]:
    most_calls = 0.08 if workload.bids < 500 else 0.05
    limits = {
        f"{workload.name}: more than {most_calls} calls a fill": counted.calls <= most_calls * counted.fills,
        f"{workload.name}: more than 2.7 write units a fill": counted.write_units <= 2.7 * counted.fills,
    }
    return [text for text, kept in limits.items() if not kept]


if __name__ == "__main__":
    sys.exit(main())
