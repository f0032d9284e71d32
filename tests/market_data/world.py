"""Market data on moto: tables as the components make them, the tape's stream delivered by hand, requests, time."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import fills_api, market_data_api
from functions.accounts.journal import JournalEntry, entry_put, journal_entries, settlement_cause
from functions.environment import FillsEnvironment, MarketDataEnvironment
from functions.market_data.closing import CandleWriter
from functions.market_data.collecting import collect_batch
from market.accounts.changes import settlement_slices
from market.tape import encode_commit
from patterns.dynamodb.items import encode_item
from patterns.periodic_aggregator import PeriodicAggregatorSettings
from tests.faults import FaultyClient
from tests.market_data.reference import START_MS
from tests.market_data.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit
    from patterns.dynamodb.items import Item
    from patterns.periodic_aggregator import PeriodicAggregator

    Plan = Mapping[int, str | Callable[[], object]]

_EVENT = (Path(__file__).parents[1] / "api" / "events" / "http_api_v2.json").read_text("utf-8")

TABLES: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "candles": (("series", "S"), ("start_ms", "N")),
    "minutes": (("bucket", "S"), ("entry", "S")),
    "tape": (("material", "S"), ("sequence", "N")),
    "journal": (("player", "S"), ("entry_key", "S")),
    "asks": (("material", "S"), ("price_key", "S")),
    "standing-bids": (("material", "S"), ("price_key", "S")),
}
_PENDING = (("pending", "S"), ("closes_at_ms", "N"))


def empty_tables(client: DynamoDBClient) -> DynamoDBClient:
    """Make all tables new and empty."""
    for table in client.list_tables()["TableNames"]:
        client.delete_table(TableName=table)
    for table, keys in TABLES.items():
        index = {"IndexName": "pending", "KeySchema": _schema(_PENDING), "Projection": {"ProjectionType": "ALL"}}
        indexed: Any = {"GlobalSecondaryIndexes": [index]} if table == "minutes" else {}
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema(keys),
            AttributeDefinitions=cast(
                "Any",
                [{"AttributeName": n, "AttributeType": t} for n, t in (*keys, *(_PENDING if indexed else ()))],
            ),
            **indexed,
        )
    return client


def _schema(keys: tuple[tuple[str, str], tuple[str, str]]) -> Any:
    return [{"AttributeName": name, "KeyType": kind} for (name, _), kind in zip(keys, ("HASH", "RANGE"), strict=True)]


def stream_record(commit: TapeCommit) -> dict[str, Any]:
    """The record of a new commit as Lambda gets it: JSON, with bytes as base64 text."""
    image = cast("dict[str, dict[str, Any]]", encode_item(cast("Item", encode_commit(commit))))
    change = {"NewImage": image, "SequenceNumber": f"{commit.material}-{commit.sequence}"}
    event = {"eventName": "INSERT", "dynamodb": change}
    return json.loads(json.dumps(event, default=lambda raw: b64encode(raw).decode()))


@dataclass
class World:
    """Market data on empty tables; every call to DynamoDB goes through one client that may fail by plan."""

    store: DynamoDBClient
    plan: Plan = field(default_factory=dict[int, "str | Callable[[], object]"])
    now_ms: int = START_MS

    def __post_init__(self) -> None:
        empty_tables(self.store)
        faulty = FaultyClient(self.store, self.plan)
        self.calls = faulty.calls
        self.client = cast("DynamoDBClient", faulty)
        settings = PeriodicAggregatorSettings.from_environ(VARIABLES)
        data = MarketDataEnvironment.from_environ(VARIABLES)
        self._public = market_data_api.build(data, settings, self.client, self.clock)
        self._own = fills_api.build(FillsEnvironment.from_environ(VARIABLES), self.client, self.clock)

    def clock(self) -> int:
        return self.now_ms

    @property
    def minutes(self) -> PeriodicAggregator:
        settings = PeriodicAggregatorSettings.from_environ(VARIABLES)
        return settings.aggregator(self.client, clock=self.clock, sleep=lambda _s: None, random=lambda: 0.5)

    def write(self, *commits: TapeCommit) -> None:
        """Put commits on the tape."""
        for commit in commits:
            self.put("tape", cast("Item", encode_commit(commit)))

    def collect(self, *commits: TapeCommit) -> list[str]:
        """The tape's stream brings commits; returns what failed."""
        return list(collect_batch([stream_record(commit) for commit in commits], self.minutes).errors)

    def close(self, owner: str = "firing") -> None:
        """The schedule fires."""
        CandleWriter(self.client, "candles").close_due(self.minutes, owner=owner)

    def settle(self, commit: TapeCommit, *slices: int) -> None:
        """Write the journal entries of a commit's settlement, of all its slices or of some."""
        for number, changes in enumerate(settlement_slices(commit, most_accounts=3)):
            if number in (slices or (number,)):
                cause = settlement_cause(commit.material, commit.sequence, number)
                self._journal(journal_entries(changes, cause, commit.committed_at_ms))

    def note(self, player: str, cause: str, at_ms: int) -> None:
        """Write a journal entry that has nothing to do with trades."""
        self._journal([JournalEntry(player, cause, at_ms, ())])

    def _journal(self, entries: Iterable[JournalEntry]) -> None:
        for entry in entries:
            self.store.transact_write_items(TransactItems=[entry_put("journal", entry)])

    def put(self, table: str, item: Item) -> None:
        self.store.put_item(TableName=table, Item=encode_item(item))

    def get(self, path: str, player: str = "alice", **query: str) -> tuple[int, dict[str, Any]]:
        """Ask the API."""
        event = json.loads(_EVENT)
        event["rawPath"] = path
        event["requestContext"]["http"].update(method="GET", path=path)
        event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = player
        event["queryStringParameters"] = query
        answer = (self._own if path == "/fills" else self._public)(event, LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])

    def pages(
        self, path: str, name: str, limits: list[int], player: str = "alice", **query: str
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a listing, their sizes by turns from `limits`."""
        token: dict[str, str] = {}
        for number in range(1000):
            limit = limits[number % len(limits)]
            status, body = self.get(path, player, limit=str(limit), **query, **token)
            assert status == 200, body
            assert len(body[name]) <= limit
            yield body[name]
            if body["next"] is None:
                return
            token = {"next": body["next"]}
        raise AssertionError("the listing does not end")

    def candles(self, interval: str, limits: list[int] | None = None, **query: str) -> list[dict[str, Any]]:
        """All candles of copper, `closed` left out."""
        path = "/materials/copper/candles"
        found = [
            one for page in self.pages(path, "candles", limits or [500], interval=interval, **query) for one in page
        ]
        return [{name: value for name, value in one.items() if name != "closed"} for one in found]

    def ticker(self) -> dict[str, Any]:
        """The ticker of copper."""
        status, body = self.get("/materials/copper/ticker")
        assert status == 200, body
        return body
