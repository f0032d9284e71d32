"""Deposits and withdrawals: made once for each reference, however often they are asked for.

A reference is claimed by an item in the account's partition (sort key ``~{kind}#{reference}``) that is written in the
transfer's own transaction under the condition that it does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

from functions.accounts.journal import journal_entries, transfer_cause
from functions.accounts.lines import HASH_KEY, RANGE_KEY, REFERENCE_PREFIX
from functions.api.contention import with_retries
from functions.api.problems import conflicting_field, unavailable
from market.accounts.bookkeeping import InsufficientError
from market.accounts.changes import deposit, withdrawal
from market.errors import InvalidFieldError, Rule
from market.requests.transfers import TransferKind
from patterns.dynamodb.items import decode_item, encode_item, read_int
from patterns.dynamodb.refusals import cancellation_reasons

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.accounts.ledger import Ledger
    from market.accounts.bookkeeping import Slice
    from market.requests.transfers import Transfer
    from patterns.dynamodb.items import Item

_ATTEMPTS = 5
"""Times a withdrawal looks again because the account was used meanwhile."""


class Transfers:
    """Makes deposits and withdrawals.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    accounts_table
        Name of the table.
    ledger
        Accounts of the same table.
    """

    def __init__(self, client: DynamoDBClient, accounts_table: str, ledger: Ledger) -> None:
        self._client = client
        self._accounts_table = accounts_table
        self._ledger = ledger

    def make(self, kind: TransferKind, player: str, transfer: Transfer, at_ms: int) -> int:
        """Make a transfer, unless it has been made.

        Parameters
        ----------
        kind, player, transfer
            What to move, which way.
        at_ms
            Epoch milliseconds.

        Returns
        -------
        int
            When it was made: `at_ms`, or an earlier time.

        Raises
        ------
        InsufficientError
            More is to be withdrawn than is available.
        Problem
            409, the reference stands for another transfer; 503, the account is too busy, or no answer says that the
            write got through.
        """
        for _ in range(_ATTEMPTS):
            try:
                changes = self._changes(kind, player, transfer)
            except InsufficientError:
                # What is missing may be what this very transfer has taken.
                made_at_ms = self._made(self._claim(kind, player, transfer), transfer)
                if made_at_ms is None:
                    raise
                return made_at_ms
            try:
                self._write(changes, kind, player, transfer, at_ms)
            except ClientError as error:
                *lines, claim = [reason.get("Code") for reason in cancellation_reasons(error)] or [None]
                if claim == "ConditionalCheckFailed":
                    stored = cancellation_reasons(error)[-1].get("Item", {})
                    made_at_ms = self._made(decode_item(stored), transfer)
                    if made_at_ms is not None:
                        return made_at_ms
                if "ConditionalCheckFailed" not in lines:
                    raise
            else:
                return at_ms
        raise unavailable()

    def _changes(self, kind: TransferKind, player: str, transfer: Transfer) -> Slice:
        if kind is TransferKind.DEPOSIT:
            return deposit(player, transfer.asset, transfer.amount)
        account = with_retries(lambda: self._ledger.account(player))
        return withdrawal(account, transfer.asset, transfer.amount)

    def _write(self, changes: Slice, kind: TransferKind, player: str, transfer: Transfer, at_ms: int) -> None:
        entries = journal_entries(changes, transfer_cause(kind, transfer.reference), at_ms)
        claim: Item = {**_claim_key(kind, player, transfer), "fingerprint": transfer.fingerprint(), "at_ms": at_ms}
        actions = self._ledger.actions(changes, entries)
        actions.append(
            {
                "Put": {
                    "TableName": self._accounts_table,
                    "Item": encode_item(claim),
                    "ConditionExpression": "attribute_not_exists(#line)",
                    "ExpressionAttributeNames": {"#line": RANGE_KEY},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
        )
        token = str(uuid4())
        with_retries(lambda: self._client.transact_write_items(TransactItems=actions, ClientRequestToken=token))

    def _claim(self, kind: TransferKind, player: str, transfer: Transfer) -> Item:
        key = encode_item(_claim_key(kind, player, transfer))
        answer = with_retries(
            lambda: self._client.get_item(TableName=self._accounts_table, Key=key, ConsistentRead=True)
        )
        return decode_item(answer.get("Item", {}))

    def _made(self, claim: Item, transfer: Transfer) -> int | None:
        """Return when the transfer was made that holds a claim; None if none does."""
        if not claim:
            return None
        if claim["fingerprint"] != transfer.fingerprint():
            reused = InvalidFieldError(
                "reference", transfer.reference, Rule.UNREPEATED_REFERENCE, "new for a different transfer"
            )
            raise conflicting_field(reused)
        return read_int(claim, "at_ms")


def _claim_key(kind: TransferKind, player: str, transfer: Transfer) -> dict[str, str]:
    return {HASH_KEY: player, RANGE_KEY: f"{REFERENCE_PREFIX}{kind}#{transfer.reference}"}
