"""Where the versions of an item are: text keys that never mix up two items, whatever their own keys contain."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from patterns.historic.errors import InvalidItemKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.historic.images import Image

NO_RANGE = "-"
"""Stands for the range value of an item whose table has no range key."""

_LONGEST_PART = 400  # bytes; two parts, a number and a position stay below DynamoDB's 1024 of a range key


@dataclass(frozen=True, slots=True)
class ItemKeys:
    """The keys of the source table, and its name in the history.

    Parameters
    ----------
    source
        What the table is called in the history: its role, such as ``bids``, so that the history outlives the physical
        table. Two tables that share a history have two names.
    hash_key, range_key
        Names of the source table's key attributes; ``None`` without a range key.
    """

    source: str
    hash_key: str
    range_key: str | None = None

    def key_of(self, image: Mapping[str, Any]) -> Image:
        """Return the key inside an item.

        Parameters
        ----------
        image
            An item or a key as the low-level client takes it: attribute name to, for example, ``{"S": "ann"}``.

        Raises
        ------
        InvalidItemKeyError
            A key attribute is missing.
        """
        for name in self._names:
            if name not in image:
                raise InvalidItemKeyError(f"key of {self.source}: {name} is missing in {sorted(image)}")
        return {name: image[name] for name in self._names}

    def collection(self, key: Mapping[str, Any]) -> str:
        """Return the history's partition of an item: all versions of all items that share its hash key value.

        Raises
        ------
        InvalidItemKeyError
            Not exactly the source's key attributes, or a value that can be no key.
        """
        if set(key) != set(self._names):
            raise InvalidItemKeyError(f"key of {self.source} must have {list(self._names)}, got {sorted(key)}")
        return self.collection_of(key[self.hash_key])

    def collection_of(self, hash_value: Mapping[str, Any]) -> str:
        """Return the history's partition of a hash key value such as ``{"S": "ann"}``."""
        return f"{self.collection_source}#{_part(self.hash_key, hash_value)}"

    @property
    def collection_source(self) -> str:
        """What every collection of the source starts with, up to its ``#``."""
        return _part(self.source, {"S": self.source})

    def item(self, key: Mapping[str, Any]) -> str:
        """Return what the range keys of the item's versions start with, up to their ``#``."""
        if self.range_key is None:
            return NO_RANGE
        return _part(self.range_key, key[self.range_key])

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.hash_key,) if self.range_key is None else (self.hash_key, self.range_key)


def _part(name: str, attribute: Any) -> str:
    """The key value as text without ``#``; ``~`` starts what is not literally the value."""
    match attribute:
        case {"S": str(text), **rest} if text and not rest:
            part = text.replace("~", "~0").replace("#", "~1")
        case {"N": str(number), **rest} if number and not rest:
            part = f"~n{number}"
        case {"B": bytes(content), **rest} if content and not rest:
            part = f"~b{b64encode(content).decode('ascii')}"
        case _:
            rule = "a text, a number or bytes in DynamoDB's form, such as {'S': 'ann'}"
            raise InvalidItemKeyError(f"key attribute {name} must be {rule}, got {attribute!r:.80}")
    encoded = part.encode()
    return part if len(encoded) <= _LONGEST_PART else f"~h{sha256(encoded).hexdigest()}"
