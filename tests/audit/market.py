"""A whole market on moto: the API places, the matcher matches, settlement settles, the recorder records."""

from __future__ import annotations

import base64
import importlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions import accounts_api, asks_api, audit_api, bids_api, history_recorder
from functions.audit.page import BUDGET_MS
from functions.environment import AccountsEnvironment, AsksEnvironment, AuditEnvironment, BidsEnvironment
from functions.matching.batch import work_batch
from functions.matching.matcher import Matcher
from functions.matching.tables import Tables
from market.fees import Fees
from market.matching.rules import SelfTradePrevention
from market.tape import decode_commit
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item, encode_item
from tests.api.front_door import Reply, TestClock, request_event
from tests.audit.variables import VARIABLES
from tests.patterns.historic.world import as_json
from tests.settlement.world import World

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.http_api import HttpApi
    from market.tape import TapeCommit
    from patterns.dynamodb.items import Item

KEYS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "asks": (("material", "S"), ("price_key", "S")),
    "sell-orders": (("seller", "S"), ("order_key", "S")),
    "bids": (("buyer", "S"), ("order_key", "S")),
    "standing-bids": (("material", "S"), ("price_key", "S")),
    "tape": (("material", "S"), ("sequence", "N")),
    "accounts": (("player", "S"), ("line", "S")),
    "journal": (("player", "S"), ("entry_key", "S")),
    "settlements": (("transaction_id", "S"),),
    "groups": (("group_id", "S"), ("entry", "S")),
    "notifications": (("player", "S"), ("notification_key", "S")),
    "history": (("collection", "S"), ("version_key", "S")),
}
RECORDED = ("bids", "sell-orders", "asks", "accounts", "settlements")
_INDEXES = {"settlements": ("due", ("due_shard", "S"), ("due_at_ms", "N"))}

Finding = tuple[str, str]
"""Kind and subject."""

Change = tuple[str, str, dict[str, Any]]
"""Table, name of the event, images as a stream record has them."""


@dataclass
class AuditedMarket:
    """Everything that writes, called by hand; and the operator who looks at it."""

    client: DynamoDBClient = field(default_factory=dynamodb_client)
    clock: TestClock = field(default_factory=TestClock)
    lateness_ms: int = 10**8
    """How much later the operator looks: whatever should have happened has had its time."""

    def __post_init__(self) -> None:
        client, clock, entropy = self.client, self.clock, Random(7).randbytes
        self._seen: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in RECORDED}
        self._sequence = 0
        self._references = 0
        self._settling = World(client)
        # A cold start: the recorder remembers what it has recorded.
        self._recorder = importlib.reload(history_recorder).handler
        self._handlers: dict[str, HttpApi] = {
            "asks": asks_api.build(AsksEnvironment.from_environ(VARIABLES), client, clock, entropy),
            "bids": bids_api.build(BidsEnvironment.from_environ(VARIABLES), client, clock, entropy),
            "accounts": accounts_api.build(AccountsEnvironment.from_environ(VARIABLES), client, clock),
        }
        self.budget_operator(BUDGET_MS)
        self._matcher = Matcher(
            client=client,
            tables=Tables(
                asks="asks", sell_orders="sell-orders", bids="bids", standing_bids="standing-bids", tape="tape"
            ),
            fees=Fees(maker_bps=10, taker_bps=20),
            self_trade_prevention=SelfTradePrevention.CANCEL_TAKER,
            clock=clock,
            sleep=lambda _seconds: None,
            random=lambda: 0.5,
        )

    def later(self) -> int:
        """Return the operator's time."""
        return self.clock() + self.lateness_ms

    def budget_operator(self, budget_ms: int, client: DynamoDBClient | None = None) -> None:
        """Give the operator's requests so much time, with none each does one step; and a client, if not the usual."""
        self._handlers["operator"] = audit_api.build(
            AuditEnvironment.from_environ(VARIABLES),
            client or self.client,
            self.later,
            wait=lambda _seconds: None,
            budget_ms=budget_ms,
        )

    # What the market does

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        player: str = "alice",
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request."""
        event = request_event(method, path, body, player=player, query=query)
        answer = self._handlers[path.split("/")[1]](event, LambdaContext())
        return Reply(answer["statusCode"], json.loads(answer["body"]), {})

    def deposit(self, player: str, asset: str, amount: object) -> None:
        """Give a player something."""
        self._references += 1
        body = {"asset": asset, "amount": amount, "reference": f"gift-{self._references}"}
        assert self.send("POST", f"/accounts/{player}/deposits", body, player="service").status < 300

    def match(self) -> None:
        """Let the matcher handle whatever was stored or asked for since."""
        records = [
            {
                "kinesis": {
                    "sequenceNumber": f"{number:056d}",
                    "partitionKey": image["NewImage"]["material"]["S"],
                    "approximateArrivalTimestamp": self.clock() / 1000,
                    "data": base64.b64encode(json.dumps({"eventName": name, "dynamodb": image}).encode()).decode(),
                },
            }
            for number, (table, name, image) in enumerate(self.record())
            if is_for_the_matcher(table, name, image)
        ]
        if records:
            report = work_batch(records, self._matcher, self._parked)
            assert not report.failed
        self.record()

    def settle(self) -> None:
        """Let settlement catch up."""
        self._settling.now_ms = self.clock()
        self._settling.finish([commit for commit in self.commits() if commit.orders])
        self.record()

    def record(self) -> list[Change]:
        """Let the tables' streams arrive at the recorder; returns what they carry."""
        changes = self.changes()
        for table in RECORDED:
            arn = f"arn:aws:dynamodb:us-east-1:1:table/{table}/stream/1"
            records = [
                {"eventName": name, "eventSourceARN": arn, "dynamodb": image}
                for source, name, image in changes
                if source == table
            ]
            if records:
                assert self._recorder({"Records": records}, None) == {"batchItemFailures": []}
        return changes

    def changes(self) -> list[Change]:
        """Return what changed since the last call, as the streams of the tables with a history have it."""
        changes: list[Change] = []
        for table in RECORDED:
            names = [name for name, _ in KEYS[table]]
            now = {json.dumps([item[name] for name in names]): item for item in self.stored(table)}
            for place in sorted({*now, *self._seen[table]}):
                before, after = self._seen[table].get(place), now.get(place)
                item = after or before or {}
                if before == after or item[names[-1]]["S"].startswith("~"):
                    continue
                self._sequence += 1
                name = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
                images = {"OldImage": before, "NewImage": after}
                image = {
                    "ApproximateCreationDateTime": self.clock() // 1000,
                    "Keys": {key: item[key] for key in names},
                    "SequenceNumber": str(self._sequence),
                    **{side: as_json(found) for side, found in images.items() if found is not None},
                }
                changes.append((table, name, image))
            self._seen[table] = now
        return changes

    # What is there

    def stored(self, table: str) -> list[dict[str, Any]]:
        """Return a table's items as they are stored."""
        return [dict(item) for item in self.client.scan(TableName=table, ConsistentRead=True)["Items"]]

    def items(self, table: str) -> list[Item]:
        """Return a table's items as plain values."""
        return [decode_item(item) for item in self.stored(table)]

    def commits(self) -> list[TapeCommit]:
        """Return the tapes."""
        return [decode_commit(item) for item in self.items("tape")]

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Store an item past the market."""
        self.client.put_item(TableName=table, Item=encode_item(dict(item)))

    def delete(self, table: str, item: Mapping[str, Any]) -> None:
        """Delete an item past the market."""
        key = encode_item({name: item[name] for name, _ in KEYS[table]})
        self.client.delete_item(TableName=table, Key=key)

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Return everything stored."""
        return {table: self.stored(table) for table in KEYS}

    def restore(self, snapshot: Mapping[str, list[dict[str, Any]]]) -> None:
        """Make everything as it was; a recorder that starts anew knows no better."""
        for table, items in snapshot.items():
            now = self.stored(table)
            for item in now:
                if item not in items:
                    key: Any = {name: item[name] for name, _ in KEYS[table]}
                    self.client.delete_item(TableName=table, Key=key)
            for item in items:
                if item not in now:
                    self.client.put_item(TableName=table, Item=item)
        self.changes()
        self._recorder = importlib.reload(history_recorder).handler
        self._matcher.heads.clear()

    # What an operator sees

    def audit(self) -> list[Finding]:
        """Audit everything; returns kinds and subjects."""
        found: list[Finding] = []
        for part in self.parts():
            for page in self.pages(part):
                assert not page["undecided"], page
                found += [(finding["kind"], finding["subject"]) for finding in page["findings"]]
        return found

    def parts(self) -> list[dict[str, str]]:
        """Return the queries for all parts."""
        listed = {(part["part"], part["of"]) for page in self.pages({}) for part in page["parts"]}
        return [{"part": part, **({"of": of} if of else {})} for part, of in sorted(listed, key=str)]

    def pages(self, query: Mapping[str, str]) -> Generator[dict[str, Any]]:
        following: dict[str, str] = {}
        for _ in range(1000):
            reply = self.send("GET", "/operator/audit", player="operator", query={**query, **following})
            assert reply.status == 200, reply
            yield reply.body
            if reply.body["next"] is None:
                return
            following = {"next": reply.body["next"]}
        raise AssertionError("the part does not end")

    def _parked(self, record: Mapping[str, Any], reason: str) -> None:
        raise AssertionError((record, reason))


def is_for_the_matcher(table: str, name: str, image: Mapping[str, Any]) -> bool:
    """Tell whether the pipes take a change on to the matcher."""
    new = image.get("NewImage", {})
    if table == "asks":
        return name == "INSERT"
    if table in ("bids", "sell-orders"):
        arrives = name == "INSERT" and new.get("status") == {"S": "PENDING"}
        return arrives or (name == "MODIFY" and "request_id" in new)
    return False


def create_tables(client: DynamoDBClient) -> None:
    """Create the tables as the components do, as far as the functions here can tell."""
    for table, keys in KEYS.items():
        index = _INDEXES.get(table)
        names = dict([*keys, *(index[1:] if index else ())])
        more: Any = {}
        if index:
            schema = [
                {"AttributeName": index[1][0], "KeyType": "HASH"},
                {"AttributeName": index[2][0], "KeyType": "RANGE"},
            ]
            projection = {"ProjectionType": "KEYS_ONLY"}
            more = {"GlobalSecondaryIndexes": [{"IndexName": index[0], "KeySchema": schema, "Projection": projection}]}
        roles = ("HASH", "RANGE")
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=cast("Any", [{"AttributeName": n, "KeyType": r} for (n, _), r in zip(keys, roles, strict=False)]),
            AttributeDefinitions=cast("Any", [{"AttributeName": n, "AttributeType": t} for n, t in names.items()]),
            **more,
        )


@contextmanager
def opened() -> Generator[AuditedMarket]:
    """Open an empty market."""
    with mock_aws():
        found = AuditedMarket()
        create_tables(found.client)
        yield found
