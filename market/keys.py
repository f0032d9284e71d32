"""Sort keys of the book's tables: their order is price-time priority, so a query's first item is the best order."""

from __future__ import annotations

from typing import Final

HIGHEST_PRICE_MINOR: Final = 999_999_999_999
"""Highest price in smallest currency units: twelve digits, the width of a price in a key."""


def ask_price_key(price_minor: int, ask_id: str) -> str:
    """Return the sort key of an open ask: lowest price first, at one price the earliest first.

    Parameters
    ----------
    price_minor
        1 to `HIGHEST_PRICE_MINOR`, smallest currency units.
    ask_id
        UUIDv7 text, whose order is the order of placing.

    Raises
    ------
    ValueError
        The price does not fit the key.

    Examples
    --------
    >>> ask_price_key(1250, "0190163d-8694-739b-aea5-966c26f8ad91")
    '000000001250#0190163d-8694-739b-aea5-966c26f8ad91'
    """
    return f"{_checked(price_minor):012d}#{ask_id}"


def bid_price_key(price_minor: int, bid_id: str) -> str:
    """Return the sort key of a standing bid: highest price first, at one price the earliest first.

    Parameters
    ----------
    price_minor
        1 to `HIGHEST_PRICE_MINOR`, smallest currency units.
    bid_id
        UUIDv7 text, whose order is the order of placing.

    Raises
    ------
    ValueError
        The price does not fit the key.

    Examples
    --------
    >>> bid_price_key(1250, "0190163d-8694-739b-aea5-966c26f8ad91")
    '999999998749#0190163d-8694-739b-aea5-966c26f8ad91'
    """
    return f"{HIGHEST_PRICE_MINOR - _checked(price_minor):012d}#{bid_id}"


def _checked(price_minor: int) -> int:
    if not 1 <= price_minor <= HIGHEST_PRICE_MINOR:
        raise ValueError(f"price_minor={price_minor} must be 1 to {HIGHEST_PRICE_MINOR}, or keys would not sort by it")
    return price_minor
