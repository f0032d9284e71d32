"""All functions of the market over one DynamoDB, which has trouble with any of their calls."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from functions import market_data_api
from functions.environment import MarketDataEnvironment
from functions.expiry_records import BY_EXPIRY, Expirer, Side
from functions.market_data.closing import CandleWriter
from functions.market_data.collecting import collect_batch
from market.accounts.rows import AccountTables
from market.whole_tables import MarketTables
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import Retries
from patterns.periodic_aggregator import PeriodicAggregatorSettings
from tests.audit.market import AuditedMarket, create_tables
from tests.faults import FaultyClient
from tests.market_data.world import stream_record
from tests.settlement.world import World
from tests.whole_market.streams import OrdersStream
from tests.whole_market.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

    from market.matching.rules import SelfTradePrevention
    from market.tape import TapeCommit
    from tests.audit.market import Change

    Plan = Mapping[int, str | Callable[[], object]]

MATERIALS = ("copper", "wheat")
_WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})


class _Connection:
    """What all functions call: the client that is plugged in."""

    client: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


class _Settling(World):
    stored: Callable[[str], list[dict[str, Any]]]

    def _scan(self, table: str) -> list[dict[str, Any]]:
        return self.stored(table)


class WholeMarket(AuditedMarket):
    """Every function of the market, each called when a test says so.

    Parameters
    ----------
    self_trade_prevention
        Setting of the matcher.
    """

    def __init__(self, self_trade_prevention: SelfTradePrevention) -> None:
        self._connection = _Connection()
        super().__init__(client=cast("DynamoDBClient", self._connection))
        self.store = self.client = _tables_of_components()
        self._connection.client = self._calm()
        self.stream = OrdersStream()
        self.matcher = replace(self._matcher, self_trade_prevention=self_trade_prevention)
        self.settling = _Settling(self.store)
        self.settling.stored = self.stored
        self.settling.client = cast("FaultyClient", self._connection)
        self._unrecorded: list[Change] = []
        self._firings = 0
        minutes = PeriodicAggregatorSettings.from_environ(VARIABLES)
        everything = cast("DynamoDBClient", self._connection)
        self._minutes = minutes.aggregator(everything, clock=self.clock, sleep=lambda _s: None, random=lambda: 0.5)
        self._handlers["materials"] = market_data_api.build(
            MarketDataEnvironment.from_environ(VARIABLES), minutes, everything, self.clock
        )
        self._expirer = Expirer(
            dynamodb=everything,
            sides=(Side("SELL", "asks", "ask_id", "seller"), Side("BUY", "standing-bids", "bid_id", "buyer")),
            kinesis=cast("KinesisClient", self.stream),
            stream_name="orders",
            clock=self.clock,
            retries=Retries(sleep=lambda _s: None, random=lambda: 0.5, attempts=5, first_wait_ms=100),
        )

    # Trouble

    @contextmanager
    def trouble(self, plan: Plan) -> Generator[FaultyClient]:
        """Have trouble with some of the calls until the end of the block, see `tests.faults.FaultyClient`."""
        before = self._connection.client
        self._connection.client = found = FaultyClient(self.store, plan, self._called)
        try:
            yield found
        finally:
            self._connection.client = before

    def _calm(self) -> FaultyClient:
        return FaultyClient(self.store, {}, self._called)

    def _called(self, name: str) -> None:
        if name in _WRITES:
            self._observe()

    # Streams of the tables

    def _observe(self) -> None:
        changes = super().changes()
        self.stream.written(changes)
        self._unrecorded += changes

    def changes(self) -> list[Change]:
        """Return every single write since the last call."""
        self._observe()
        changes, self._unrecorded = self._unrecorded, []
        return changes

    # Functions that a schedule or a stream calls

    def expire(self) -> None:
        """The expirer's schedule fires."""
        self._expirer.run(MATERIALS, lambda: True)

    def collect(self, commits: Iterable[TapeCommit]) -> None:
        """The tape's stream brings commits to the collector of candles, until it takes them."""
        records = [stream_record(commit) for commit in commits if commit.fills]
        while records:
            failed = collect_batch(records, self._minutes).errors
            records = [record for record in records if record["dynamodb"]["SequenceNumber"] in failed]

    def close_minutes(self) -> None:
        """The schedule of the candles fires."""
        self._firings += 1
        CandleWriter(cast("DynamoDBClient", self._connection), "candles").close_due(
            self._minutes, owner=f"firing-{self._firings}"
        )

    @contextmanager
    def settling_time(self) -> Generator[None]:
        """Let settlement work at the time of everything else, and everything else go on when it is done."""
        self.settling.now_ms = self.clock()
        try:
            yield
        finally:
            self.clock.now_ms = max(self.clock.now_ms, self.settling.now_ms)

    def redrive(self) -> None:
        """An operator lets all parked settlements go on."""
        with self.settling_time():
            settlements = self.settling.settlements
            for parked in list(settlements.parked()):
                settlements.redrive(parked.transaction_id)

    # What is there

    def stored(self, table: str) -> list[dict[str, Any]]:
        """Return a table's items as a scan does, fifty times as fast."""
        backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][self.store.meta.region_name]
        items = backend.tables[table].all_items()
        return [{name: _with_bytes(value) for name, value in item.to_json()["Attributes"].items()} for item in items]

    def market_tables(self) -> MarketTables:
        """Read orders and trades."""
        return MarketTables.from_items(
            asks=self.items("asks"),
            sell_orders=self.items("sell-orders"),
            bids=self.items("bids"),
            standing_bids=self.items("standing-bids"),
            tape=self.items("tape"),
        )

    def account_tables(self) -> AccountTables:
        """Read accounts and what happened to them."""
        return AccountTables.from_items(
            accounts=self.items("accounts"),
            journal=self.items("journal"),
            settlements=self.items("settlements"),
            notifications=self.items("notifications"),
        )


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    if kind == "B" and isinstance(content, str):
        return {kind: base64.b64decode(content)}
    if kind == "BS":
        return {kind: sorted(base64.b64decode(one) if isinstance(one, str) else one for one in content)}
    return value


def _tables_of_components() -> DynamoDBClient:
    client = dynamodb_client()
    create_tables(client)
    _index(client, "asks", BY_EXPIRY, "material", "expires_at_ms")
    _index(client, "standing-bids", BY_EXPIRY, "material", "expires_at_ms")
    for table, keys in (("candles", ("series", "start_ms", "N")), ("minutes", ("bucket", "entry", "S"))):
        hash_key, range_key, kind = keys
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": hash_key, "KeyType": "HASH"},
                {"AttributeName": range_key, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": hash_key, "AttributeType": "S"},
                {"AttributeName": range_key, "AttributeType": cast("Any", kind)},
            ],
        )
    _index(client, "minutes", "pending", "pending", "closes_at_ms")
    return client


def _index(client: DynamoDBClient, table: str, name: str, hash_key: str, range_key: str) -> None:
    """Add the index of a component to a table: a text, then a number."""
    client.update_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": hash_key, "AttributeType": "S"},
            {"AttributeName": range_key, "AttributeType": "N"},
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": name,
                    "KeySchema": [
                        {"AttributeName": hash_key, "KeyType": "HASH"},
                        {"AttributeName": range_key, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
