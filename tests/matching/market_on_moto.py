"""A market of five tables in moto: orders stored as the APIs store them, records as the stream delivers them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from functions.matching.batch import BatchReport, work_batch
from functions.matching.matcher import Matcher
from functions.matching.tables import Tables
from market.keys import ask_price_key
from market.tables import MarketTables, SellOrder
from patterns.dynamodb.items import decode_item, encode_item
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item

TABLES = Tables(asks="asks", bids="bids", standing_bids="standing_bids", tape="tape")
KEYS = {
    "asks": (("material", "S"), ("price_key", "S")),
    "bids": (("buyer", "S"), ("order_key", "S")),
    "standing_bids": (("material", "S"), ("price_key", "S")),
    "tape": (("material", "S"), ("sequence", "N")),
}
KEY_TYPES = ("HASH", "RANGE")

Record = dict[str, Any]


def create_tables(client: DynamoDBClient) -> None:
    for table, keys in KEYS.items():
        client.create_table(
            TableName=table,
            KeySchema=cast(
                "Any", [{"AttributeName": n, "KeyType": k} for (n, _), k in zip(keys, KEY_TYPES, strict=True)]
            ),
            AttributeDefinitions=cast("Any", [{"AttributeName": n, "AttributeType": t} for n, t in keys]),
            BillingMode="PAY_PER_REQUEST",
        )


@dataclass
class MarketOnMoto:
    """Empty tables, a clock that moves on by itself, and the matcher as the handler runs it."""

    client: DynamoDBClient
    now_ms: int = 1_763_712_000_000
    orders: int = 0
    records: list[Record] = field(default_factory=list[Record])
    sell_orders: list[SellOrder] = field(default_factory=list[SellOrder])
    parked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    waits_s: list[float] = field(default_factory=list[float])
    calls: Counter[str] = field(default_factory=Counter[str])
    after_call: Callable[[str], None] = lambda _name: None
    park_fails: bool = False

    def clock(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def order_id(self) -> str:
        self.orders += 1
        return f"{self.orders:08x}-0000-7000-8000-000000000000"

    def store_ask(self, price_minor: int, quantity: int, material: str = "copper", seller: str = "seller-1") -> str:
        """Put an ask into the book; its record joins `records`."""
        ask_id, placed_at_ms = self.order_id(), self.clock()
        item: Item = {
            "material": material,
            "price_key": ask_price_key(price_minor, ask_id),
            "ask_id": ask_id,
            "seller": seller,
            "price_minor": price_minor,
            "quantity": quantity,
            "remaining": quantity,
            "placed_at_ms": placed_at_ms,
        }
        self.client.put_item(TableName=TABLES.asks, Item=encode_item(item))
        self.sell_orders.append(
            SellOrder(
                seller=seller,
                ask_id=ask_id,
                material=material,
                price_minor=price_minor,
                quantity=quantity,
                placed_at_ms=placed_at_ms,
            )
        )
        self.add_record(material, insertion(item))
        return ask_id

    def store_bid(self, price_minor: int, quantity: int, material: str = "copper", buyer: str = "buyer-1") -> str:
        """Put a bid into its table; its record joins `records`."""
        item = self.bid_item(price_minor, quantity, material, buyer)
        self.client.put_item(TableName=TABLES.bids, Item=encode_item(item))
        self.add_record(material, insertion(item))
        return str(item["bid_id"])

    def bid_item(self, price_minor: int, quantity: int, material: str = "copper", buyer: str = "buyer-1") -> Item:
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
        }

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
            clock=self.clock,
            sleep=self.waits_s.append,
            random=lambda: 0.5,
        )
        try:
            return work_batch(records, matcher, self._park)
        finally:
            self.calls += client.calls

    def deliver_until_handled(self, records: Sequence[Record], plan: Mapping[int, str] | None = None) -> None:
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
            sell_orders=[],
            bids=self.items(TABLES.bids),
            standing_bids=self.items(TABLES.standing_bids),
            tape=self.items(TABLES.tape),
        )
        return MarketTables(
            asks=rows.asks,
            sell_orders=tuple(self.sell_orders),
            bids=rows.bids,
            standing_bids=rows.standing_bids,
            tape=tuple(sorted(rows.tape, key=lambda commit: (commit.material, commit.sequence))),
        )


def insertion(item: Item) -> bytes:
    """Return the DynamoDB stream record of an inserted item, as the pipe passes it on."""
    return json.dumps({"eventName": "INSERT", "dynamodb": {"NewImage": encode_item(item)}}).encode()
