"""A version of any item as an operator sees it: the whole item, and each attribute that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from functions.api.timestamps import iso_utc
from patterns.dynamodb.items import decode_item
from patterns.historic.differences import diff

if TYPE_CHECKING:
    from patterns.dynamodb.items import Value
    from patterns.historic.images import Image
    from patterns.historic.version import Version

_ID_BYTES = 16


def item_json(version: Version, part: str) -> dict[str, object]:
    """Return a version, read with the image before it, as JSON; attributes have their stored names and units.

    Parameters
    ----------
    version
        The version.
    part
        Which of the items asked for it is of.
    """
    return {
        "part": part,
        "version": version.label,
        "at": iso_utc(version.at_ms),
        "by": version.actor,
        "why": version.reason,
        "hash": version.stored_hash.hex(),
        "item": _plain(version.after),
        "changes": [
            {
                "field": ".".join(difference.path),
                "before": _value(difference.before),
                "after": _value(difference.after),
            }
            for difference in diff(version.before, version.after)
        ],
    }


def _plain(image: Image | None) -> object:
    return None if image is None else _json(decode_item(image))


def _value(attribute: dict[str, Any] | None) -> object:
    return None if attribute is None else _json(decode_item({"value": attribute})["value"])


def _json(value: Value) -> object:
    if isinstance(value, bytes):
        return str(UUID(bytes=value)) if len(value) == _ID_BYTES else value.hex()
    if isinstance(value, frozenset):
        return sorted(str(_json(member)) for member in value)
    if isinstance(value, dict):
        return {name: _json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_json(member) for member in value]
    return value
