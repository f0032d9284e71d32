"""A DynamoDB client under which transactions collide, which the emulator's do not: two of them, both under way, that
touch one item. DynamoDB then cancels the later one with the reason ``TransactionConflict``.
"""

from __future__ import annotations

import threading
from collections import Counter
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

TRANSACTION_S = 0.025
"""How long a transaction is under way, a cancelled one too: p50 of 5 items, alexdebrie/dynamodb-performance-testing."""

_Item = tuple[str, str]


class ContendedClient:
    """Passes calls on; may be shared by threads.

    Attributes
    ----------
    attempts, conflicts
        Transactions tried, and those cancelled for a collision, by the tables they touch.
    """

    def __init__(self, client: DynamoDBClient, keys: Mapping[str, Sequence[str]]) -> None:
        self._client = client
        self._keys = keys
        self._lock = threading.Lock()
        self._busy: set[_Item] = set()
        self.attempts: Counter[str] = Counter()
        self.conflicts: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        """Write a transaction, or be cancelled because one of its items is in another."""
        actions = [cast("Mapping[str, Any]", next(iter(action.values()))) for action in arguments["TransactItems"]]
        items = [self._item(action) for action in actions]
        tables = {table for table, _ in items}
        started = perf_counter()
        with self._lock:
            self.attempts.update(tables)
            colliding = [item in self._busy for item in items]
            if any(colliding):
                self.conflicts.update(tables)
            else:
                self._busy.update(items)
        if any(colliding):
            sleep(TRANSACTION_S)
            raise _cancelled(colliding)
        try:
            answer = self._client.transact_write_items(**arguments)
            sleep(max(0.0, TRANSACTION_S - (perf_counter() - started)))
            return answer
        finally:
            with self._lock:
                self._busy.difference_update(items)

    def _item(self, action: Mapping[str, Any]) -> _Item:
        table = str(action["TableName"])
        found = action["Key"] if "Key" in action else action["Item"]
        return table, str([found[name] for name in self._keys[table]])


def _cancelled(colliding: Sequence[bool]) -> ClientError:
    reasons = [{"Code": "TransactionConflict" if collides else "None"} for collides in colliding]
    error = {"Code": "TransactionCanceledException", "Message": "collided"}
    return ClientError(cast("Any", {"Error": error, "CancellationReasons": reasons}), "TransactWriteItems")
