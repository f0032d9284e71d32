"""Fees in whole minor units, and what an order must hold to be able to pay them.

A fee is a part of a trade's value in basis points (1/100 of a percent), rounded down. Rounding down makes the fee of a
sum at least the sum of the fees, so what is held for the whole of a bid covers its trades however it is filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BPS: Final = 10_000  # basis points of the whole


@dataclass(frozen=True, slots=True)
class Fees:
    """Rates in effect, in basis points: what the resting order of a trade pays, and what the arriving one pays."""

    maker_bps: int = 0
    taker_bps: int = 0


NO_FEES: Final = Fees()


def fee_minor(value_minor: int, bps: int) -> int:
    """Return the fee on a value, in minor units, rounded down."""
    return value_minor * bps // _BPS


def hold_minor(price_minor: int, quantity: int, bps: int) -> int:
    """Return what a bid must hold: its value at its limit, and the fee on it.

    Parameters
    ----------
    price_minor
        The limit.
    quantity
        Units still open.
    bps
        The highest rate the bid can be charged.
    """
    value_minor = price_minor * quantity
    return value_minor + value_minor * bps // _BPS


def affordable_quantity(budget_minor: int, price_minor: int, bps: int) -> int:
    """Return the largest quantity whose value and fee are within a budget; the inverse of `hold_minor`.

    Examples
    --------
    >>> affordable_quantity(1001, 100, 10), affordable_quantity(1000, 100, 10)
    (10, 9)
    """
    # value + value·bps // 10000 <= budget  ⟺  value·(10000 + bps) < (budget + 1)·10000
    value_minor = ((budget_minor + 1) * _BPS - 1) // (_BPS + bps)
    return value_minor // price_minor


def replacing_hold_minor(
    *, old_price_minor: int, old_bps: int, old_open: int, price_minor: int, bps: int, quantity: int
) -> int:
    """Return what placing a bid that replaces another must hold in addition.

    Parameters
    ----------
    old_price_minor, old_bps, old_open
        The replaced bid's limit, its rate, and its open units now.
    price_minor, bps, quantity
        The new bid's limit and rate, and the units it wants beyond what the replaced bid has bought by now.

    Returns
    -------
    int
        Minor units that cover the new bid together with the replaced one's hold, whatever part of the replaced bid's
        open units it still buys before it is replaced (and the new bid wants less by then).
    """
    # What is missing is linear in the units bought meanwhile but for rounding, at most 1 for each bid: the two ends
    # say how much it can be.
    bought_none = hold_minor(price_minor, quantity, bps) - hold_minor(old_price_minor, old_open, old_bps)
    bought_all = hold_minor(price_minor, max(quantity - old_open, 0), bps)
    return max(bought_none, bought_all, 0) + 2
