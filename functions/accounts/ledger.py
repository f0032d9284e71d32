"""Reading accounts, and turning their changes into actions of a transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.accounts.journal import (
    AFTER_ALL_ENTRIES,
    entry_put,
    read_entry,
)
from functions.accounts.lines import HASH_KEY, RANGE_KEY, REFERENCE_PREFIX, adjustment, line_key, read_account
from market.accounts.bookkeeping import MONEY, InsufficientError, MaterialLine, TooManyOpenOrdersError
from patterns.dynamodb.items import decode_item, encode_item
from patterns.dynamodb.refusals import cancellation_reasons
from patterns.optimistic_locking.table import VersionedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.accounts.journal import JournalEntry
    from market.accounts.bookkeeping import Account, AccountChange
    from patterns.dynamodb.items import Item


class Ledger:
    """All accounts and their journal.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    accounts_table, journal_table
        Names of the tables.
    """

    def __init__(self, client: DynamoDBClient, accounts_table: str, journal_table: str) -> None:
        self._client = client
        self._accounts_table = accounts_table
        self._journal_table = journal_table
        self._lines = VersionedTable(client, accounts_table, HASH_KEY, RANGE_KEY)

    def account(self, player: str) -> Account:
        """Return a player's account, an empty one if nothing has touched it. One strongly consistent query.

        Raises
        ------
        botocore.exceptions.ClientError
            Throttled, or refused for another reason.
        """
        return read_account(player, self._partition(player))

    def actions(
        self,
        changes: Sequence[AccountChange],
        entries: Iterable[JournalEntry],
        *,
        max_open_orders: int | None = None,
    ) -> list[TransactWriteItemTypeDef]:
        """Return the actions that write changes and their journal entries, all or nothing.

        Parameters
        ----------
        changes
            At most one to each line. None takes a number below zero: the transaction is cancelled instead.
        entries
            From `functions.accounts.journal.journal_entries`, for the same changes. A transaction whose entries are
            written already is cancelled.
        max_open_orders
            Orders of each side that may be open on a line after one was opened; None for any number.

        Returns
        -------
        list[TransactWriteItemTypeDef]
            First one action for each change that changes something, in order; then one for each entry. Each asks for
            its line as it is stored if its condition fails.
        """
        entries = tuple(entries)
        # The cause names the write on each line, too: a line's history says by it why the line changed.
        lines = replace(self._lines, new_write_id=lambda: entries[0].cause) if entries else self._lines
        return [
            *(
                lines.adjust_action(line_key(change.player, change.material), adjusted)
                for change in changes
                if (adjusted := adjustment(change, max_open_orders)) is not None
            ),
            *(entry_put(self._journal_table, entry) for entry in entries),
        ]

    def refusal(
        self, error: Exception, changes: Sequence[AccountChange], *, max_open_orders: int | None = None
    ) -> InsufficientError | TooManyOpenOrdersError | None:
        """Return what a line lacked for a transaction that was cancelled.

        Parameters
        ----------
        error
            What TransactWriteItems raised. The actions of `actions` came first in the transaction.
        changes, max_open_orders
            As for `actions`.

        Returns
        -------
        InsufficientError, TooManyOpenOrdersError or None
            None if no line was at fault. Of money, what is said to be available is that of one line only: the account
            may have more on others, so it is read again before anybody is told.
        """
        written = [change for change in changes if adjustment(change, max_open_orders) is not None]
        for change, reason in zip(written, cancellation_reasons(error), strict=False):
            if reason.get("Code") == "ConditionalCheckFailed":
                stored = reason.get("Item")
                account = read_account(change.player, [decode_item(stored)] if stored else [])
                return _shortage(account, change, max_open_orders)
        return None

    def is_written(self, entry: JournalEntry) -> bool:
        """Tell whether the journal has an entry of this key. One strongly consistent read."""
        answer = self._client.get_item(
            TableName=self._journal_table,
            Key=encode_item(entry.key),
            ProjectionExpression=HASH_KEY,
            ConsistentRead=True,
        )
        return "Item" in answer

    def newest_entries(self, player: str, before: str | None, limit: int) -> tuple[tuple[JournalEntry, ...], bool]:
        """Return a page of a player's journal, newest first, and whether older entries follow.

        Parameters
        ----------
        player
            Whose.
        before
            Only entries whose sort key is lower; None starts at the newest.
        limit
            Most entries to return, 1 or more.
        """
        answer = self._client.query(
            TableName=self._journal_table,
            KeyConditionExpression="player = :player AND entry_key < :before",
            ExpressionAttributeValues=encode_item({":player": player, ":before": before or AFTER_ALL_ENTRIES}),
            ScanIndexForward=False,
            Limit=limit + 1,  # one more tells whether there is a next page
            ConsistentRead=True,
        )
        entries = tuple(read_entry(decode_item(item)) for item in answer["Items"])
        return entries[:limit], len(entries) > limit

    def _partition(self, player: str) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            answer = self._client.query(
                TableName=self._accounts_table,
                KeyConditionExpression="player = :player AND #line < :references",
                ExpressionAttributeNames={"#line": RANGE_KEY},
                ExpressionAttributeValues=encode_item({":player": player, ":references": REFERENCE_PREFIX}),
                ConsistentRead=True,
                **start,
            )
            yield from map(decode_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _shortage(
    account: Account, change: AccountChange, max_open_orders: int | None
) -> InsufficientError | TooManyOpenOrdersError | None:
    line = account.lines.get(change.material or "", MaterialLine())
    for asset, amount, stored in (
        (MONEY, change.available_minor, account.wallet_minor),
        (MONEY, change.proceeds_minor, line.proceeds_minor),
        (change.material or MONEY, change.available, line.available),
    ):
        if stored + amount < 0:
            return InsufficientError(asset, -amount, stored)
    if max_open_orders is not None and change.material is not None:
        for opened, open_orders in ((change.opened_asks, line.open_asks), (change.opened_bids, line.open_bids)):
            if opened and len(opened) + len(open_orders) > max_open_orders:
                return TooManyOpenOrdersError(change.material, max_open_orders)
    return None
