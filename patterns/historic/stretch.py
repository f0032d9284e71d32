"""The next versions of an item as they are stored, from both tiers, with every hole left as it is: what a proof reads.

A stretch is read in bounded time whatever the history looks like: at most `limit` numbers, one query of the table
(DynamoDB ends it at 1 MB), a few list calls of the archive and its objects side by side. Where a whole stretch is
missing from both tiers, the next one starts at the first version behind the hole, however wide it is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from patterns.historic.tiers import AFTER_RECOVERED, Tiers, whole_span
from patterns.historic.version import HIGHEST_NUMBER, VERSION_KEY, Version, place_of, version_key

if TYPE_CHECKING:
    from patterns.historic.archive import Archive

_SIDE_BY_SIDE = 8
"""Objects read at once: fewer than the connections a client keeps."""
_BEHIND = "!"
"""Behind a ``version_key``, this sorts after it and before all others: the keys go on with a ``+`` or not at all."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some versions of an item, in order.

    Attributes
    ----------
    versions
        Each as stored, and whether the archive has it; ``None`` without an archive.
    after
        The ``version_key`` the next stretch is behind.
    is_last
        Whether no version is behind it.
    """

    versions: tuple[tuple[Version, bool | None], ...]
    after: str
    is_last: bool


def start_of(item: str) -> str:
    """Return the ``version_key`` that all versions of an item are behind."""
    return version_key(item, 0)


def read_stretch(tiers: Tiers, collection: str, after: str, limit: int) -> Stretch:
    """Read the versions of an item behind a place, strongly consistent.

    Parameters
    ----------
    tiers
        Where.
    collection
        The item's collection.
    after
        `start_of` the item, or `Stretch.after` of the stretch before.
    limit
        Most versions, but for those that were recovered late.
    """
    item, number, _ = place_of(after)
    top = whole_span(item)[1]
    if tiers.archive is None:
        rows, more = tiers.hot_page(collection, after + _BEHIND, top, limit=limit, consistent=True)
        return Stretch(tuple((row, None) for row in rows), _place(rows[-1]) if rows else after, is_last=more is None)
    end = version_key(item, min(number + limit, HIGHEST_NUMBER), AFTER_RECOVERED)
    rows, more = tiers.hot_page(collection, after + _BEHIND, end, limit=limit, consistent=True)
    if more is not None:
        end = _place(rows[-1])
    # Listed after the table is read: a version is in the archive before it is in the table.
    archived = tiers.archive.places(collection, item, after, end)
    versions = _merged(tiers.archive, collection, rows, archived)
    if versions:
        is_last = more is None and not _goes_on(tiers, tiers.archive, collection, end)
        return Stretch(versions, _place(versions[-1][0]), is_last)
    following = _next_number(tiers, tiers.archive, collection, end)
    if following is None:
        return Stretch((), after, is_last=True)
    return Stretch((), version_key(item, following - 1, AFTER_RECOVERED), is_last=False)


def _merged(
    archive: Archive, collection: str, rows: list[Version], archived: list[str]
) -> tuple[tuple[Version, bool], ...]:
    found: dict[str, Version | None] = {_place(row): row for row in rows}
    cold = [place for place in archived if place not in found]
    if cold:
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            found |= zip(cold, pool.map(partial(archive.read, collection), cold), strict=True)
    places = frozenset(archived)
    return tuple((version, place in places) for place, version in sorted(found.items()) if version is not None)


def _goes_on(tiers: Tiers, archive: Archive, collection: str, end: str) -> bool:
    item, number, _ = place_of(end)
    return _next_row(tiers, collection, end) is not None or archive.newest_number(collection, item) > number


def _next_number(tiers: Tiers, archive: Archive, collection: str, end: str) -> int | None:
    item, number, _ = place_of(end)
    row = _next_row(tiers, collection, end)
    archived = archive.first_number(collection, item, number + 1)
    return min((found for found in (row and row.number, archived) if found is not None), default=None)


def _next_row(tiers: Tiers, collection: str, end: str) -> Version | None:
    top = whole_span(place_of(end)[0])[1]
    if end >= top:
        return None
    return next(iter(tiers.hot_page(collection, end + _BEHIND, top, limit=1, consistent=True)[0]), None)


def _place(version: Version) -> str:
    return version.stored[VERSION_KEY]["S"]
