"""How many bytes DynamoDB counts for an item, so that one that does not fit is refused before anything is written.

Rules: AWS, DynamoDB Developer Guide, "DynamoDB item sizes and formats".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Value

LARGEST_ITEM = 400 * 1024
_CONTAINER = 3
_MEMBER = 1


def item_size(item: Mapping[str, Value]) -> int:
    """Return an item's size in bytes, never less than DynamoDB counts."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Value) -> int:
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        # "Approximately" one byte for two significant digits, and one; the sign takes another.
        return len(str(abs(value))) // 2 + 3
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return _CONTAINER + sum(_MEMBER + _value_size(member) for member in value)
    members = cast("Mapping[str, Value]", value)
    return _CONTAINER + len(members) * _MEMBER + item_size(members)
