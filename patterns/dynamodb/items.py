"""Exact conversion between plain Python values and DynamoDB attribute values.

Numbers are ints and nothing else: a float or a `Decimal` that reaches a table is a rounding bug waiting for its reader,
so both are refused in either direction. Types are compared exactly (`True` is not `1`, an enum is not its text).
Format: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

Value: TypeAlias = (
    "str | int | bool | bytes | list[Value] | dict[str, Value] | frozenset[str] | frozenset[bytes] | None"
)
"""A plain value of an item. Ints have at most 38 digits; sets, which are never empty, members of one type."""

Item: TypeAlias = dict[str, Value]
"""A whole item: attribute name to plain value."""

_UNCHANGED: dict[type, str] = {str: "S", bool: "BOOL", bytes: "B"}
_LARGEST_NUMBER = 10**38 - 1  # DynamoDB keeps 38 significant digits and rounds silently beyond them


class ItemCodecError(TypeError):
    """A value has no exact counterpart; the text names the attribute's path and what was found there."""


def encode_value(value: Value, path: str = "value") -> AttributeValueTypeDef:
    """Encode one plain value.

    Parameters
    ----------
    value
        str, int, bool, bytes, None, frozensets of str or of bytes, or lists and string-keyed dicts of them, nested at
        will.
    path
        Name used in error texts.

    Returns
    -------
    AttributeValueTypeDef
        For example ``{"N": "5"}``.

    Raises
    ------
    ItemCodecError
        Any other type, an int of more than 38 digits, or a set that is empty or mixed.
    """
    kind = type(value)
    if kind in _UNCHANGED:
        return cast("AttributeValueTypeDef", {_UNCHANGED[kind]: value})
    if kind is int:
        number = cast("int", value)
        if not -_LARGEST_NUMBER <= number <= _LARGEST_NUMBER:
            raise ItemCodecError(f"{path}: integers have at most 38 digits")
        return {"N": str(number)}
    if value is None:
        return {"NULL": True}
    if kind is list:
        members = cast("list[Value]", value)
        return {"L": [encode_value(member, f"{path}[{index}]") for index, member in enumerate(members)]}
    if kind is dict:
        return {"M": encode_item(cast("Item", value), path)}
    if kind is frozenset:
        return _encode_set(cast("frozenset[object]", value), path)
    raise ItemCodecError(
        f"{path}: {kind.__name__} has no exact DynamoDB type; use str, int, bool, bytes, list, dict, frozenset, None"
    )


def decode_value(attribute: Mapping[str, Any], path: str = "value") -> Value:
    """Decode one attribute value as the low-level client returns it.

    Parameters
    ----------
    attribute
        For example ``{"N": "5"}``; exactly one type descriptor.
    path
        Name used in error texts.

    Returns
    -------
    Value
        The plain value; `decode_value(encode_value(x)) == x`, types included.

    Raises
    ------
    ItemCodecError
        A number that is not an integer, a set of numbers, an unknown type descriptor.
    """
    if len(attribute) != 1:
        raise ItemCodecError(f"{path}: an attribute value has one type descriptor, found {sorted(attribute)}")
    ((descriptor, content),) = attribute.items()
    match descriptor:
        case "S" | "BOOL" | "B":
            return content
        case "N":
            try:
                return int(content)
            except ValueError as error:
                raise ItemCodecError(f"{path}: {content!r} is not an integer") from error
        case "NULL":
            return None
        case "SS" | "BS":
            return frozenset(content)
        case "L":
            return [decode_value(member, f"{path}[{index}]") for index, member in enumerate(content)]
        case "M":
            return decode_item(content, path)
        case _:
            raise ItemCodecError(f"{path}: type descriptor {descriptor!r} is not supported")


def _encode_set(members: frozenset[object], path: str) -> AttributeValueTypeDef:
    kinds = {type(member) for member in members}
    if kinds == {str}:
        return {"SS": sorted(cast("frozenset[str]", members))}
    if kinds == {bytes}:
        return {"BS": sorted(cast("frozenset[bytes]", members))}
    raise ItemCodecError(f"{path}: a set has members, and all of them are str or all are bytes")


def encode_item(item: Mapping[str, Value], path: str = "") -> dict[str, AttributeValueTypeDef]:
    """Encode a whole item (or a key); see `encode_value`."""
    prefix = f"{path}." if path else ""
    return {name: encode_value(value, f"{prefix}{name}") for name, value in item.items()}


def decode_item(attributes: Mapping[str, Any], path: str = "") -> Item:
    """Decode a whole item (or a key); see `decode_value`."""
    prefix = f"{path}." if path else ""
    return {name: decode_value(attribute, f"{prefix}{name}") for name, attribute in attributes.items()}


def read_str(item: Mapping[str, Value], name: str) -> str:
    """Return a decoded item's attribute that must be text.

    Raises
    ------
    ItemCodecError
        It is missing or something else.
    """
    value = item.get(name)
    if type(value) is not str:
        raise ItemCodecError(f"{name}: expected text, found {value!r:.80}")
    return value


def read_int(item: Mapping[str, Value], name: str) -> int:
    """Return a decoded item's attribute that must be an integer.

    Raises
    ------
    ItemCodecError
        It is missing or something else.
    """
    value = item.get(name)
    if type(value) is not int:
        raise ItemCodecError(f"{name}: expected an integer, found {value!r:.80}")
    return value
