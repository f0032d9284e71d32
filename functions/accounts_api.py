"""Lambda handler of accounts: a player looks at their own; the game's service deposits and withdraws."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.accounts.account_json import account_json, amount_json, entry_json
from functions.accounts.journal import ENTRY_KEY_PATTERN
from functions.accounts.ledger import Ledger
from functions.accounts.transfers import Transfers
from functions.api.contention import with_retries
from functions.api.http_api import Answer, HttpApi
from functions.api.json_body import read_json_object
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.problems import insufficient
from functions.api.timestamps import iso_utc
from functions.clock import now_ms
from functions.environment import AccountsEnvironment
from functions.observability import build_logger
from market.accounts.bookkeeping import InsufficientError
from market.errors import InvalidFieldError, Rule
from market.requests.transfers import PLAYER_PATTERN, TransferKind, read_transfer
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock


def build(environment: AccountsEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of tables and materials.
    client
        Low-level DynamoDB client.
    clock
        Times deposits and withdrawals.
    """
    ledger = Ledger(client, environment.accounts_table, environment.journal_table)
    transfers = Transfers(client, environment.accounts_table, ledger)
    digits = environment.currency_digits

    def account(request: Request) -> Answer:
        return Answer(200, account_json(with_retries(lambda: ledger.account(request.player)), digits))

    def journal(request: Request) -> Answer:
        scope = ("journal", request.player)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        before = read_position(request.query, scope, ENTRY_KEY_PATTERN)
        entries, more = with_retries(lambda: ledger.newest_entries(request.player, before, limit))
        return Answer(
            200,
            {
                "entries": [entry_json(entry, digits) for entry in entries],
                "next": encode_page_token(entries[-1].entry_key, scope) if more else None,
            },
        )

    def transfer(kind: TransferKind) -> Callable[..., Answer]:
        def route(request: Request, player: str) -> Answer:
            if not PLAYER_PATTERN.fullmatch(player):
                raise InvalidFieldError("player", player, Rule.PATTERN, "1 to 255 visible ASCII characters")
            wanted = read_transfer(read_json_object(request), environment.materials, digits)
            amount = amount_json(wanted.asset, wanted.amount, digits)
            try:
                made_at_ms = transfers.make(kind, player, wanted, clock())
            except InsufficientError as error:
                raise insufficient(error, "amount", str(amount), digits) from error
            body = {
                "player": player,
                "asset": wanted.asset,
                "amount": amount,
                "reference": wanted.reference,
                "at": iso_utc(made_at_ms),
            }
            return Answer(200, body, log={"account": player, "reference": wanted.reference})

        return route

    routes = {
        ("GET", "/account"): account,
        ("GET", "/account/journal"): journal,
        ("POST", "/accounts/<player>/deposits"): transfer(TransferKind.DEPOSIT),
        ("POST", "/accounts/<player>/withdrawals"): transfer(TransferKind.WITHDRAWAL),
    }
    return HttpApi(routes, build_logger(environment), clock)


handler = build(AccountsEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
