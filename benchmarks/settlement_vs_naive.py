"""What settling a trade costs, and how often it is tried, against the naive way, on the emulator.

The naive way settles each trade in a transaction of its own: two wallets, two inventories, the house's wallet, the
trade's status, and a journal row for each of the three. It notifies nobody. Ours settles a commit: one change and one
journal entry for each player of it; what it costs to notify players of complete orders is listed by itself.

Dollars are those of DynamoDB's on-demand requests and of Lambda on arm64 in us-east-1. A function's time is modelled
from published medians of each call; both ways get one invocation a commit and function.

The second part is one account that sells in 32 materials at once. Two transactions that are under way at a time (25 ms)
and touch one item collide, as in DynamoDB; the emulator's own do not.

Run: ``python -m benchmarks.settlement_vs_naive``
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from benchmarks.contended_client import ContendedClient
from benchmarks.market_on_emulator import connect, put_all, running_emulator
from benchmarks.traded_commits import FEE_MINOR, Workload
from functions.accounts.ledger import Ledger
from functions.accounts.lines import line_key
from functions.clock import now_ms
from functions.settling.gathering import is_complete
from functions.settling.notifications import notify_of_gathered
from functions.settling.order_parts import order_parts
from functions.settling.settlement import SETTLEMENT_CODEC, Settlement, settlement_id
from functions.settling.steps import SettlementSteps
from functions.settling.tape_reader import TapeReader
from market.side import Side
from market.tape import encode_commit
from patterns.aggregator import Aggregator, ByPredicate
from patterns.dynamodb.items import encode_item
from patterns.dynamodb.retries import Retries
from patterns.processor import Processor, ProcessorSettings, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit, TradeFill
    from patterns.dynamodb.items import Item

MATERIALS = 32
COMMITS_A_MATERIAL = 8

KEYS = {
    "tape": ("material", "sequence"),
    "accounts": ("player", "line"),
    "journal": ("player", "entry_key"),
    "settlements": ("transaction_id",),
    "groups": ("group_id", "entry"),
    "notifications": ("player", "notification_key"),
    "trades": ("trade_id",),
}
_INDEXES = {"settlements": ("due", "due_shard", "due_at_ms"), "groups": ("pending", "pending", "pending_since_ms")}
_NUMBERS = {"sequence", "due_at_ms", "pending_since_ms"}

# Dollars: on-demand request units, Lambda on arm64.
_WRITE_UNIT, _READ_UNIT = 0.625e-6, 0.125e-6
_INVOCATION, _GB_SECOND = 0.20e-6, 0.0000133334
_CALL_MS = {"put_item": 7.6, "update_item": 7.6, "get_item": 5.0, "query": 5.0}
_TRANSACTION_MS, _ACTION_MS = 23.0, 0.35  # 5 items take 25 ms, 25 items 32


@dataclass
class Meter:
    """A client that adds up calls, their modelled time, and units by table."""

    client: DynamoDBClient

    def __post_init__(self) -> None:
        self.calls = 0
        self.modelled_ms = 0.0
        self.write_units: Counter[str] = Counter()
        self.read_units = 0.0

    def __getattr__(self, name: str) -> Any:
        def metered(**arguments: Any) -> Any:
            self.calls += 1
            actions = len(arguments.get("TransactItems", ()))
            self.modelled_ms += _TRANSACTION_MS + _ACTION_MS * actions if actions else _CALL_MS[name]
            answer = getattr(self.client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            reported = answer["ConsumedCapacity"]
            for consumed in cast("list[dict[str, Any]]", reported if isinstance(reported, list) else [reported]):
                if name in ("get_item", "query"):
                    self.read_units += consumed["CapacityUnits"]
                else:
                    self.write_units[consumed["TableName"]] += consumed["CapacityUnits"]
            return answer

        return metered


WORKLOADS = (
    Workload("1 bid on 1 ask", commits=40, bids=1, asks=1),
    Workload("1 bid on 1 ask, ask of 10", commits=40, bids=1, asks=1, commits_an_ask=10),
    Workload("90 bids on 10 asks", commits=4, bids=90, asks=10),
)


def _create_tables(client: DynamoDBClient) -> None:
    def schema(keys: Sequence[str]) -> Any:
        return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]

    for table, keys in KEYS.items():
        more: Any = {}
        names = dict.fromkeys(keys)
        if index := _INDEXES.get(table):
            names |= dict.fromkeys(index[1:])
            projection = {"ProjectionType": "KEYS_ONLY"}
            more["GlobalSecondaryIndexes"] = [
                {"IndexName": index[0], "KeySchema": schema(index[1:]), "Projection": projection}
            ]
        definitions: Any = [{"AttributeName": n, "AttributeType": "N" if n in _NUMBERS else "S"} for n in names]
        client.create_table(
            TableName=table,
            KeySchema=schema(keys),
            AttributeDefinitions=definitions,
            BillingMode="PAY_PER_REQUEST",
            **more,
        )


def _store(client: DynamoDBClient, commits: Sequence[TapeCommit]) -> None:
    """Put commits on the tape, and what their orders hold into the accounts."""
    put_all(client, "tape", [encode_item(cast("Item", encode_commit(commit))) for commit in commits])
    lines: dict[tuple[str, str], Item] = {}
    for commit in commits:
        for order in commit.orders:
            held, open_orders = ("held_minor", "open_bids") if order.side is Side.BUY else ("held", "open_asks")
            line = lines.setdefault((order.player, commit.material), {"version": 1})
            line[held] = cast("int", line.get(held, 0)) + order.released
            ids = cast("frozenset[bytes]", line.get(open_orders, frozenset()))
            line[open_orders] = ids | {bytes.fromhex(order.order_id.replace("-", ""))}
    put_all(client, "accounts", [encode_item({**line_key(*place), **line}) for place, line in lines.items()])


def _orders(client: DynamoDBClient) -> Aggregator:
    completion = ByPredicate(is_complete)
    return Aggregator(
        client=client,
        table_name="groups",
        completion=completion,
        clock=now_ms,
        sleep=time.sleep,
        random=random.random,
    )


def _processor(client: DynamoDBClient) -> Processor[Settlement]:
    steps = SettlementSteps(
        tape=TapeReader(client, "tape"),
        ledger=Ledger(client, "accounts", "journal"),
        orders=_orders(client),
        notifications_table="notifications",
        spread=map,
    )
    return Processor(client, ProcessorSettings(table="settlements"), SETTLEMENT_CODEC, steps.steps())


def settle(client: DynamoDBClient, processor: Processor[Settlement], commit: TapeCommit) -> None:
    """Settle a commit as the functions do: submit, run, and notify of the orders that became complete."""
    identity = settlement_id(commit.material, commit.sequence)
    processor.store.submit(identity, Settlement(commit.material, commit.sequence))
    settled = processor.run(identity, lambda: 60_000)
    assert settled is not None
    assert settled.status is Status.COMPLETED, settled.error
    orders = _orders(client)
    for part in order_parts(commit):
        if part.closed and not part.is_whole:
            orders.fire(part.order_id, notify_of_gathered("notifications"), owner="event")


def _adjust(player: str, line: str, amount: int) -> Any:
    return {
        "Update": {
            "TableName": "accounts",
            "Key": {"player": {"S": player}, "line": {"S": line}},
            "UpdateExpression": "ADD amount :amount",
            "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
        }
    }


def naive_transaction(commit: TapeCommit, fill: TradeFill) -> list[Any]:
    """Return the actions of one trade."""
    trade, at = f"{commit.material}-{commit.sequence}-{fill.n}", f"{commit.committed_at_ms:013d}"
    value = fill.price_minor * fill.quantity
    journal: list[Any] = []
    for player, amount in (
        (fill.buyer, -value - FEE_MINOR),
        (fill.seller, value - FEE_MINOR),
        ("house", 2 * FEE_MINOR),
    ):
        row: Item = {"player": player, "entry_key": f"{at}#{trade}", "money": amount, "material": commit.material}
        journal.append({"Put": {"TableName": "journal", "Item": encode_item(row)}})
    status: Item = {"trade_id": trade, "status": "SETTLED"}
    new = "attribute_not_exists(trade_id)"
    return [
        _adjust(fill.buyer, "wallet", -value - FEE_MINOR),
        _adjust(fill.seller, "wallet", value - FEE_MINOR),
        _adjust(fill.buyer, f"inventory#{commit.material}", fill.quantity),
        _adjust(fill.seller, f"inventory#{commit.material}", -fill.quantity),
        _adjust("house", "wallet", 2 * FEE_MINOR),
        {"Put": {"TableName": "trades", "Item": encode_item(status), "ConditionExpression": new}},
        *journal,
    ]


def _dollars(meter: Meter, invocations: int, gigabytes: float) -> float:
    requests = sum(meter.write_units.values()) * _WRITE_UNIT + meter.read_units * _READ_UNIT
    return requests + invocations * _INVOCATION + meter.modelled_ms / 1000 * gigabytes * _GB_SECOND


def cost(client: DynamoDBClient) -> float:
    """Print what each workload costs both ways; return our most write units a trade in full commits."""
    head = (
        f"{'a settled trade':>28} {'way':>8} {'calls':>7} {'WRU':>7} {'of it told':>11} {'RRU':>6} {'$ a million':>12}"
    )
    print(head)
    full = 0.0
    for workload in WORKLOADS:
        commits = list(workload.tape(workload.name.replace(" ", "_")))
        _store(client, commits)
        ours, naive = Meter(client), Meter(client)
        processor = _processor(cast("DynamoDBClient", ours))
        for commit in commits:
            settle(cast("DynamoDBClient", ours), processor, commit)
            for fill in commit.fills:
                cast("Any", naive).transact_write_items(TransactItems=naive_transaction(commit, fill))
        told = ours.write_units["groups"] + ours.write_units["notifications"]
        fired = workload.commits * workload.asks // workload.commits_an_ask if workload.commits_an_ask > 1 else 0
        for way, meter, invocations, gigabytes, notifying in (
            ("naive", naive, workload.commits, 0.5, 0.0),
            ("ours", ours, 2 * workload.commits + fired, 1.0, told),
        ):
            units = sum(meter.write_units.values()) / workload.trades
            million = _dollars(meter, invocations, gigabytes) / workload.trades * 1e6
            print(
                f"{workload.name:>28} {way:>8} {meter.calls / workload.trades:7.2f} {units:7.2f}"
                f" {notifying / workload.trades:11.2f} {meter.read_units / workload.trades:6.2f} {million:12.2f}"
            )
            full = units
    return full


def contention(client: DynamoDBClient) -> float:
    """Print how often settling is tried for one account in all materials; return the most of our attempts a trade."""
    workload = Workload("", commits=COMMITS_A_MATERIAL, bids=1, asks=1)
    print(f"\n{'one seller, 32 materials':>28} {'attempts a trade':>17} {'cancelled':>10} {'seconds':>8}")
    worst = 0.0
    for way, shuffled in (("naive", False), ("ours", False), ("ours, side by side", True)):
        tapes = [list(workload.tape(f"{way[-1]}{number}", seller="npc")) for number in range(MATERIALS)]
        commits = [commit for tape in tapes for commit in tape]
        _store(client, commits)
        if shuffled:  # any two commits of a material may be under way at a time
            random.Random(1).shuffle(commits)
            tapes = [commits[start::MATERIALS] for start in range(MATERIALS)]
        contended = ContendedClient(client, KEYS)
        work = partial(_settle_naively if way == "naive" else _settle_all, cast("DynamoDBClient", contended))
        with ThreadPoolExecutor(max_workers=MATERIALS) as threads:
            started = time.perf_counter()
            list(threads.map(work, tapes))
            seconds = time.perf_counter() - started
        attempts = contended.attempts["accounts"] / len(commits)
        print(f"{way:>28} {attempts:17.2f} {contended.conflicts['accounts']:10} {seconds:8.1f}")
        worst = max(worst, 0.0 if way == "naive" else attempts)
    return worst


def _settle_all(client: DynamoDBClient, commits: Sequence[TapeCommit]) -> None:
    processor = _processor(client)
    for commit in commits:
        settle(client, processor, commit)


def _settle_naively(client: DynamoDBClient, commits: Sequence[TapeCommit]) -> None:
    retries = Retries(sleep=time.sleep, random=random.random, attempts=10_000, first_wait_ms=25)
    for commit in commits:
        for fill in commit.fills:
            actions = naive_transaction(commit, fill)
            retries.call(partial(client.transact_write_items, TransactItems=actions))


def main() -> int:
    """Print the figures; the exit code says whether the targets are met."""
    with running_emulator() as url:
        client = connect(url)
        _create_tables(client)
        full = cost(client)
        attempts = contention(client)
    missed = attempts > 2 or full > 18
    print("targets missed" if missed else "targets missed: none")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
