"""Proofs that the histories of items are whole, as findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.api.contention import with_retries
from market.auditing.settlement import Finding, FindingKind
from patterns.dynamodb.items import encode_item
from patterns.historic.errors import UnknownItemError
from patterns.historic.history import History
from patterns.historic.proof import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock
    from patterns.historic.archive import Archive
    from patterns.historic.item_key import ItemKeys

_LOOKS = 4
"""A write is in the history as soon as its record has come through the stream: what is behind is looked at again."""
_BETWEEN_LOOKS_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """Verifies items against their histories.

    Parameters
    ----------
    client, history_table, archive
        Where the histories are.
    clock
        Epoch ms.
    sleep
        Sleeps for so many seconds.
    """

    client: DynamoDBClient
    history_table: str
    archive: Archive | None
    clock: Clock
    sleep: Callable[[float], object]

    def findings(self, keys: ItemKeys, table: str, key: Mapping[str, str]) -> list[Finding]:
        """Return what is wrong with one item's history. Reads all of it.

        Parameters
        ----------
        keys, table
            The item's source and its table.
        key
            The item's key.
        """
        history = self._history(keys)
        encoded = encode_item(dict(key))
        look = 1
        while True:
            answer = with_retries(lambda: self.client.get_item(TableName=table, Key=encoded, ConsistentRead=True))
            proof = with_retries(lambda answer=answer: verify(history, encoded, current=answer.get("Item")))
            if look == _LOOKS or {finding.problem for finding in proof.findings} != {"behind"}:
                break
            self.sleep(_BETWEEN_LOOKS_S)
            look += 1
        subject = f"history of {keys.source} {' '.join(key.values())}"
        return [
            Finding(FindingKind(f"history_{found.problem}"), subject, "a whole history", f"{found.label}: {found.text}")
            for found in proof.findings
        ]

    def last_write_ms(self, keys: ItemKeys, key: Mapping[str, str]) -> int | None:
        """Return when an item was last written, epoch ms, to the second; None if its history does not say."""
        try:
            return with_retries(lambda: self._history(keys).latest(encode_item(dict(key))).at_ms)
        except UnknownItemError:
            return None

    def _history(self, keys: ItemKeys) -> History:
        return History(self.client, self.history_table, keys, self.archive, self.clock)
