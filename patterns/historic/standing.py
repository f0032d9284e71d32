"""What was at a time: of one item, by search, and of all items of a collection or a table, by reading them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patterns.historic.tiers import whole_span
from patterns.historic.version import AT_MS, Version, read_version, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from patterns.historic.item_key import ItemKeys
    from patterns.historic.tiers import Tiers

_ONE_READ = 16  # versions


def latest_version(tiers: Tiers, collection: str, item: str) -> Version | None:
    """Return the last version of an item, if it has any."""
    return next(tiers.versions(collection, *whole_span(item), forward=False, page=1), None)


def last_until(tiers: Tiers, latest: Version, at_ms: int) -> Version | None:
    """Return the last version that is not later than a time, of an item whose last one is; ``None`` if all are."""
    collection, item = latest.collection, latest.item
    # Always: version `low` is not later than at_ms (or there is none), version `high` is.
    low, high = 0, latest.number
    while high - low > _ONE_READ:
        middle = (low + high) // 2
        place = version_key(item, middle)
        for version in tiers.versions(collection, place, place, page=1):
            low, high = (middle, high) if version.at_ms <= at_ms else (low, middle)
            break
        else:  # deleted by somebody: verify says so; here, look at all that is left
            low = 0
            break
    # The rest at once: calls take longer than reading so few, and what was recovered has no number of its own.
    span = version_key(item, low), version_key(item, high)
    for version in tiers.versions(collection, *span, forward=False, page=_ONE_READ + 1):
        if version.at_ms <= at_ms:
            return version
    return None


def collection_at(tiers: Tiers, collection: str, at_ms: int) -> Iterator[Version]:
    """Yield what each item of a collection was at a time, if it existed."""
    rows = tiers.hot(collection, "", "\U0010ffff")
    if tiers.archive is None:
        return _standing_at(at_ms, rows)
    items = {version.item for version in rows} | set(tiers.archive.items(collection))
    return _looked_up(tiers, at_ms, {(collection, item) for item in items})


def source_at(tiers: Tiers, keys: ItemKeys, at_ms: int) -> Iterator[Version]:
    """Yield what each item of a source was at a time, if it existed."""
    pages = tiers.client.get_paginator("scan").paginate(
        TableName=tiers.table_name,
        FilterExpression="#source = :source AND #at <= :at",
        ExpressionAttributeNames={"#source": "source", "#at": AT_MS},
        ExpressionAttributeValues={":source": {"S": keys.source}, ":at": {"N": str(at_ms)}},
    )
    rows = (read_version(stored) for page in pages for stored in page["Items"])
    if tiers.archive is None:
        # A scan goes through one partition after the other, and through each in order.
        return _standing_at(at_ms, rows)
    places = {(version.collection, version.item) for version in rows}
    for collection in tiers.archive.collections(keys.collection_source):
        places |= {(collection, item) for item in tiers.archive.items(collection)}
    return _looked_up(tiers, at_ms, places)


def _looked_up(tiers: Tiers, at_ms: int, places: Iterable[tuple[str, str]]) -> Iterator[Version]:
    for collection, item in sorted(places):
        latest = latest_version(tiers, collection, item)
        if latest is not None and latest.at_ms > at_ms:
            latest = last_until(tiers, latest, at_ms)
        if latest is not None and latest.exists:
            yield latest


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
