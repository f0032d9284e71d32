"""The settling half of the market on moto: tables, streams delivered by hand, time, and faults to inject."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from functions.accounts.ledger import Ledger
from functions.accounts.lines import line_key, read_account
from functions.settling.gathering import is_complete
from functions.settling.notifications import notify_of_gathered
from functions.settling.settlement import SETTLEMENT_CODEC, Settlement
from functions.settling.steps import SettlementSteps
from functions.settling.submitting import submit_batch
from functions.settling.tape_reader import TapeReader
from market.tape import encode_commit
from patterns.aggregator import Aggregator, ByPredicate, complete_groups
from patterns.dynamodb.items import decode_item, encode_item
from patterns.processor import Processor, ProcessorSettings, Status
from patterns.processor.lambda_events import lambda_handler
from tests.faults import Crash, FaultyClient
from tests.settlement.tape_model import START_MS, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from market.accounts.bookkeeping import Account
    from market.tape import TapeCommit
    from patterns.dynamodb.items import Item
    from patterns.processor import TransactionStore

    Plan = Mapping[int, str | Callable[[], object]]

LEASE_MS = 90_000
"""Longer than any claim, rounding included."""

TABLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "tape": (("material", "S"), ("sequence", "N")),
    "accounts": (("player", "S"), ("line", "S")),
    "journal": (("player", "S"), ("entry_key", "S")),
    "settlements": (("transaction_id", "S"),),
    "groups": (("group_id", "S"), ("entry", "S")),
    "notifications": (("player", "S"), ("notification_key", "S")),
}
_INDEXES = {
    "settlements": ("due", ("due_shard", "S"), ("due_at_ms", "N")),
    "groups": ("pending", ("pending", "S"), ("pending_since_ms", "N")),
}


def create_tables(client: DynamoDBClient) -> None:
    """Create the tables as the components do."""
    for table, keys in TABLES.items():
        index = _INDEXES.get(table)
        names = dict([*keys, *(index[1:] if index else ())])
        more: Any = {}
        if index:
            schema = [
                {"AttributeName": index[1][0], "KeyType": "HASH"},
                {"AttributeName": index[2][0], "KeyType": "RANGE"},
            ]
            more["GlobalSecondaryIndexes"] = [
                {"IndexName": index[0], "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ]
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=cast(
                "Any",
                [
                    {"AttributeName": name, "KeyType": kind}
                    for (name, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            ),
            AttributeDefinitions=cast(
                "Any", [{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()]
            ),
            **more,
        )


def empty_tables(client: DynamoDBClient) -> DynamoDBClient:
    """Make all tables new and empty."""
    for table in client.list_tables()["TableNames"]:
        client.delete_table(TableName=table)
    create_tables(client)
    return client


class _Invocation:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass
class World:
    """Settles a tape's commits; every call to DynamoDB goes through one client that may fail by plan."""

    store: DynamoDBClient
    plan: Plan = field(default_factory=dict[int, "str | Callable[[], object]"])
    now_ms: int = START_MS + 1_000

    def __post_init__(self) -> None:
        self.client = FaultyClient(self.store, self.plan)

    # What is there before

    def place(self, tape: Tape) -> None:
        """Store the accounts as they are when all orders are placed."""
        lines: dict[tuple[str, str], Item] = {}
        for (player, material, amount), value in tape.placed.items():
            lines.setdefault((player, material), {})[amount] = value
        for (player, material), amounts in lines.items():
            ids = {
                name: frozenset(
                    bytes.fromhex(order.id.replace("-", ""))
                    for order in tape.orders
                    if (order.player, order.material, order.side) == (player, material, side)
                )
                for name, side in (("open_asks", "SELL"), ("open_bids", "BUY"))
            }
            sets: Item = {name: raw for name, raw in ids.items() if raw}
            item: Item = {**line_key(player, material), **amounts, **sets, "version": 1}
            self.store.put_item(TableName="accounts", Item=encode_item(item))

    def write(self, commits: Iterable[TapeCommit]) -> None:
        """Put commits on the tape."""
        for commit in commits:
            self.store.put_item(TableName="tape", Item=encode_item(cast("Item", encode_commit(commit))))

    # What runs

    @property
    def settlements(self) -> TransactionStore[Settlement]:
        return self._processor().store

    def submit(self, commits: Iterable[TapeCommit]) -> list[str]:
        """The tape's stream brings commits; returns what failed."""
        records = [
            {
                "eventName": "INSERT",
                "dynamodb": {
                    "Keys": {"material": {"S": commit.material}, "sequence": {"N": str(commit.sequence)}},
                    "SequenceNumber": f"{commit.material}-{commit.sequence}",
                },
            }
            for commit in commits
        ]
        return list(submit_batch(records, self.settlements).errors)

    def work(self) -> None:
        """The settlements' stream brings those that are woken."""
        woken = [item["transaction_id"]["S"] for item in self._scan("settlements") if "wake" in item]
        records = [{"dynamodb": {"Keys": {"transaction_id": {"S": i}}, "SequenceNumber": i}} for i in woken]
        self._handler()({"Records": records}, _Invocation())

    def sweep(self, later_ms: int = LEASE_MS) -> None:
        """The schedule calls, so much later."""
        self.now_ms += later_ms
        self._handler()({}, _Invocation())

    def notify(self) -> list[str]:
        """The groups' stream brings complete orders; returns what failed."""
        records: list[Any] = []
        for item in self._scan("groups"):
            if item["entry"]["S"] == "group" and item["state"]["S"] in ("COMPLETE", "FIRING"):
                keys = {"group_id": item["group_id"], "entry": item["entry"]}
                group_id = item["group_id"]["S"]
                image = {"state": {"S": "COMPLETE"}}
                change = {"Keys": keys, "NewImage": image, "SequenceNumber": group_id}
                records.append({"eventID": group_id, "dynamodb": change})
        answer = complete_groups({"Records": records}, self._orders(), notify_of_gathered("notifications"))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def finish(self, commits: Iterable[TapeCommit]) -> None:
        """Deliver everything, again after each crash, until all commits are settled and all players notified."""
        commits = list(commits)
        for _ in range(30):
            with suppress(Crash, ClientError):
                if self.submit(commits):
                    continue
                self.work()
                self.sweep()
                if self.notify():
                    continue
                if all(item["status"]["S"] == "COMPLETED" for item in self._scan("settlements")):
                    return
        raise AssertionError([decode_item(item) for item in self._scan("settlements")])

    def _processor(self) -> Processor[Settlement]:
        client = cast("DynamoDBClient", self.client)

        steps = SettlementSteps(
            tape=TapeReader(client, "tape"),
            ledger=Ledger(client, "accounts", "journal"),
            orders=self._orders(),
            notifications_table="notifications",
            spread=map,
        )
        settings = ProcessorSettings(table="settlements", shards=2)
        return Processor(
            client, settings, SETTLEMENT_CODEC, steps.steps(), clock=self._clock, sleep=self._sleep, random=lambda: 0.5
        )

    def _handler(self) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
        return lambda_handler(self._processor(), emit=lambda _line: None)

    def _orders(self) -> Aggregator:
        return Aggregator(
            client=cast("DynamoDBClient", self.client),
            table_name="groups",
            completion=ByPredicate(is_complete),
            clock=self._clock,
            sleep=self._sleep,
            random=lambda: 0.5,
        )

    def _clock(self) -> int:
        return self.now_ms

    def _sleep(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)

    # What came of it

    def lines(self) -> dict[tuple[str, str, str], int]:
        """(player, material, amount) to what the accounts say, without zeros."""
        return {
            (account.player, material, amount): value
            for account in self._accounts()
            for material, line in account.lines.items()
            for amount in ("available", "held", "held_minor", "proceeds_minor")
            if (value := getattr(line, amount))
        }

    def open_orders(self) -> set[str]:
        """Ids that the accounts call open."""
        lines = [line for account in self._accounts() for line in account.lines.values()]
        return {order_id for line in lines for order_id in (*line.open_asks, *line.open_bids)}

    def journal(self) -> list[Item]:
        return [decode_item(item) for item in self._scan("journal")]

    def notifications(self) -> list[Item]:
        return [decode_item(item) for item in self._scan("notifications")]

    def status(self, settlement_id: str) -> Status:
        return self.settlements.get(settlement_id).status

    def _accounts(self) -> list[Account]:
        items: dict[str, list[Item]] = {}
        for item in map(decode_item, self._scan("accounts")):
            items.setdefault(cast("str", item["player"]), []).append(item)
        return [read_account(player, stored) for player, stored in items.items()]

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items: list[Any] = []
        for page in self.store.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            items += page["Items"]
        return items
