"""Items in DynamoDB's attribute form, checked attribute by attribute, and orders read from them.

Every value that later enters a transaction is checked here, so that a record from elsewhere can not make a whole commit
invalid.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from market.keys import HIGHEST_PRICE_MINOR
from market.tables import Bid, SellOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.matching.tables import StoredItem

    Image: TypeAlias = "Mapping[str, Any]"  # of any JSON value

LARGEST_QUANTITY = 10**12
"""Far above any environment's own limit, which the API enforces; keeps sums of a commit inside 38 digits."""

_MATERIAL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ORDER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME_IN_FORCE = re.compile(r"GTC|IOC|FOK|GTD")
_ORDER_TYPE = re.compile(r"MARKET")
_MOST_DIGITS = 30
_SCALARS: dict[str, type] = {"S": str, "N": str, "BOOL": bool}
_LONGEST_KEY = 2048  # bytes of a DynamoDB partition key
_LATEST_MS = 10**15 - 1
_LARGEST_HOLD = HIGHEST_PRICE_MINOR * LARGEST_QUANTITY * 2
_LARGEST_RATE_BPS = 10_000


class UnprocessableRecordError(ValueError):
    """The record can never be processed; the text names the attribute and the rule."""


def read_order(image: Image, sequenced_at_ms: int | None) -> Bid | SellOrder:
    """Read an order that the matcher has not handled yet from its stored item.

    Parameters
    ----------
    image
        Item of the bids or the sell orders table.
    sequenced_at_ms
        Epoch ms at which the stream took it; None if it was read from the table.

    Raises
    ------
    UnprocessableRecordError
        A value is missing or outside its range.
    """
    side = "ask" if "ask_id" in image else "bid"
    order_id = order_id_of(image, f"{side}_id")
    if text(image, "order_key") != order_id:
        raise UnprocessableRecordError(f"order_key must be the {side}_id")
    common: dict[str, Any] = {
        "material": material_of(image),
        "price_minor": price_of(image),
        "quantity": number(image, "quantity", LARGEST_QUANTITY),
        "status": "PENDING",
        "placed_at_ms": placed_at_ms_of(image),
        "sequenced_at_ms": sequenced_at_ms,
        "time_in_force": text(image, "time_in_force", _TIME_IN_FORCE) if "time_in_force" in image else None,
        "order_type": text(image, "order_type", _ORDER_TYPE) if "order_type" in image else None,
        "post_only": _flag(image, "post_only"),
        "expires_at_ms": _optional(image, "expires_at_ms", _LATEST_MS),
        "replaces": order_id_of(image, "replaces") if "replaces" in image else None,
        "replaced_filled": _optional(image, "replaced_filled", LARGEST_QUANTITY),
        "hold": _optional(image, "hold", _LARGEST_HOLD),
    }
    if side == "ask":
        return SellOrder(seller=player_of(image, "seller"), ask_id=order_id, **common)
    fee_bps = _optional(image, "fee_bps", _LARGEST_RATE_BPS)
    return Bid(buyer=player_of(image, "buyer"), bid_id=order_id, filled=0, fee_bps=fee_bps, **common)


def scalars(image: Image) -> StoredItem:
    """Return an item as it can be written back.

    Raises
    ------
    UnprocessableRecordError
        An attribute is not a text, a number or a boolean: in stream records bytes are base64 text, which the client
        would encode once more.
    """
    for name, attribute in image.items():
        try:
            (kind,) = attribute
            value = attribute[kind]
            is_scalar = type(value) is _SCALARS[kind] and (kind == "BOOL" or value.isascii() or _is_unicode(value))
        except (KeyError, TypeError, ValueError):
            is_scalar = False
        if not is_scalar:
            raise UnprocessableRecordError(f"{name} must be a text, a number or a boolean")
    return cast("StoredItem", image)


def material_of(image: Image) -> str:
    """Return the item's material."""
    return text(image, "material", _MATERIAL)


def order_id_of(image: Image, name: str) -> str:
    """Return the attribute that holds the id of an order."""
    return text(image, name, _ORDER_ID)


def player_of(image: Image, name: str) -> str:
    """Return the attribute that holds a player's id."""
    value = text(image, name)
    if not _is_unicode(value) or not 1 <= len(value.encode()) <= _LONGEST_KEY:
        raise UnprocessableRecordError(f"{name} must have 1 to {_LONGEST_KEY} bytes of valid Unicode")
    return value


def price_of(image: Image) -> int:
    """Return the item's price in minor units."""
    return number(image, "price_minor", HIGHEST_PRICE_MINOR)


def placed_at_ms_of(image: Image) -> int:
    """Return when the order was placed, epoch ms."""
    return number(image, "placed_at_ms", _LATEST_MS)


def text(image: Image, name: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return an attribute that must be text, of a pattern if one is given."""
    value = _attribute(image, name, "S")
    if pattern is not None and pattern.fullmatch(value) is None:
        raise UnprocessableRecordError(f"{name} must match {pattern.pattern}")
    return value


def number(image: Image, name: str, highest: int, lowest: int = 1) -> int:
    """Return an attribute that must be a whole number within limits."""
    digits = _attribute(image, name, "N")
    # Faster than a regular expression: half of a record are numbers.
    value = int(digits) if len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit() else -1
    if not lowest <= value <= highest:
        raise UnprocessableRecordError(f"{name} must be a whole number from {lowest} to {highest}")
    return value


def _optional(image: Image, name: str, highest: int) -> int | None:
    return number(image, name, highest, lowest=0) if name in image else None


def _flag(image: Image, name: str) -> bool | None:
    if name not in image:
        return None
    if image[name] not in ({"BOOL": True}, {"BOOL": False}):
        raise UnprocessableRecordError(f"{name} must be of DynamoDB type BOOL")
    return image[name] == {"BOOL": True}


def _attribute(image: Image, name: str, descriptor: str) -> str:
    try:
        value = image[name][descriptor]
    except (KeyError, TypeError):
        value = None
    if not isinstance(value, str):
        raise UnprocessableRecordError(f"{name} must be of DynamoDB type {descriptor}")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can say half a character
        return False
    return True
