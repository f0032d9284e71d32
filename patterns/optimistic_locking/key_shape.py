"""What keys, versions and tokens must be, so that a wrong one never reaches the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from patterns.dynamodb.items import encode_item
from patterns.optimistic_locking.errors import InvalidKeyError, InvalidVersionError

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from patterns.dynamodb.items import Value
    from patterns.optimistic_locking.versioned import Key

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_LONGEST_PARTITION_KEY = 2048
_LONGEST_SORT_KEY = 1024


@dataclass(frozen=True, slots=True)
class KeyShape:
    """Names of a table's key attributes; `sort_key` is ``None`` if it has none."""

    partition_key: str
    sort_key: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the partition key first."""
        return (self.partition_key,) if self.sort_key is None else (self.partition_key, self.sort_key)

    def encode(self, key: Key) -> dict[str, AttributeValueTypeDef]:
        """Check a key and encode it.

        Raises
        ------
        InvalidKeyError
            It is not a mapping of exactly the table's key attributes, or a value is not text or bytes of 1 to 2048
            bytes (sort key: 1024), or an integer.
        """
        if not isinstance(key, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidKeyError("key", key, f"must be a mapping of {', '.join(self.names)}")
        for name in self.names:
            if name not in key:
                raise InvalidKeyError("key", key, f"must have the attribute {name!r}")
        for name in key:
            if name not in self.names:
                raise InvalidKeyError("key", key, f"must have no attribute but {', '.join(self.names)}")
        _check_key_value(self.partition_key, key[self.partition_key], _LONGEST_PARTITION_KEY)
        if self.sort_key is not None:
            _check_key_value(self.sort_key, key[self.sort_key], _LONGEST_SORT_KEY)
        return encode_item(key)

    def of(self, item: Mapping[str, Value]) -> dict[str, Value]:
        """Return the key of an item.

        Raises
        ------
        InvalidKeyError
            The item lacks a key attribute.
        """
        for name in self.names:
            if name not in item:
                raise InvalidKeyError("item", dict(item), f"must have the key attribute {name!r}")
        return {name: item[name] for name in self.names}


def check_number(name: str, value: int, lowest: int) -> None:
    """Require a whole number.

    Raises
    ------
    InvalidVersionError
        It is not an int (a bool is none), or below `lowest`.
    """
    if type(value) is not int or value < lowest:
        raise InvalidVersionError(name, value, f"must be an integer of at least {lowest}")


def _check_key_value(name: str, value: Value, longest: int) -> None:
    if type(value) is int:
        return
    if type(value) not in (str, bytes):
        raise InvalidKeyError(f"key attribute {name!r}", value, "must be str, int or bytes")
    raw = cast("str | bytes", value)
    size = len(raw.encode() if isinstance(raw, str) else raw)
    if not 1 <= size <= longest:
        raise InvalidKeyError(f"key attribute {name!r}", value, f"must have 1 to {longest} bytes")
