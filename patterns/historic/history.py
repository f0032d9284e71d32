"""Questions to a history: versions of an item, as of a time, between two times, by whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.page_token import decode_page_token, encode_page_token
from patterns.historic.bounds import check_limit, check_time
from patterns.historic.by_actor import ActorChange, ActorPage, actor_page
from patterns.historic.errors import (
    BeforeFirstVersionError,
    InvalidTimeError,
    InvalidVersionError,
    MissingVersionError,
    UnknownItemError,
    UnknownVersionError,
)
from patterns.historic.standing import collection_at, last_until, latest_version, source_at
from patterns.historic.stretch import Stretch, read_stretch
from patterns.historic.tiers import Tiers, now_ms, whole_span
from patterns.historic.version import (
    COLLECTION,
    HIGHEST_NUMBER,
    VERSION_KEY,
    Kept,
    Version,
    read_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.historic.archive import Archive
    from patterns.historic.item_key import ItemKeys

_NOTHING_BEFORE = Kept(None)
_SPAN_PAGE = 100
"""Versions a query of a span reads at a time: most spans end sooner, and what is read beyond their end is paid for."""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions of an item, and the token of the next page; ``None`` if there is none."""

    versions: tuple[Version, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Reads the history of one source table.

    A write is in the history as soon as its record has come through the stream, usually within a second.
    Keys are plain items in DynamoDB's form, such as ``{"id": {"S": "a"}}``; times are epoch milliseconds.
    Every query raises `InvalidItemKeyError` for a key that is not of the source's shape.

    Parameters
    ----------
    client
        DynamoDB client. Calls made: Query; GetItem by `read`; Scan by `all_as_of`.
    table_name
        The history table.
    keys
        The source table's keys and its name in the history.
    archive
        Where the versions are that the table has let go; ``None`` if it lets none go. Answers are the same from both,
        but for `by_actor`, which knows what the table holds. Every query raises `MissingVersionError` if it needs a
        version that is in neither.
    clock
        Epoch ms, to tell what may have expired.
    """

    client: DynamoDBClient
    table_name: str
    keys: ItemKeys
    archive: Archive | None = None
    clock: Callable[[], int] = now_ms

    def versions(
        self, key: Mapping[str, Any], *, newest_first: bool = False, limit: int = 50, token: str | None = None
    ) -> VersionPage:
        """Return a page of an item's versions, each with the image before and after.

        Parameters
        ----------
        key
            The item's key.
        newest_first
            The order; of all pages of one listing the same.
        limit
            Most versions of the page, 1..1000.
        token
            `VersionPage.next` of the page before.

        Raises
        ------
        patterns.dynamodb.page_token.InvalidPageTokenError
            The token was altered or is of another item, order or query.
        InvalidVersionError
            The limit is out of range.
        """
        check_limit(limit)
        collection, item = self.keys.collection(key), self.keys.item(key)
        scope = ("historic.versions", self.table_name, collection, item, str(newest_first))
        position = decode_page_token(token, scope) if token is not None else None
        low, high = whole_span(item)
        if newest_first:
            # One more than asked for: it says what was before the last.
            rows = self._few(collection, low, position or high, limit + 2, forward=False)
            rows = [row for row in rows if row.stored[VERSION_KEY]["S"] != position][: limit + 1]
            found = list(reversed(_with_before(reversed(rows))))[:limit]
            more = len(rows) > limit
        else:
            # The last of the page before, again: it says what was before the first.
            rows = self._few(collection, position or low, high, limit + 2)
            found = _with_before(rows)
            if position is not None:
                found = found[1:]
            more = len(found) > limit
            found = found[:limit]
        last = found[-1].stored[VERSION_KEY]["S"] if more else None
        return VersionPage(tuple(found), None if last is None else encode_page_token(last, scope))

    def version(self, key: Mapping[str, Any], number: int) -> Version:
        """Return one version of an item, with the image before and after.

        Raises
        ------
        InvalidVersionError
            The number is not a whole number from 1.
        UnknownVersionError
            There is none of this number; `MissingVersionError` if there are later ones.
        """
        if type(number) is not int or not 1 <= number <= HIGHEST_NUMBER:
            raise InvalidVersionError(f"version must be a whole number from 1 to {HIGHEST_NUMBER}, got {number!r}")
        collection, item = self.keys.collection(key), self.keys.item(key)
        low, high = version_key(item, number - 1), version_key(item, number)
        for version in _with_before(self._tiers.versions(collection, low, high)):
            if version.number == number:
                return version
        latest = latest_version(self._tiers, collection, item) if self.archive is not None else None
        if latest is not None and number < latest.number:
            raise MissingVersionError(f"version {number} of {collection} {item} is in neither tier")
        raise UnknownVersionError(f"{collection} {item} has no version {number}")

    def latest(self, key: Mapping[str, Any]) -> Version:
        """Return the last version of an item.

        Raises
        ------
        UnknownItemError
            The history holds none.
        """
        collection, item = self.keys.collection(key), self.keys.item(key)
        found = latest_version(self._tiers, collection, item)
        if found is None:
            raise UnknownItemError(f"the history holds no version of {collection} {item}")
        return found

    def as_of(self, key: Mapping[str, Any], at_ms: int) -> Version:
        """Return the version an item had at a time; of several at that very millisecond, the last.

        Times only grow from version to version, so this searches by halves down to the last 16: with *n* versions at
        most log2(*n*) - 2 queries, of one item each but the last; one query, if nothing happened since.

        Raises
        ------
        InvalidTimeError
            Not a whole number of milliseconds from 0.
        UnknownItemError
            The history holds no version of the item.
        BeforeFirstVersionError
            The time lies before the first one.
        """
        check_time("at_ms", at_ms)
        latest = self.latest(key)
        if latest.at_ms <= at_ms:
            return latest
        found = last_until(self._tiers, latest, at_ms)
        if found is None:
            raise BeforeFirstVersionError(
                f"{latest.collection} {latest.item} has no version at {at_ms} ms: its first one is later"
            )
        return found

    def between(self, key: Mapping[str, Any], from_ms: int, to_ms: int) -> tuple[Version, ...]:
        """Return the versions written from `from_ms` on and before `to_ms`, in order, with images before and after.

        Raises
        ------
        InvalidTimeError
            A time is no whole number of milliseconds from 0, or the span ends before it starts.
        UnknownItemError
            The history holds no version of the item.
        """
        check_time("from_ms", from_ms)
        check_time("to_ms", to_ms)
        if to_ms < from_ms:
            raise InvalidTimeError(f"to_ms must not be before from_ms, got {from_ms} to {to_ms}")
        latest = self.latest(key)
        if latest.at_ms < from_ms:
            return ()
        earlier = last_until(self._tiers, latest, from_ms - 1)
        low, high = whole_span(latest.item)
        start = low if earlier is None else earlier.stored[VERSION_KEY]["S"]
        found: list[Version] = []
        rows = self._tiers.versions(latest.collection, start, high, page=_SPAN_PAGE)
        for version in _each_with_before(rows):
            if version.at_ms >= to_ms:
                break
            found.append(version)
        return tuple(found if earlier is None else found[1:])

    def collection_as_of(self, hash_value: Mapping[str, Any], at_ms: int) -> Iterator[Version]:
        """Yield what each item with a hash key value was at a time; items that did not exist then are left out.

        Reads the collection's whole history in the table, a page at a time; with an archive, also what `as_of` reads
        for each item.

        Parameters
        ----------
        hash_value
            In DynamoDB's form, such as ``{"S": "ann"}``.
        at_ms
            The time.
        """
        check_time("at_ms", at_ms)
        return collection_at(self._tiers, self.keys.collection_of(hash_value), at_ms)

    def all_as_of(self, at_ms: int) -> Iterator[Version]:
        """Yield what each item of the source table was at a time.

        Scans the history, a page at a time; with an archive, also what `as_of` reads for each item.
        """
        check_time("at_ms", at_ms)
        return source_at(self._tiers, self.keys, at_ms)

    def by_actor(self, actor: str, *, limit: int = 50, token: str | None = None) -> ActorPage:
        """Return a page of what an actor wrote, newest first, to any source of the history table.

        The index follows the table within a second or so, and forgets what the table lets go.

        Raises
        ------
        patterns.dynamodb.page_token.InvalidPageTokenError
            The token was altered or is of another query.
        InvalidActorError
            Not a text of 1 to 500 characters, as much of an actor as a version keeps.
        InvalidVersionError
            The limit is out of range.
        """
        return actor_page(self.client, self.table_name, actor, limit, token)

    def read(self, change: ActorChange) -> Version:
        """Return the version of an actor's change.

        Raises
        ------
        UnknownVersionError
            It is gone.
        """
        place = {COLLECTION: {"S": change.collection}, VERSION_KEY: {"S": change.version_key}}
        answer = self.client.get_item(TableName=self.table_name, Key=place)
        if "Item" in answer:
            return read_version(answer["Item"])
        found = None if self.archive is None else self.archive.read(change.collection, change.version_key)
        if found is None:
            raise UnknownVersionError(f"{change.collection} has no version {change.version_key}")
        return found

    def stretch(self, key: Mapping[str, Any], after: str, limit: int) -> Stretch:
        """Return the next versions of an item as stored, strongly consistent: what `verify` reads."""
        return read_stretch(self._tiers, self.keys.collection(key), after, limit)

    def _few(self, collection: str, low: str, high: str, count: int, *, forward: bool = True) -> list[Version]:
        """The first so many: what a query reads is paid for, used or not."""
        return list(islice(self._tiers.versions(collection, low, high, forward=forward, page=count), count))

    @property
    def _tiers(self) -> Tiers:
        return Tiers(self.client, self.table_name, self.archive, self.clock)


def _with_before(versions: Iterable[Version]) -> list[Version]:
    return list(_each_with_before(versions))


def _each_with_before(versions: Iterable[Version]) -> Iterator[Version]:
    """Versions in order, each with what the one before left."""
    last: Version | None = None
    for version in versions:
        before = version.before_kept
        if before is None and last is not None:
            before = last.after_kept
        elif before is None and version.number == 1:
            before = _NOTHING_BEFORE
        yield replace(version, before_kept=before)
        last = version
