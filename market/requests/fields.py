"""Reading the fields of a request, decoded JSON whose numbers are still text, one rule after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from market.errors import InvalidFieldError, Rule
from market.money import parse_price, require_on_tick

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_DIGITS = re.compile(r"0|[1-9][0-9]*")


class NumberLiteral(NamedTuple):
    """A number of a JSON document as it was written, so that nothing is rounded before the rules see it."""

    text: str


def refuse_unknown_fields(request: Mapping[str, object], known: Collection[str], what: str) -> None:
    """Require that a request has no fields but those known.

    Parameters
    ----------
    request, known
        The request, and the names its fields may have.
    what
        What the request describes, for the error text: ``an order``.

    Raises
    ------
    InvalidFieldError
        Rule ``known_field``.
    """
    for field in request:
        if field not in known:
            raise InvalidFieldError(field, None, Rule.KNOWN_FIELD, f"left out: {what} has {', '.join(known)}")


def require_fields(request: Mapping[str, object], required: Collection[str]) -> None:
    """Require that a request has fields; rule ``required``."""
    for field in required:
        if field not in request:
            raise InvalidFieldError(field, None, Rule.REQUIRED, "given")


def read_text(request: Mapping[str, object], field: str) -> str:
    """Read a field that must be text; rule ``type``."""
    value = request[field]
    if not isinstance(value, str):
        raise wrong_type(field, value, "text")
    return value


def read_flag(request: Mapping[str, object], field: str) -> bool:
    """Read a field that must be true or false, and is false if it is missing; rule ``type``."""
    value = request.get(field, False)
    if not isinstance(value, bool):
        raise wrong_type(field, value, "true or false")
    return value


def read_choice(request: Mapping[str, object], field: str, choices: Collection[str], default: str) -> str:
    """Read a field that must be one of some texts; rules ``type``, ``choice``."""
    if field not in request:
        return default
    text = read_text(request, field)
    if text not in choices:
        raise InvalidFieldError(field, text, Rule.CHOICE, f"one of {', '.join(choices)}")
    return text


def read_quantity(request: Mapping[str, object], max_quantity: int, field: str = "quantity") -> int:
    """Read a field that must be a whole number from 1.

    Raises
    ------
    InvalidFieldError
        Rules ``type``, ``positive``, ``whole_number``, ``maximum``.
    """
    value = request[field]
    if not isinstance(value, NumberLiteral):
        raise wrong_type(field, value, "a number")
    text = value.text
    if text.startswith("-") or text == "0":
        raise InvalidFieldError(field, text, Rule.POSITIVE, "greater than zero")
    if not _DIGITS.fullmatch(text):
        raise InvalidFieldError(field, text, Rule.WHOLE_NUMBER, "a whole number, written in digits only")
    # Counting digits first keeps a number of thousands of digits from being converted at all.
    if len(text) > len(str(max_quantity)) or int(text) > max_quantity:
        raise InvalidFieldError(field, text, Rule.MAXIMUM, f"at most {max_quantity}")
    return int(text)


def read_price(request: Mapping[str, object], tick_minor: int, currency_digits: int, field: str = "price") -> int:
    """Read an amount of money, a number or the text of one, on the tick; return minor units.

    Raises
    ------
    InvalidFieldError
        Rule ``type``, and those of `market.money.parse_price` and `require_on_tick`.
    """
    price = request[field]
    if not isinstance(price, NumberLiteral | str):
        raise wrong_type(field, price, "a number or text")
    text = price.text if isinstance(price, NumberLiteral) else price
    return require_on_tick(parse_price(text, currency_digits, field), tick_minor, currency_digits, field)


def wrong_type(field: str, value: object, expected: str) -> InvalidFieldError:
    """Return the error of a value of another JSON type than expected."""
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
