"""A market of five tables in moto: orders stored as the APIs store them, records as the stream delivers them.

Orders of the short forms are plain ones; further attributes of an item are given by name.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from functions.matching import material_work
from functions.matching.batch import BatchReport, work_batch
from functions.matching.matcher import Matcher
from functions.matching.second_copies import HandledMemory
from functions.matching.tables import Tables
from market.fees import Fees
from market.keys import ask_price_key, bid_price_key
from market.matching.commits import cut_commits
from market.matching.engine import SelfTradePrevention, match
from market.whole_tables import MarketTables
from patterns.dynamodb.items import decode_item, encode_item
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from functions.matching.known_head import KnownHead
    from functions.matching.live import Live
    from patterns.dynamodb.items import Item, Value

TABLES = Tables(asks="asks", sell_orders="sell_orders", bids="bids", standing_bids="standing_bids", tape="tape")
KEYS = {
    "asks": (("material", "S"), ("price_key", "S")),
    "sell_orders": (("seller", "S"), ("order_key", "S")),
    "bids": (("buyer", "S"), ("order_key", "S")),
    "standing_bids": (("material", "S"), ("price_key", "S")),
    "tape": (("material", "S"), ("sequence", "N")),
}
BY_EXPIRY = (("material", "S"), ("expires_at_ms", "N"))
KEY_TYPES = ("HASH", "RANGE")

Record = dict[str, Any]


def create_tables(client: DynamoDBClient) -> None:
    for table, keys in KEYS.items():
        indexed = table in ("asks", "standing_bids")
        index = {
            "IndexName": "by-expiry",
            "KeySchema": _schema(BY_EXPIRY),
            "Projection": {"ProjectionType": "ALL"},
        }
        types = dict([*keys, *(BY_EXPIRY if indexed else ())])
        client.create_table(
            TableName=table,
            KeySchema=_schema(keys),
            AttributeDefinitions=cast("Any", [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]),
            BillingMode="PAY_PER_REQUEST",
            **cast("Any", {"GlobalSecondaryIndexes": [index]} if indexed else {}),
        )


def _schema(keys: Sequence[tuple[str, str]]) -> Any:
    return [{"AttributeName": n, "KeyType": k} for (n, _), k in zip(keys, KEY_TYPES, strict=True)]


@contextmanager
def transactions_of(most_items: int) -> Generator[None]:
    """Let commits have so many items at most."""
    with (
        mock.patch.object(material_work, "cut_commits", partial(cut_commits, most_items=most_items)),
        mock.patch.object(material_work, "match", partial(match, most_items=most_items)),
    ):
        yield


@dataclass
class MarketOnMoto:
    """Empty tables, a clock that moves on by itself, and the matcher as the handler runs it."""

    client: DynamoDBClient
    now_ms: int = 1_763_712_000_000
    orders: int = 0
    records: list[Record] = field(default_factory=list[Record])
    parked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    waits_s: list[float] = field(default_factory=list[float])
    calls: Counter[str] = field(default_factory=Counter[str])
    after_call: Callable[[str], None] = lambda _name: None
    park_fails: bool = False
    fees: Fees = field(default_factory=Fees)
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_TAKER
    express_lane: bool = False
    memory: HandledMemory | None = None  # of a process that stays warm; None: each delivery meets a fresh one
    heads: dict[str, KnownHead] | None = None  # likewise
    live: Live | None = None

    def clock(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def order_id(self) -> str:
        self.orders += 1
        return f"{self.orders:08x}-0000-7000-8000-000000000000"

    def store_ask(
        self, price_minor: int, quantity: int, material: str = "copper", seller: str = "seller-1", **further: Value
    ) -> str:
        """Put an ask into the book and its seller's orders; its record joins `records`."""
        order = self.sell_order_item(price_minor, quantity, material, seller, **further)
        item: Item = {
            "material": material,
            "price_key": ask_price_key(price_minor, str(order["ask_id"])),
            "ask_id": order["ask_id"],
            "seller": seller,
            "price_minor": price_minor,
            "quantity": quantity,
            "remaining": quantity,
            "placed_at_ms": order["placed_at_ms"],
        }
        if "expires_at_ms" in further:
            item["expires_at_ms"] = further["expires_at_ms"]
        self.client.put_item(TableName=TABLES.sell_orders, Item=encode_item(order))
        self.client.put_item(TableName=TABLES.asks, Item=encode_item(item))
        self.add_record(material, insertion(item))
        return str(order["ask_id"])

    def store_arriving_ask(
        self, price_minor: int, quantity: int, material: str = "copper", seller: str = "seller-1", **further: Value
    ) -> str:
        """Put an ask that the matcher has to take first among its seller's orders only; its record joins `records`."""
        order = self.sell_order_item(price_minor, quantity, material, seller, status="PENDING", **further)
        self.client.put_item(TableName=TABLES.sell_orders, Item=encode_item(order))
        self.add_record(material, insertion(order))
        return str(order["ask_id"])

    def sell_order_item(
        self, price_minor: int, quantity: int, material: str = "copper", seller: str = "seller-1", **further: Value
    ) -> Item:
        """Make a seller's order as the API would store it, without storing it."""
        ask_id = self.order_id()
        return {
            "seller": seller,
            "order_key": ask_id,
            "ask_id": ask_id,
            "material": material,
            "price_minor": price_minor,
            "quantity": quantity,
            "placed_at_ms": self.clock(),
            "hold": quantity,
            **further,
        }

    def store_bid(
        self, price_minor: int, quantity: int, material: str = "copper", buyer: str = "buyer-1", **further: Value
    ) -> str:
        """Put a bid into its table; its record joins `records`."""
        item = self.bid_item(price_minor, quantity, material, buyer, **further)
        self.client.put_item(TableName=TABLES.bids, Item=encode_item(item))
        self.add_record(material, insertion(item))
        return str(item["bid_id"])

    def bid_item(
        self, price_minor: int, quantity: int, material: str = "copper", buyer: str = "buyer-1", **further: Value
    ) -> Item:
        """Make a bid as the API would store it, without storing it."""
        bid_id = self.order_id()
        return {
            "buyer": buyer,
            "order_key": bid_id,
            "bid_id": bid_id,
            "material": material,
            "price_minor": price_minor,
            "quantity": quantity,
            "filled": 0,
            "status": "PENDING",
            "placed_at_ms": self.clock(),
            "client_order_id": "mine",
            "fee_bps": 0,
            "hold": price_minor * quantity,
            **further,
        }

    def request(self, side: str, order_id: str, request: str, quantity: int | None = None, player: str = "") -> Record:
        """Mark an order as the API does when its player asks for something; the record joins `records`."""
        table, owner = (TABLES.bids, "buyer") if side == "bid" else (TABLES.sell_orders, "seller")
        marks: Item = {"request": request, "request_id": self.order_id()}
        if quantity is not None:
            marks["request_quantity"] = quantity
        values = encode_item(marks)
        image = self.client.update_item(
            TableName=table,
            Key=encode_item({owner: player or f"{owner}-1", "order_key": order_id}),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="attribute_exists(material)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return self.add_record(str(image["material"].get("S")), modification(cast("Any", image)))

    def expiry(self, *orders: tuple[str, str, str, int], material: str = "copper") -> Record:
        """Add what the expirer says of orders: side, id, player, price."""
        due = [
            {
                "side": "SELL" if side == "ask" else "BUY",
                "order_id": order_id,
                "player": player,
                "price_key": (ask_price_key if side == "ask" else bid_price_key)(price_minor, order_id),
            }
            for side, order_id, player, price_minor in orders
        ]
        return self.add_record(
            material, json.dumps({"eventName": "EXPIRE", "material": material, "orders": due}).encode()
        )

    def add_record(self, partition_key: str, data: bytes) -> Record:
        """Append data to the stream."""
        record: Record = {
            "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
            "kinesis": {
                "sequenceNumber": f"{len(self.records) + 1:056d}",
                "partitionKey": partition_key,
                "approximateArrivalTimestamp": self.clock() / 1000,
                "data": b64encode(data).decode(),
            },
        }
        self.records.append(record)
        return record

    def deliver(
        self, records: Sequence[Record], plan: Mapping[int, str | Callable[[], object]] | None = None
    ) -> BatchReport:
        """Invoke the matcher once; `plan` is the trouble with its calls, see `FaultyClient`."""
        client = FaultyClient(self.client, plan or {}, self.after_call)
        matcher = Matcher(
            client=cast("DynamoDBClient", client),
            tables=TABLES,
            fees=self.fees,
            self_trade_prevention=self.self_trade_prevention,
            clock=self.clock,
            sleep=self.waits_s.append,
            random=lambda: 0.5,
            express_lane=self.express_lane,
            memory=HandledMemory() if self.memory is None else self.memory,
            heads={} if self.heads is None else self.heads,
            live=self.live,
        )
        try:
            return work_batch(records, matcher, self._park)
        finally:
            self.calls += client.calls

    def deliver_until_handled(
        self, records: Sequence[Record], plan: Mapping[int, str | Callable[[], object]] | None = None
    ) -> None:
        """Deliver as an event source does: again from the lowest failure, from the start after a crash."""
        while records:
            try:
                failed = self.deliver(records, plan).failed
            except Crash:
                pass
            else:
                lowest = min(failed, default=None)
                records = [r for r in records if lowest is not None and r["kinesis"]["sequenceNumber"] >= lowest]
            plan = None

    def _park(self, record: Mapping[str, Any], reason: str) -> None:
        if self.park_fails:
            raise ConnectionError("the queue does not answer")
        self.parked.append((record["kinesis"]["sequenceNumber"], reason))

    def items(self, table: str) -> list[dict[str, object]]:
        """Return a table's items as plain values."""
        pages = self.client.get_paginator("scan").paginate(TableName=table)
        return [cast("dict[str, object]", decode_item(item)) for page in pages for item in page["Items"]]

    def tables(self) -> MarketTables:
        """Read everything."""
        rows = MarketTables.from_items(
            asks=self.items(TABLES.asks),
            sell_orders=self.items(TABLES.sell_orders),
            bids=self.items(TABLES.bids),
            standing_bids=self.items(TABLES.standing_bids),
            tape=self.items(TABLES.tape),
        )
        return replace(rows, tape=tuple(sorted(rows.tape, key=lambda commit: (commit.material, commit.sequence))))


def insertion(item: Item) -> bytes:
    """Return the DynamoDB stream record of an inserted item, as the pipe passes it on."""
    return json.dumps({"eventName": "INSERT", "dynamodb": {"NewImage": encode_item(item)}}).encode()


def copy_by_pipe(record: Record) -> Record:
    """Return the copy of a record that the Pipe brings."""
    return _with_data(record, eventSource="aws:dynamodb")


def express(record: Record, **trace: object) -> Record:
    """Return the copy of a record that the express lane brings."""
    return _with_data(record, eventSource="market:express", trace=trace)


def _with_data(record: Record, **further: object) -> Record:
    data = json.loads(b64decode(record["kinesis"]["data"])) | further
    return {**record, "kinesis": {**record["kinesis"], "data": b64encode(json.dumps(data).encode()).decode()}}


def modification(image: Mapping[str, Any]) -> bytes:
    """Return the DynamoDB stream record of a changed item, given in DynamoDB's attribute form."""
    return json.dumps({"eventName": "MODIFY", "dynamodb": {"NewImage": image}}).encode()
