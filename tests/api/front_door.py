"""Requests through the front door: API Gateway events into the handlers, tables by moto behind them."""

from __future__ import annotations

import base64
import copy
import json
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions import asks_api, bids_api, quotes_api
from functions.accounts.journal import journal_entries
from functions.accounts.ledger import Ledger
from functions.api.express_lane import kinesis_client
from functions.environment import AsksEnvironment, BidsEnvironment, QuotesEnvironment
from market.accounts.bookkeeping import MONEY
from market.accounts.changes import deposit
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item, encode_item
from tests.api.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

    from functions.api.http_api import HttpApi
    from patterns.dynamodb.items import Item

_EVENT: dict[str, Any] = json.loads((Path(__file__).parent / "events" / "http_api_v2.json").read_text())

_KEYS = {
    "asks": ("material", "price_key", "S"),
    "sell-orders": ("seller", "order_key", "S"),
    "bids": ("buyer", "order_key", "S"),
    "standing-bids": ("material", "price_key", "S"),
    "tape": ("material", "sequence", "N"),
    "accounts": ("player", "line", "S"),
    "journal": ("player", "entry_key", "S"),
}
RECEIVED_AT_MS: int = _EVENT["requestContext"]["timeEpoch"]
"""When API Gateway received each request, it says."""

_RICH = 10**24
"""What players of a market for the well-off have of everything."""


@dataclass(frozen=True)
class Reply:
    """An answer as the client sees it."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def error(self) -> tuple[str, str | None, str | None]:
        """Code, field and rule of an error."""
        error = self.body["error"]
        return error["code"], error["field"], error["rule"]


@dataclass
class TestClock:
    """A clock that moves a millisecond with every reading, or as much as `step_ms` says."""

    __test__ = False
    now_ms: int = 1_795_248_000_000
    step_ms: int = 1

    def __call__(self) -> int:
        """Return the time."""
        self.now_ms += self.step_ms
        return self.now_ms


@dataclass
class FrontDoor:
    """The handlers behind one address.

    Parameters
    ----------
    service
        Name in the log lines.
    clock
        Time.
    variables
        Variables that differ from `VARIABLES`.
    client
        What the handlers call, if it is not the plain client.
    kinesis
        Makes what they put orders on, if `variables` name a stream.
    """

    service: str = VARIABLES["POWERTOOLS_SERVICE_NAME"]
    clock: TestClock = field(default_factory=TestClock)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    client: DynamoDBClient = field(default_factory=dynamodb_client)
    kinesis: Callable[[], KinesisClient] = kinesis_client

    def __post_init__(self) -> None:
        variables = VARIABLES | {"POWERTOOLS_SERVICE_NAME": self.service, **self.variables}
        entropy = random.Random(7).randbytes
        asks = asks_api.build(AsksEnvironment.from_environ(variables), self.client, self.clock, entropy, self.kinesis)
        bids = bids_api.build(BidsEnvironment.from_environ(variables), self.client, self.clock, entropy, self.kinesis)
        quotes = quotes_api.build(QuotesEnvironment.from_environ(variables), self.client, self.clock)
        self._handlers: dict[str, HttpApi] = {"asks": asks, "bids": bids, "materials": quotes}

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        player: str | None = "alice",
        query: Mapping[str, str] | None = None,
        in_base64: bool = False,
        traceparent: str | None = None,
    ) -> Reply:
        """Send a request; a body that is not text yet is sent as JSON."""
        event = request_event(method, path, body, player=player, query=query, in_base64=in_base64)
        if traceparent is not None:
            event["headers"]["traceparent"] = traceparent
        handler = self._handlers.get(path.split("/")[1], self._handlers["asks"])
        answer = handler(event, LambdaContext())
        assert answer["isBase64Encoded"] is False
        headers = {name: value if isinstance(value, str) else value[0] for name, value in answer["headers"].items()}
        assert headers["Content-Type"] == "application/json"
        return Reply(answer["statusCode"], json.loads(answer["body"]), headers)

    def pages(
        self, path: str, name: str, limits: list[int], *, player: str = "alice"
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a listing, their sizes by turns from `limits`."""
        token: str | None = None
        for number in range(1000):
            query = {"limit": str(limits[number % len(limits)])} | ({"next": token} if token else {})
            reply = self.send("GET", path, player=player, query=query)
            assert reply.status == 200, reply
            yield reply.body[name]
            token = reply.body["next"]
            if token is None:
                return
        raise AssertionError("the listing does not end")

    def stored(self) -> dict[str, list[Item]]:
        """Return what is in each table of the market, accounts and journal aside."""
        return {
            table: [decode_item(item) for item in self.client.scan(TableName=table, ConsistentRead=True)["Items"]]
            for table in _KEYS
            if table not in ("accounts", "journal")
        }

    @property
    def ledger(self) -> Ledger:
        """The players' accounts."""
        return Ledger(self.client, "accounts", "journal")

    def fund(self, player: str = "alice", money: int = 0, **goods: int) -> None:
        """Give a player money, minor units, and units of materials."""
        changes = [deposit(player, asset, amount) for asset, amount in {MONEY: money, **goods}.items() if amount]
        for change in changes:
            entries = journal_entries(change, f"deposit#{change[0].material}", 0)
            self.client.transact_write_items(TransactItems=self.ledger.actions(change, entries))

    def put(self, table: str, item: Item) -> None:
        """Store an item behind the API's back, as the matcher does."""
        self.client.put_item(TableName=table, Item=encode_item(item))


def request_event(
    method: str,
    path: str,
    body: object = None,
    *,
    player: str | None = "alice",
    query: Mapping[str, str] | None = None,
    in_base64: bool = False,
) -> dict[str, Any]:
    """Return the event that API Gateway makes of a request."""
    event = copy.deepcopy(_EVENT)
    context = event["requestContext"]
    context["http"].update(method=method, path=path)
    context["routeKey"] = event["routeKey"] = f"{method} {path}"
    event["rawPath"] = path
    if player is None:
        del context["authorizer"]
    else:
        context["authorizer"]["jwt"]["claims"]["sub"] = player
    if query:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        if in_base64:
            raw = text.encode() if isinstance(text, str) else text
            event["body"] = base64.b64encode(raw).decode()
            event["isBase64Encoded"] = True
        else:
            event["body"] = text
    return event


@contextmanager
def opened(
    service: str = VARIABLES["POWERTOOLS_SERVICE_NAME"],
    *,
    rich: Iterable[str] = ("alice", "bob", "ann", "ben"),
    kinesis: Callable[[], KinesisClient] = kinesis_client,
    **variables: str,
) -> Generator[FrontDoor]:
    """Open a market without orders, where the `rich` lack nothing and all others have nothing."""
    with mock_aws():
        front_door = FrontDoor(service, variables=variables, kinesis=kinesis)
        for table, (hash_key, range_key, range_type) in _KEYS.items():
            front_door.client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": hash_key, "AttributeType": "S"},
                    {"AttributeName": range_key, "AttributeType": range_type},  # pyright: ignore[reportArgumentType]
                ],
            )
        for player in rich:
            front_door.fund(player, _RICH, copper=_RICH, wheat=_RICH)
        yield front_door
