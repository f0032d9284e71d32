"""The accounts API as its callers see it, and the ledger under it, over tables by moto."""

from __future__ import annotations

import copy
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions import accounts_api
from functions.accounts.journal import journal_entries
from functions.accounts.ledger import Ledger
from functions.environment import AccountsEnvironment
from market.accounts.bookkeeping import MONEY, Book
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item
from tests.accounts.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from market.accounts.bookkeeping import AccountChange
    from patterns.dynamodb.items import Item

_EVENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "api" / "events" / "http_api_v2.json").read_text("utf-8")
)
_KEYS = {"accounts": ("player", "line"), "journal": ("player", "entry_key")}


@dataclass(frozen=True)
class Reply:
    """An answer as the client sees it."""

    status: int
    body: dict[str, Any]

    @property
    def error(self) -> tuple[str, str | None, str | None]:
        """Code, field and rule of an error."""
        error = self.body["error"]
        return error["code"], error["field"], error["rule"]


class Bank:
    """The handler, and what is behind it."""

    def __init__(self, client: Any = None) -> None:
        self.now_ms = 1_795_248_000_000
        self.client = dynamodb_client()
        self.ledger = Ledger(self.client, "accounts", "journal")
        environment = AccountsEnvironment.from_environ(VARIABLES)
        self._handler = accounts_api.build(environment, client or self.client, self._clock)

    def _clock(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def troubled(self, client: Any) -> Bank:
        """Return the same bank, its handler on another client."""
        bank = Bank(client)
        bank.now_ms = self.now_ms
        return bank

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        player: str = "ann",
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request; a body that is not text yet is sent as JSON."""
        event = copy.deepcopy(_EVENT)
        context = event["requestContext"]
        context["http"].update(method=method, path=path)
        context["routeKey"] = event["routeKey"] = f"{method} {path}"
        event["rawPath"] = path
        context["authorizer"]["jwt"]["claims"]["sub"] = player
        if query:
            event["queryStringParameters"] = dict(query)
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        answer = self._handler(event, LambdaContext())
        return Reply(answer["statusCode"], json.loads(answer["body"]))

    def transfer(self, collection: str, asset: str, amount: object, reference: str, *, player: str = "ann") -> Reply:
        """Deposit (``deposits``) or withdraw (``withdrawals``)."""
        body = {"asset": asset, "amount": amount, "reference": reference}
        return self.send("POST", f"/accounts/{player}/{collection}", body, player="the-game")

    def apply(self, changes: Sequence[AccountChange], cause: str, **options: Any) -> None:
        """Write changes with their journal entries in one transaction."""
        entries = journal_entries(changes, cause, self._clock())
        self.client.transact_write_items(TransactItems=self.ledger.actions(changes, entries, **options))

    def stored(self) -> dict[str, list[Item]]:
        """Return what is in each table."""
        return {
            table: [decode_item(item) for item in self.client.scan(TableName=table, ConsistentRead=True)["Items"]]
            for table in _KEYS
        }

    def require_sound(self, *players: str) -> None:
        """Check that each player's journal sums up to the account, and every entry to zero."""
        for player in players:
            books: Counter[tuple[Book, str]] = Counter()
            entries, more = self.ledger.newest_entries(player, None, 1000)
            assert not more
            for entry in entries:
                sums: Counter[str] = Counter()
                for posting in entry.postings:
                    sums[posting.asset] += posting.amount
                    books[posting.account, posting.asset] += posting.amount
                assert not any(sums.values()), entry
            account = self.ledger.account(player)
            assert books[Book.AVAILABLE, MONEY] == account.available_minor
            assert books[Book.HELD, MONEY] == account.held_minor
            for material, line in account.lines.items():
                assert books[Book.AVAILABLE, material] == line.available
                assert books[Book.HELD, material] == line.held
            numbers = [value for item in self.stored()["accounts"] for value in item.values() if type(value) is int]
            assert min(numbers, default=0) >= 0


@contextmanager
def opened() -> Generator[Bank]:
    """Open a bank without accounts."""
    with mock_aws():
        bank = Bank()
        for table, (hash_key, range_key) in _KEYS.items():
            bank.client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in (hash_key, range_key)],
            )
        yield bank
