"""Questions to a history: versions of an item, as of a time, between two times, by whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.page_token import decode_page_token, encode_page_token
from patterns.historic.errors import (
    BeforeFirstVersionError,
    InvalidTimeError,
    InvalidVersionError,
    MissingVersionError,
    UnknownItemError,
    UnknownVersionError,
)
from patterns.historic.tiers import Tiers, now_ms, whole_span
from patterns.historic.version import (
    ACTOR,
    ACTOR_INDEX,
    AT_MS,
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

HIGHEST_LIMIT = 1000
_ONE_READ = 16  # versions
_NOTHING_BEFORE = Kept(None)


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions of an item, and the token of the next page; ``None`` if there is none."""

    versions: tuple[Version, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ActorChange:
    """That an actor wrote an item at a time; `History.read` returns the version itself."""

    actor: str
    at_ms: int
    collection: str
    version_key: str


@dataclass(frozen=True, slots=True)
class ActorPage:
    """Some changes of an actor, newest first, and the token of the next page."""

    changes: tuple[ActorChange, ...]
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
        _check_limit(limit)
        collection, item = self.keys.collection(key), self.keys.item(key)
        scope = ("historic.versions", self.table_name, collection, item, str(newest_first))
        position = decode_page_token(token, scope) if token is not None else None
        low, high = whole_span(item)
        if newest_first:
            # One more than asked for: it says what was before the last.
            rows = list(islice(self._rows(collection, low, position or high, forward=False), limit + 2))
            rows = [row for row in rows if row.stored[VERSION_KEY]["S"] != position][: limit + 1]
            found = list(reversed(_with_before(reversed(rows))))[:limit]
            more = len(rows) > limit
        else:
            # The last of the page before, again: it says what was before the first.
            rows = list(islice(self._rows(collection, position or low, high), limit + 2))
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
        for version in _with_before(self._rows(collection, low, high)):
            if version.number == number:
                return version
        latest = self._latest(collection, item) if self.archive is not None else None
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
        found = self._latest(collection, item)
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
        _check_time("at_ms", at_ms)
        latest = self.latest(key)
        if latest.at_ms <= at_ms:
            return latest
        found = self._last_until(latest, at_ms)
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
        _check_time("from_ms", from_ms)
        _check_time("to_ms", to_ms)
        if to_ms < from_ms:
            raise InvalidTimeError(f"to_ms must not be before from_ms, got {from_ms} to {to_ms}")
        latest = self.latest(key)
        if latest.at_ms < from_ms:
            return ()
        earlier = self._last_until(latest, from_ms - 1)
        low, high = whole_span(latest.item)
        start = low if earlier is None else earlier.stored[VERSION_KEY]["S"]
        found: list[Version] = []
        for version in _each_with_before(self._rows(latest.collection, start, high)):
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
        _check_time("at_ms", at_ms)
        collection = self.keys.collection_of(hash_value)
        rows = self._tiers.hot(collection, "", "\U0010ffff")
        if self.archive is None:
            return _standing_at(at_ms, rows)
        items = {version.item for version in rows} | set(self.archive.items(collection))
        return self._standing(at_ms, {(collection, item) for item in items})

    def all_as_of(self, at_ms: int) -> Iterator[Version]:
        """Yield what each item of the source table was at a time.

        Scans the history, a page at a time; with an archive, also what `as_of` reads for each item.
        """
        _check_time("at_ms", at_ms)
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.table_name,
            FilterExpression="#source = :source AND #at <= :at",
            ExpressionAttributeNames={"#source": "source", "#at": AT_MS},
            ExpressionAttributeValues={":source": {"S": self.keys.source}, ":at": {"N": str(at_ms)}},
        )
        rows = (read_version(stored) for page in pages for stored in page["Items"])
        if self.archive is None:
            # A scan goes through one partition after the other, and through each in order.
            return _standing_at(at_ms, rows)
        places = {(version.collection, version.item) for version in rows}
        for collection in self.archive.collections(self.keys.collection_source):
            places |= {(collection, item) for item in self.archive.items(collection)}
        return self._standing(at_ms, places)

    def by_actor(self, actor: str, *, limit: int = 50, token: str | None = None) -> ActorPage:
        """Return a page of what an actor wrote, newest first, to any source of the history table.

        The index follows the table within a second or so, and forgets what the table lets go.

        Raises
        ------
        patterns.dynamodb.page_token.InvalidPageTokenError
            The token was altered or is of another query.
        InvalidVersionError
            The limit is out of range.
        """
        _check_limit(limit)
        scope = ("historic.by_actor", self.table_name, actor)
        start: dict[str, Any] = {}
        if token is not None:
            at_ms, length, keys = decode_page_token(token, scope).split("/", 2)
            collection, place = keys[: int(length)], keys[int(length) :]
            start = {"ExclusiveStartKey": _index_key(ActorChange(actor, int(at_ms), collection, place))}
        answer = self.client.query(
            TableName=self.table_name,
            IndexName=ACTOR_INDEX,
            KeyConditionExpression="#actor = :actor",
            ExpressionAttributeNames={"#actor": ACTOR},
            ExpressionAttributeValues={":actor": {"S": actor}},
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        rows: list[dict[str, Any]] = list(answer["Items"])
        changes = tuple(
            ActorChange(actor, int(row[AT_MS]["N"]), row[COLLECTION]["S"], row[VERSION_KEY]["S"]) for row in rows
        )
        following = None
        if "LastEvaluatedKey" in answer and changes:
            last = changes[-1]
            position = f"{last.at_ms}/{len(last.collection)}/{last.collection}{last.version_key}"
            following = encode_page_token(position, scope)
        return ActorPage(changes, following)

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

    def all_versions(self, key: Mapping[str, Any]) -> Iterator[Version]:
        """Yield every version of an item in order, strongly consistent and as stored; what `verify` reads."""
        return self._tiers.every_version(self.keys.collection(key), self.keys.item(key))

    def archived(self, key: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the ``version_key`` of each version of an item in the archive; ``None`` without one."""
        if self.archive is None:
            return None
        return frozenset(self.archive.places(self.keys.collection(key), self.keys.item(key)))

    def _latest(self, collection: str, item: str) -> Version | None:
        return next(self._rows(collection, *whole_span(item), forward=False, page=1), None)

    def _standing(self, at_ms: int, places: Iterable[tuple[str, str]]) -> Iterator[Version]:
        for collection, item in sorted(places):
            latest = self._latest(collection, item)
            if latest is not None and latest.at_ms > at_ms:
                latest = self._last_until(latest, at_ms)
            if latest is not None and latest.exists:
                yield latest

    def _last_until(self, latest: Version, at_ms: int) -> Version | None:
        collection, item = latest.collection, latest.item
        # Always: version `low` is not later than at_ms (or there is none), version `high` is.
        low, high = 0, latest.number
        while high - low > _ONE_READ:
            middle = (low + high) // 2
            place = version_key(item, middle)
            for version in self._rows(collection, place, place, page=1):
                low, high = (middle, high) if version.at_ms <= at_ms else (low, middle)
                break
            else:  # deleted by somebody: verify says so; here, look at all that is left
                low = 0
                break
        # The rest at once: calls take longer than reading so few, and what was recovered has no number of its own.
        span = version_key(item, low), version_key(item, high)
        for version in self._rows(collection, *span, forward=False, page=_ONE_READ + 1):
            if version.at_ms <= at_ms:
                return version
        return None

    def _rows(
        self, collection: str, low: str, high: str, *, forward: bool = True, page: int | None = None
    ) -> Iterator[Version]:
        return self._tiers.versions(collection, low, high, forward=forward, page=page)

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


def _standing_at(at_ms: int, versions: Iterable[Version]) -> Iterator[Version]:
    standing: Version | None = None
    for version in versions:
        if standing is not None and (standing.collection, standing.item) != (version.collection, version.item):
            if standing.exists:
                yield standing
            standing = None
        if version.at_ms <= at_ms:
            standing = version
    if standing is not None and standing.exists:
        yield standing


def _index_key(change: ActorChange) -> dict[str, Any]:
    return {
        ACTOR: {"S": change.actor},
        AT_MS: {"N": str(change.at_ms)},
        COLLECTION: {"S": change.collection},
        VERSION_KEY: {"S": change.version_key},
    }


def _check_limit(limit: int) -> None:
    if type(limit) is not int or not 1 <= limit <= HIGHEST_LIMIT:
        raise InvalidVersionError(f"limit must be a whole number from 1 to {HIGHEST_LIMIT}, got {limit!r}")


def _check_time(name: str, at_ms: int) -> None:
    if type(at_ms) is not int or at_ms < 0:
        raise InvalidTimeError(f"{name} must be a whole number of epoch milliseconds from 0, got {at_ms!r}")
