"""What placing, changing and canceling an order costs, with the hold on what it needs, on the emulator.

The naive way is what everybody writes first: read what the player has, check it, put the order, take the amount away,
put the journal entry, each in a call of its own. It is cheaper in write units, for a transaction costs twice a plain
write, and it is wrong: two devices at once overdraw, and a crash between two calls leaves an order without a hold or a
hold without an order. ``naive`` is that; ``repaired`` makes it right the usual way: read the item and its version,
check, and write all of it in a transaction under the condition that the version has not changed, so that every bid and
every ask of a player collides with every other one at the same item.

Units are those that ReturnConsumedCapacity reports, but for queries, of which the emulator reports a flat half unit:
they count by what they return, one unit for each 4 KB.

Run: ``python -m benchmarks.placing_cost``
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import ceil
from time import time
from typing import TYPE_CHECKING, Any, Final, cast

from benchmarks.market_on_emulator import TABLES, connect, create_tables, running_emulator
from functions.accounts.journal import journal_entries
from functions.accounts.ledger import Ledger
from functions.api.asks_store import AsksStore
from functions.api.bids_store import BidsStore
from functions.api.escrow import Escrow
from functions.api.new_orders import NewOrder
from functions.api.order_changes import OrderChanges
from functions.api.order_marks import OrderMarks
from functions.api.side import Side
from market.accounts.bookkeeping import MONEY, AccountChange
from market.accounts.changes import deposit
from market.order_ids import OrderIdGenerator
from market.requests.placing import PlaceOrder, PlacingRules, TimeInForce
from market.requests.replacing import ReplaceOrder
from market.tracing import Origin, new_trace_id
from patterns.dynamodb.item_size import item_size
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.orders import Order

ACCOUNTS: Final = "accounts"
JOURNAL: Final = "journal"
NAIVE: Final = "naive"  # its accounts
ORDERS = 20
"""Orders of each kind; the figures are means."""

OUT_OF_PROCEEDS: Final = "bid out of proceeds"

MOST_TRANSACTIONS = 1
MOST_READS = 1

_READS = frozenset({"get_item", "query", "batch_get_item"})
_MANY = 10**15


@dataclass
class Metered:
    """A client that counts its calls and adds up the units they consumed."""

    client: DynamoDBClient
    calls: Counter[str] = field(default_factory=Counter[str])
    write_units: float = 0
    read_units: float = 0

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls[name] += 1
            answer = getattr(self.client, name)(**arguments, ReturnConsumedCapacity="TOTAL")
            reported = answer.get("ConsumedCapacity", [])
            consumed = cast("list[dict[str, float]]", reported if isinstance(reported, list) else [reported])
            units = sum(one["CapacityUnits"] for one in consumed)
            if name == "query":
                units = max(1, ceil(sum(item_size(decode_item(item)) for item in answer["Items"]) / 4096))
            if name in _READS:
                self.read_units += units
            else:
                self.write_units += units
            return answer

        return call

    @property
    def reads(self) -> int:
        """Calls that only read."""
        return sum(self.calls[name] for name in _READS)


@dataclass(frozen=True)
class Market:
    """Both sides as the HTTP functions have them, on one client."""

    client: DynamoDBClient

    def changes(self, side: str) -> OrderChanges:
        """Return what players can do on a side, ``asks`` or ``bids``."""
        ledger = Ledger(self.client, ACCOUNTS, JOURNAL)
        rules = PlacingRules(("copper",), 1, 2, 10**6, 0)

        def clock() -> int:
            return int(time() * 1000)

        ids = OrderIdGenerator(clock, os.urandom)
        if side == "asks":
            escrow = Escrow(self.client, ledger, TABLES.sell_orders, "seller", 200)
            asks = AsksStore(self.client, TABLES.asks, TABLES.sell_orders, escrow)
            marks = OrderMarks(self.client, TABLES.sell_orders, "seller")
            return OrderChanges(Side(side, asks, marks, ledger, lambda line: line.open_asks), rules, ids, clock)
        escrow = Escrow(self.client, ledger, TABLES.bids, "buyer", 200)
        bids = BidsStore(self.client, TABLES.bids, escrow, fee_bps=20, tick_minor=1)
        marks = OrderMarks(self.client, TABLES.bids, "buyer")
        return OrderChanges(Side(side, bids, marks, ledger, lambda line: line.open_bids), rules, ids, clock)


def place(changes: OrderChanges, player: str, **kind: Any) -> Order:
    """Place an order of a player."""
    terms: dict[str, Any] = {"material": "copper", "quantity": 10, "limit_minor": 1250} | kind
    order_id, now_ms = changes.order_ids.next_id(), changes.clock()
    return changes.placed(NewOrder(player, order_id, PlaceOrder(**terms), now_ms, _origin(now_ms)))


def _origin(now_ms: int) -> Origin:
    return Origin(new_trace_id(os.urandom), now_ms)


def naive(client: Metered, player: str, side: str, number: int, *, repaired: bool) -> None:
    """Place an order as everybody writes it first, or with its holes stopped."""
    key = encode_item({"player": player})
    account = client.get_item(TableName=NAIVE, Key=key, ConsistentRead=True)["Item"]
    asset, held, amount = ("copper", "held", 10) if side == "asks" else ("money", "held_minor", 12_525)
    if int(account[asset]["N"]) < amount:
        raise RuntimeError("the benchmark's player has run out")
    order_id = f"{player}-{number:027d}"
    owner, id_name = ("seller", "ask_id") if side == "asks" else ("buyer", "bid_id")
    order = {"material": "copper", id_name: order_id, owner: player, "price_minor": 1250, "quantity": 10}
    order |= {"placed_at_ms": 1_795_248_000_000}
    postings: list[Any] = [
        {"account": "available", "asset": asset, "amount": -amount},
        {"account": "held", "asset": asset, "amount": amount},
    ]
    entry = {"player": player, "entry_key": f"1795248000000#order#{order_id}", "postings": postings}
    record = {**order, "order_key": order_id, "hold": amount, "status": "PENDING"}
    puts: list[tuple[str, Any]] = [(TABLES.sell_orders if side == "asks" else TABLES.bids, record), (JOURNAL, entry)]
    if side == "asks":
        puts.append((TABLES.asks, {**order, "price_key": f"000000001250#{order_id}", "remaining": 10}))
    take: dict[str, Any] = {
        "TableName": NAIVE,
        "Key": key,
        "UpdateExpression": f"ADD {asset} :less, {held} :more, version :one",
        "ExpressionAttributeValues": encode_item({":less": -amount, ":more": amount, ":one": 1}),
    }
    if repaired:
        take["ConditionExpression"] = "version = :read"
        take["ExpressionAttributeValues"] |= {":read": account["version"]}
        actions = [{"Put": {"TableName": table, "Item": encode_item(item)}} for table, item in puts]
        client.transact_write_items(TransactItems=[{"Update": take}, *actions])
        return
    for table, item in puts:
        client.put_item(TableName=table, Item=encode_item(item))
    client.update_item(**take)


def _placing(changes: OrderChanges, player: str, **kind: Any) -> Callable[[int], object]:
    return lambda _number: place(changes, player, **kind)


def _placing_by_id(changes: OrderChanges, player: str) -> Callable[[int], object]:
    return lambda number: place(changes, player, client_order_id=f"c-{number}")


def _naively(client: Metered, side: str, repaired: bool, player: str) -> Callable[[int], object]:
    return lambda number: naive(client, player, side, number, repaired=repaired)


def _canceling(changes: OrderChanges, player: str) -> Callable[[int], object]:
    orders = [place(changes, player) for _ in range(ORDERS)]
    origin = _origin(changes.clock())
    return lambda number: changes.canceled(player, _stored(changes, player, orders[number]), origin)


def _replacing(changes: OrderChanges, wanted: ReplaceOrder, player: str) -> Callable[[int], object]:
    orders = [place(changes, player) for _ in range(ORDERS)]
    origin = _origin(changes.clock())
    return lambda number: changes.replaced(player, _stored(changes, player, orders[number]), wanted, origin)


def _stored(changes: OrderChanges, player: str, order: Order) -> Order:
    stored = changes.side.store.find(player, order.order_id)
    assert stored is not None
    return stored


def _ways(client: Metered) -> Iterator[tuple[str, bool, Callable[[str], Callable[[int], object]]]]:
    """Yield what is measured: its name, whether it is our placing, and how a player prepares for it."""
    market = Market(cast("DynamoDBClient", client))
    for side, way in (("ask", "asks"), ("bid", "bids")):
        changes = market.changes(way)
        yield f"{side}, naive", False, partial(_naively, client, way, False)
        yield f"{side}, repaired", False, partial(_naively, client, way, True)
        yield side, True, partial(_placing, changes)
        yield f"{side}, immediate", True, partial(_placing, changes, time_in_force=TimeInForce.IOC)
        yield f"{side}, client order id", True, partial(_placing_by_id, changes)
        if way == "bids":
            yield OUT_OF_PROCEEDS, True, partial(_placing, changes)
        yield f"cancel {side}", False, partial(_canceling, changes)
        yield f"reduce {side}", False, partial(_replacing, changes, ReplaceOrder(5, None))
        yield f"replace {side}", False, partial(_replacing, changes, ReplaceOrder(None, 1300))


def _fund(client: DynamoDBClient, player: str, *, in_proceeds: bool) -> None:
    ledger = Ledger(client, ACCOUNTS, JOURNAL)
    funds = [deposit(player, "copper", _MANY), deposit(player, MONEY, _MANY)]
    if in_proceeds:
        funds = [
            (AccountChange(player=player, material=f"m{number}", proceeds_minor=12_600),) for number in range(ORDERS)
        ]
    for number, change in enumerate(funds):
        entries = journal_entries(change, f"deposit#{number}", 0)
        client.transact_write_items(TransactItems=ledger.actions(change, entries))
    naive_account = {"player": player, "money": _MANY, "copper": _MANY, "held": 0, "held_minor": 0, "version": 1}
    client.put_item(TableName=NAIVE, Item=encode_item(naive_account))


def _create_accounts(client: DynamoDBClient) -> None:
    for table, keys in ((ACCOUNTS, ("player", "line")), (JOURNAL, ("player", "entry_key")), (NAIVE, ("player",))):
        client.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": key, "KeyType": "RANGE" if number else "HASH"} for number, key in enumerate(keys)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )


def main() -> int:
    """Print the figures; the exit code says whether every placing keeps the limits of transactions and reads."""
    with running_emulator() as url:
        client = connect(url)
        create_tables(client)
        _create_accounts(client)
        print(f"{'what':>22} {'calls':>6} {'transactions':>12} {'reads':>6} {'WRU':>7} {'RRU':>6}")
        exceeded: list[str] = []
        metered = Metered(client)
        numbers = count()
        for name, is_placing, prepare in _ways(metered):
            player = f"p{next(numbers):08d}"
            _fund(client, player, in_proceeds=name == OUT_OF_PROCEEDS)
            do = prepare(player)
            metered.calls.clear()
            metered.write_units = metered.read_units = 0
            for number in range(ORDERS):
                do(number)
            transactions = metered.calls["transact_write_items"] / ORDERS
            print(
                f"{name:>22} {metered.calls.total() / ORDERS:6.2f} {transactions:12.2f} {metered.reads / ORDERS:6.2f}"
                f" {metered.write_units / ORDERS:7.2f} {metered.read_units / ORDERS:6.2f}",
                flush=True,
            )
            if is_placing and (transactions > MOST_TRANSACTIONS or metered.reads / ORDERS > MOST_READS):
                exceeded.append(name)
        print("limits exceeded:", ", ".join(exceeded) or "none")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
