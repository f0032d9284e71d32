"""Proofs that the histories of items are whole, as findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.api.contention import with_retries
from market.auditing.settlement import Finding, FindingKind
from patterns.dynamodb.items import encode_item
from patterns.historic.errors import UnknownItemError
from patterns.historic.history import History
from patterns.historic.proof import verify_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.audit.page import IsOver
    from functions.clock import Clock
    from patterns.historic.archive import Archive
    from patterns.historic.findings import Finding as Flaw
    from patterns.historic.images import Image
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

    def prove(
        self, keys: ItemKeys, table: str, key: Mapping[str, str], token: str | None, is_over: IsOver
    ) -> tuple[list[Finding], str | None]:
        """Prove one item's history, or some of it.

        Reads a page of at least 250 versions (see `verify_page`), then more until the time is over; at the end, up to
        `_LOOKS` times, a second apart, what has come through the stream since.

        Parameters
        ----------
        keys, table
            The item's source and its table.
        key
            The item's key.
        token
            Where an earlier call ended.
        is_over
            Whether the time is over.

        Returns
        -------
        tuple[list[Finding], str | None]
            What is wrong with the versions read, and where to go on; None if that was all.
        """
        history, encoded = self._history(keys), encode_item(dict(key))
        flaws: list[Flaw] = []
        item, looks = self._stored(table, encoded), 0
        while True:
            page = with_retries(lambda token=token, item=item: verify_page(history, encoded, token=token, current=item))
            token = page.token
            behind = [flaw for flaw in page.so_far.findings if flaw.problem == "behind"]
            flaws += [flaw for flaw in page.so_far.findings if flaw.problem != "behind"]
            if not page.is_last:
                if is_over():
                    return _findings(keys, key, flaws), token
                looks = 0
                continue
            if not behind or looks == _LOOKS:
                return _findings(keys, key, [*flaws, *behind]), None
            if looks:
                self.sleep(_BETWEEN_LOOKS_S)
            else:  # read behind the end of the history: an item that never stands still is in what follows
                item = self._stored(table, encoded)
            looks += 1

    def last_write_ms(self, keys: ItemKeys, key: Mapping[str, str]) -> int | None:
        """Return when an item was last written, epoch ms, to the second; None if its history does not say."""
        try:
            return with_retries(lambda: self._history(keys).latest(encode_item(dict(key))).at_ms)
        except UnknownItemError:
            return None

    def _stored(self, table: str, encoded: Image) -> Image | None:
        answer = with_retries(lambda: self.client.get_item(TableName=table, Key=encoded, ConsistentRead=True))
        return answer.get("Item")

    def _history(self, keys: ItemKeys) -> History:
        return History(self.client, self.history_table, keys, self.archive, self.clock)


def _findings(keys: ItemKeys, key: Mapping[str, str], flaws: Iterable[Flaw]) -> list[Finding]:
    subject = f"history of {keys.source} {' '.join(key.values())}"
    return [
        Finding(FindingKind(f"history_{flaw.problem}"), subject, "a whole history", f"{flaw.label}: {flaw.text}")
        for flaw in flaws
    ]
