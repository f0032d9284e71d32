"""An item with its version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Item, Value

Key: TypeAlias = "Mapping[str, Value]"
"""Key attribute → str, int or bytes; for example ``{"id": "ann"}``."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """An item as it was stored at one version.

    Attributes
    ----------
    item
        Its attributes, keys included, without those the table keeps itself.
    version
        1 after the first write, 1 more with each; 0 for an item that was stored before its table was versioned.
    write_id
        Names the write that made this version; empty if none is known.
    """

    item: Item
    version: int
    write_id: str = field(default="", repr=False, compare=False)
