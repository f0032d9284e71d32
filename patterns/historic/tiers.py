"""An item's versions in order, wherever they are: those of the last days in the table, all of them in the archive.

Numbers have no hole, so a hole among the table's rows is what has expired, and is filled from the archive, number by
number. A recovered version has no number of its own, and never expires. What the numbers cannot tell is whether the
table's last row is the item's last version: it is if it has not expired, because later ones expire later. DynamoDB
deletes expired rows in no order and up to days late, and none of this depends on when.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time_ns
from typing import TYPE_CHECKING, Any

from patterns.historic.errors import MissingVersionError
from patterns.historic.version import (
    COLLECTION,
    EXPIRES_AT_S,
    HIGHEST_NUMBER,
    VERSION_KEY,
    Version,
    place_of,
    read_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.historic.archive import Archive

AFTER_RECOVERED = "~"
"""In the place of a position: sorts behind every position."""
_CLOCKS_DIFFER_MS = 3_600_000  # at most, between the reader's and DynamoDB's


def now_ms() -> int:
    """Return the time of the system's clock, epoch ms."""
    return time_ns() // 1_000_000


def whole_span(item: str) -> tuple[str, str]:
    """Return range keys before and behind all versions of an item."""
    return version_key(item, 0), version_key(item, HIGHEST_NUMBER, AFTER_RECOVERED)


@dataclass(frozen=True, slots=True)
class Tiers:
    """The history table and, if there is one, its archive.

    Parameters
    ----------
    client, table_name
        The history table. Calls made: Query.
    archive
        ``None`` if all versions stay in the table.
    clock
        Epoch ms.
    """

    client: DynamoDBClient
    table_name: str
    archive: Archive | None = None
    clock: Callable[[], int] = now_ms

    def versions(
        self,
        collection: str,
        low: str,
        high: str,
        *,
        forward: bool = True,
        page: int | None = None,
        consistent: bool = False,
    ) -> Iterator[Version]:
        """Yield versions of one item from one ``version_key`` to another, both included.

        Parameters
        ----------
        collection
            The item's collection.
        low, high
            Its bounds, which need not exist.
        forward
            The order.
        page
            Most rows a query reads at a time.
        consistent
            Whether the table is read strongly consistent; the archive always is.

        Raises
        ------
        MissingVersionError
            A number below a later one is in neither tier.
        """
        rows = self.hot(collection, low, high, forward=forward, page=page, consistent=consistent)
        if self.archive is None:
            return rows
        walk = _Ascending if forward else _Descending
        return walk(self, self.archive, collection, low, high).walk(rows)

    def is_last(self, version: Version | None) -> bool:
        """Whether a table's last row must be its item's last version."""
        if version is None or EXPIRES_AT_S not in version.stored:
            return False
        return int(version.stored[EXPIRES_AT_S]["N"]) * 1000 > self.clock() + _CLOCKS_DIFFER_MS

    def hot(
        self,
        collection: str,
        low: str,
        high: str,
        *,
        forward: bool = True,
        page: int | None = None,
        consistent: bool = False,
    ) -> Iterator[Version]:
        """Yield the table's rows of a partition from one range key to another, both included; all if `low` is empty."""
        start: dict[str, Any] | None = None
        while True:
            rows, start = self.hot_page(
                collection, low, high, forward=forward, limit=page, consistent=consistent, start=start
            )
            yield from rows
            if start is None:
                return

    def hot_page(
        self,
        collection: str,
        low: str,
        high: str,
        *,
        forward: bool = True,
        limit: int | None = None,
        consistent: bool = False,
        start: dict[str, Any] | None = None,
    ) -> tuple[list[Version], dict[str, Any] | None]:
        """Return what one query reads of the table's rows, and where the next one starts; ``None`` if that was all."""
        more: dict[str, Any] = {} if limit is None else {"Limit": limit}
        if start is not None:
            more["ExclusiveStartKey"] = start
        condition, names = "#collection = :collection", {"#collection": COLLECTION}
        values: dict[str, Any] = {":collection": {"S": collection}}
        if low:
            condition, names = f"{condition} AND #key BETWEEN :low AND :high", {**names, "#key": VERSION_KEY}
            values |= {":low": {"S": low}, ":high": {"S": high}}
        answer = self.client.query(
            TableName=self.table_name,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
            ConsistentRead=consistent,
            **more,
        )
        return list(map(read_version, answer["Items"])), answer.get("LastEvaluatedKey")


@dataclass(slots=True)
class _Walk:
    """One pass through an item's rows that fills the holes."""

    tiers: Tiers
    archive: Archive
    collection: str
    low: str
    high: str

    def _archived(self, numbers: Iterable[int], *, may_be_beyond: bool = False) -> Iterator[Version]:
        item = place_of(self.low)[0]
        for number in numbers:
            version = self.archive.read(self.collection, version_key(item, number))
            if version is not None:
                yield version
            elif not may_be_beyond or number <= self.archive.newest_number(self.collection, item):
                text = f"version {number} of {self.collection} {item} is neither in the table nor in the archive"
                raise MissingVersionError(text)

    def _newest(self) -> int:
        return self.archive.newest_number(self.collection, place_of(self.low)[0])

    @property
    def _first_number(self) -> int:
        _, number, recovered = place_of(self.low)
        return number + 1 if recovered else max(number, 1)

    @property
    def _last_number(self) -> int:
        return place_of(self.high)[1]


class _Ascending(_Walk):
    def walk(self, rows: Iterator[Version]) -> Iterator[Version]:
        due, last = self._first_number, None
        for row in rows:
            yield from self._archived(range(due, row.number + bool(row.recovered)))
            yield row
            due, last = row.number + 1, row
        end = self._last_number
        if due <= end and not self.tiers.is_last(last):
            end = self._newest() if end == HIGHEST_NUMBER else end
            yield from self._archived(range(due, end + 1), may_be_beyond=True)


class _Descending(_Walk):
    def walk(self, rows: Iterator[Version]) -> Iterator[Version]:
        due = None
        for row in rows:
            first = due is None
            due = self._start(row) if due is None else due
            yield from self._archived(range(due, row.number, -1), may_be_beyond=first)
            yield row
            due = row.number if row.recovered else row.number - 1
        first = due is None
        due = self._start(None) if due is None else due
        yield from self._archived(range(due, self._first_number - 1, -1), may_be_beyond=first)

    def _start(self, row: Version | None) -> int:
        end = self._last_number
        if end < HIGHEST_NUMBER:
            return end
        return row.number if row is not None and self.tiers.is_last(row) else self._newest()
