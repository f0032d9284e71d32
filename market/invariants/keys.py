"""The book's order, spelled out again on purpose: the check must not inherit a fault of the keys it checks."""

from __future__ import annotations

_HIGHEST_PRICE_MINOR = 999_999_999_999


def ask_key(price_minor: int, ask_id: str) -> str:
    """Return an ask's place: the lowest price first, at one price the earliest."""
    return f"{price_minor:012d}#{ask_id}"


def bid_key(price_minor: int, bid_id: str) -> str:
    """Return a bid's place: the highest price first, at one price the earliest."""
    return f"{_HIGHEST_PRICE_MINOR - price_minor:012d}#{bid_id}"
