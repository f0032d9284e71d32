"""How many bytes DynamoDB counts for an item, so that one that does not fit is refused before anything is written.

Rules: AWS, DynamoDB Developer Guide, "DynamoDB item sizes and formats".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Value

LARGEST_ITEM = 400 * 1024
"""Bytes: Amazon DynamoDB Developer Guide, "Service, account, and table quotas"; attribute names included."""

_CONTAINER = 3
_MEMBER = 1


def item_size(item: Mapping[str, Value]) -> int:
    """Return an item's size in bytes, never less than DynamoDB counts."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """Return a value's size in bytes, never less than DynamoDB counts."""
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        # "Approximately" one byte for two significant digits, and one; the sign takes another.
        return len(str(abs(value))) // 2 + 3
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list | frozenset):
        return _CONTAINER + sum(_MEMBER + value_size(member) for member in value)
    members = cast("Mapping[str, Value]", value)
    return _CONTAINER + len(members) * _MEMBER + item_size(members)
