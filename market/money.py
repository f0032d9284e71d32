"""Prices: from decimal text to whole minor units and back, exactly.

A price is an int of the smallest currency unit (`price_minor`) everywhere but in requests and answers, where it is
decimal text. The conversion works on the digits as written: it never passes through a float, has no rounding context,
and looks at the exponent before it builds a number, so `1e999999999` costs nothing.
"""

from __future__ import annotations

import re

from market.errors import InvalidFieldError, Rule
from market.keys import HIGHEST_PRICE_MINOR
from market.price_text import format_price

_HIGHEST_PRICE_DIGITS = len(str(HIGHEST_PRICE_MINOR))
_LONGEST_PRICE_TEXT = 64  # characters; a valid price in its longest sensible spelling has fewer than 30
# The number grammar of RFC 8259 §6. re.ASCII: \d would also match the digits of every other script.
_JSON_NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)


def parse_price(text: str, currency_digits: int, field: str = "price") -> int:
    """Read a price.

    Parameters
    ----------
    text
        A JSON number as written: ``12.5``, ``12.50`` and ``1.25e1`` are one price. No spaces, plus sign, underscores
        or leading zeros.
    currency_digits
        Decimal digits of the currency, 0 or more: 2 makes ``12.5`` 1250 minor units.
    field
        Name used in errors.

    Returns
    -------
    int
        Minor units, 1..`HIGHEST_PRICE_MINOR`.

    Raises
    ------
    InvalidFieldError
        Rules ``digits``, ``decimal_number``, ``positive``, ``currency_digits``, ``maximum``.
    """
    if len(text) > _LONGEST_PRICE_TEXT:
        raise InvalidFieldError(field, text, Rule.DIGITS, f"at most {_LONGEST_PRICE_TEXT} characters long")
    written = _JSON_NUMBER.fullmatch(text)
    if written is None:
        raise InvalidFieldError(field, text, Rule.DECIMAL_NUMBER, 'a decimal number such as 12.5 or "12.50"')
    sign, whole, fraction, exponent = written.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if sign or not digits:
        raise InvalidFieldError(field, text, Rule.POSITIVE, "greater than zero")
    significant = digits.rstrip("0")
    # The price is significant · 10^power minor units.
    power = int(exponent or "0") - len(fraction) + len(digits) - len(significant) + currency_digits
    if power < 0:
        raise InvalidFieldError(field, text, Rule.CURRENCY_DIGITS, f"exact in {currency_digits} decimal digits")
    if len(significant) + power > _HIGHEST_PRICE_DIGITS:
        highest = format_price(HIGHEST_PRICE_MINOR, currency_digits)
        raise InvalidFieldError(field, text, Rule.MAXIMUM, f"at most {highest}")
    return int(significant) * 10**power


def require_on_tick(price_minor: int, tick_minor: int, currency_digits: int, field: str = "price") -> int:
    """Return `price_minor` if it is a multiple of the tick size.

    Parameters
    ----------
    price_minor, tick_minor
        Minor units, both positive.
    currency_digits
        For the error text only.
    field
        Name used in errors.

    Raises
    ------
    InvalidFieldError
        Rule ``tick_size``.
    """
    if price_minor % tick_minor:
        tick = format_price(tick_minor, currency_digits)
        price = format_price(price_minor, currency_digits)
        raise InvalidFieldError(field, price, Rule.TICK_SIZE, f"a multiple of the tick size {tick}")
    return price_minor
