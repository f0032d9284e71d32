"""A request to place an order, checked field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from market.errors import InvalidFieldError, Rule
from market.materials import require_traded
from market.money import parse_price, require_on_tick

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_REQUIRED_FIELDS = ("material", "quantity", "price")
_FIELDS = (*_REQUIRED_FIELDS, "client_order_id")
_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_DIGITS = re.compile(r"0|[1-9][0-9]*")


class NumberLiteral(NamedTuple):
    """A number of a JSON document as it was written, so that nothing is rounded before the rules see it."""

    text: str


@dataclass(frozen=True, slots=True)
class PlacingRules:
    """An environment's limits for a new order.

    Parameters
    ----------
    materials
        Names of the traded materials.
    tick_minor
        Tick size in minor units, 1 or more.
    currency_digits
        Decimal digits of the currency, 0 or more.
    max_quantity
        Largest quantity of one order.
    """

    materials: Collection[str]
    tick_minor: int
    currency_digits: int
    max_quantity: int


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A valid request to place an order; which side is said by the route it came on.

    Parameters
    ----------
    material
        A traded material.
    quantity
        Whole units, 1..max_quantity.
    price_minor
        Limit price in minor units, a multiple of the tick size.
    client_order_id
        The client's own name for the order, which makes placing it idempotent; None if it gave none.
    """

    material: str
    quantity: int
    price_minor: int
    client_order_id: str | None

    def fingerprint(self) -> str:
        """Return the SHA-256 (64 hex digits) of what is asked for, equal for every spelling of the same order."""
        return sha256(f"{self.material}\n{self.quantity}\n{self.price_minor}".encode()).hexdigest()


def read_place_order(request: Mapping[str, object], rules: PlacingRules) -> PlaceOrder:
    """Check a request to place an order.

    Parameters
    ----------
    request
        A decoded JSON object whose numbers are `NumberLiteral`; fields material, quantity, price and, if wanted,
        client_order_id.
    rules
        The environment's limits.

    Raises
    ------
    InvalidFieldError
        The first rule that is broken: unknown fields come first, then the fields in the order above.
    """
    for field in request:
        if field not in _FIELDS:
            raise InvalidFieldError(field, None, Rule.KNOWN_FIELD, f"left out: an order has {', '.join(_FIELDS)}")
    for field in _REQUIRED_FIELDS:
        if field not in request:
            raise InvalidFieldError(field, None, Rule.REQUIRED, "given")
    material = require_traded(_read_text(request, "material"), rules.materials)
    quantity = _read_quantity(request["quantity"], rules.max_quantity)
    price = request["price"]
    if not isinstance(price, NumberLiteral | str):
        raise _wrong_type("price", price, "a number or text")
    price_text = price.text if isinstance(price, NumberLiteral) else price
    price_minor = require_on_tick(
        parse_price(price_text, rules.currency_digits), rules.tick_minor, rules.currency_digits
    )
    return PlaceOrder(material, quantity, price_minor, _read_client_order_id(request))


def _read_text(request: Mapping[str, object], field: str) -> str:
    value = request[field]
    if not isinstance(value, str):
        raise _wrong_type(field, value, "text")
    return value


def _read_quantity(value: object, max_quantity: int) -> int:
    if not isinstance(value, NumberLiteral):
        raise _wrong_type("quantity", value, "a number")
    text = value.text
    if text.startswith("-") or text == "0":
        raise InvalidFieldError("quantity", text, Rule.POSITIVE, "greater than zero")
    if not _DIGITS.fullmatch(text):
        raise InvalidFieldError("quantity", text, Rule.WHOLE_NUMBER, "a whole number, written in digits only")
    # Counting digits first keeps a number of thousands of digits from being converted at all.
    if len(text) > len(str(max_quantity)) or int(text) > max_quantity:
        raise InvalidFieldError("quantity", text, Rule.MAXIMUM, f"at most {max_quantity}")
    return int(text)


def _read_client_order_id(request: Mapping[str, object]) -> str | None:
    if "client_order_id" not in request:
        return None
    text = _read_text(request, "client_order_id")
    if not _CLIENT_ORDER_ID.fullmatch(text):
        requirement = "1 to 36 letters, digits, hyphens or underscores"
        raise InvalidFieldError("client_order_id", text, Rule.PATTERN, requirement)
    return text


def _wrong_type(field: str, value: object, expected: str) -> InvalidFieldError:
    match value:
        case None:
            found = "null"
        case bool():
            found = "true" if value else "false"
        case NumberLiteral(text):
            found = text
        case str():
            found = value
        case list():
            found = "[…]"
        case _:
            found = "{…}"
    return InvalidFieldError(field, found, Rule.TYPE, expected)
