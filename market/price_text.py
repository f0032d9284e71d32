"""Prices as decimal text: on its own, as whoever only shows prices need not know how one is read and refused."""

from __future__ import annotations


def format_price(price_minor: int, currency_digits: int) -> str:
    """Write a price with exactly `currency_digits` decimals, e.g. ``12.50``; the inverse of `market.money.parse_price`.

    Parameters
    ----------
    price_minor
        Minor units, 0 or more.
    currency_digits
        Decimal digits of the currency, 0 or more.
    """
    if currency_digits == 0:
        return str(price_minor)
    digits = str(price_minor).rjust(currency_digits + 1, "0")
    return f"{digits[:-currency_digits]}.{digits[-currency_digits:]}"
