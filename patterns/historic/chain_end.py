"""The end of an item's chain of versions in both tiers: what it is, and putting the next version behind it.

With an archive a version is put there first, under the same condition: the archive decides who has the number, and the
table only ever holds what the archive has. Whoever finds the number taken puts that version into the table, should its
recorder have died before it could.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from botocore.exceptions import BotoCoreError, ClientError

from patterns.dynamodb.inserts import insert_items
from patterns.historic.errors import MissingVersionError
from patterns.historic.tiers import Tiers, whole_span
from patterns.historic.version import (
    AT_MS,
    COLLECTION,
    EXPIRES_AT_S,
    FIRST_HASH,
    VERSION_KEY,
    Version,
    read_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patterns.each import Each
    from patterns.historic.archive import Retention
    from patterns.historic.attribution import Operation
    from patterns.historic.images import Image


@dataclass(frozen=True, slots=True)
class Head:
    """What the next version needs to know of the last one."""

    number: int
    position: str
    at_ms: int
    hash: bytes
    digest: bytes
    expires_at_s: int = 0


NOTHING = Head(0, "", 0, FIRST_HASH, b"")
"""In the place of the last version where there is none."""


def head_of(version: Version) -> Head:
    """Return what the next version needs to know of a version."""
    expires_at_s = int(version.stored[EXPIRES_AT_S]["N"]) if EXPIRES_AT_S in version.stored else 0
    return Head(
        version.number, version.position, version.at_ms, version.stored_hash, version.after_kept.digest, expires_at_s
    )


STORES_TROUBLE = (ClientError, BotoCoreError, MissingVersionError)
"""What the tiers raise; the records can be delivered again."""

Appended: TypeAlias = "Head | Exception | None"
"""The item's new head; ``None`` if the number was another's; or why nobody knows."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Reads and extends the chains of a history.

    Parameters
    ----------
    tiers
        Table and archive.
    retention
        How long the table keeps versions; ``None``: for ever.
    """

    tiers: Tiers
    retention: Retention | None

    def first_guess(self, operation: Operation, collection: str, item: str) -> Head:
        """Return the head, or nothing where that is likely: most inserted items are new, and the put finds others."""
        if operation != "INSERT":
            return self.read(collection, item)
        # What is put into the archive cannot be taken back: there, guess only what the table does not refute.
        hot = None if self.retention is None else self._hot_head(collection, item)
        return NOTHING if hot is None else self.read(collection, item)

    def read(self, collection: str, item: str) -> Head:
        """Return the head of an item; one that only the archive has is put into the table, if it is to stay there."""
        hot = self._hot_head(collection, item)
        head = NOTHING if hot is None else head_of(hot)
        if self.retention is None or self.tiers.is_last(hot):
            return head
        archive = self.retention.archive
        number = archive.newest_number(collection, item)
        newest = archive.read(collection, version_key(item, number)) if number > head.number else None
        if newest is None:
            return head
        self._keep(newest, head)
        return head_of(newest)

    def append(self, versions: Sequence[tuple[Image, Head]], each: Each = map) -> list[Appended]:
        """Put the next versions of several items.

        Parameters
        ----------
        versions
            Of each item one, with the head it was made for.
        each
            Makes the calls.
        """
        if self.retention is None:
            appended: list[Appended | Image] = [stored for stored, _ in versions]
        else:
            appended = list(each(self._archived, versions))
        rows = {place: outcome for place, outcome in enumerate(appended) if isinstance(outcome, dict)}
        outcomes = insert_items(self.tiers.client, self.tiers.table_name, list(rows.values()), each)
        for (place, row), outcome in zip(rows.items(), outcomes, strict=True):
            if isinstance(outcome, Exception):
                appended[place] = outcome
            else:
                appended[place] = head_of(read_version(row)) if outcome else None
        return cast("list[Appended]", appended)

    def _archived(self, version: tuple[Image, Head]) -> Appended | Image:
        """Put a version into the archive; return its row for the table, or what it has come to already."""
        assert self.retention is not None
        stored, head = version
        try:
            if self.retention.archive.put(stored):
                return self._expiring(stored, head)
            taken = self.retention.archive.read(stored[COLLECTION]["S"], stored[VERSION_KEY]["S"])
            kept = None if taken is None else self._keep(taken, head)
        except STORES_TROUBLE as error:
            return error
        # Its position tells this write, put by a recorder that got no further, from another one.
        return kept if kept is not None and kept.position == stored["position"]["S"] else None

    def put_recovered(self, stored: Image) -> bool:
        """Put a version that has no number of its own; whether its place in the table was free."""
        # It never expires: without a number of its own, nothing in the table would show that it is gone.
        if self.retention is not None:
            self.retention.archive.put(stored)
        return self._put(stored)

    def _keep(self, archived: Version, head: Head) -> Head | None:
        """Put an archived version into the table, unless it is there or would be gone at once."""
        expiring = self._expiring(archived.stored, head)
        expired = int(expiring[EXPIRES_AT_S]["N"]) * 1000 <= self.tiers.clock()
        return None if expired else self._put_next(expiring)

    def _put_next(self, stored: Image) -> Head | None:
        return head_of(read_version(stored)) if self._put(stored) else None

    def _expiring(self, stored: Image, head: Head) -> Image:
        assert self.retention is not None
        # Never before the version before it, also when the days were made fewer: the last row must be the last to go.
        expires_at_s = max(head.expires_at_s, self.retention.expires_at_s(int(stored[AT_MS]["N"])))
        return {**stored, EXPIRES_AT_S: {"N": str(expires_at_s)}}

    def _put(self, stored: Image) -> bool:
        """Whether the version's place was free."""
        (outcome,) = insert_items(self.tiers.client, self.tiers.table_name, [stored])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _hot_head(self, collection: str, item: str) -> Version | None:
        span = whole_span(item)
        return next(self.tiers.hot(collection, *span, forward=False, page=1, consistent=True), None)
