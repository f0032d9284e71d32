"""What is on a tape: commits, their trades, and what they do to orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from market.fees import NO_FEES, Fees

if TYPE_CHECKING:
    from market.side import Side


class TradeFill(NamedTuple):
    """One trade: its number within the commit (from 1), both sides, the resting order's price, the quantity, the fees.

    The buyer pays price times quantity and `buyer_fee_minor`; the seller gets it less `seller_fee_minor`.
    """

    n: int
    bid_id: str
    buyer: str
    ask_id: str
    seller: str
    price_minor: int
    quantity: int
    taker_side: Side
    buyer_fee_minor: int = 0
    seller_fee_minor: int = 0


class Closing(NamedTuple):
    """How an order closed.

    Parameters
    ----------
    status
        FILLED, CANCELED, EXPIRED or REJECTED.
    reason
        One of `market.endings.Ending`, None if it is FILLED.
    quantity
        Its total in the end: what traded in all, and what was withdrawn.
    withdrawn
        Units that were still open.
    """

    status: str
    reason: str | None
    quantity: int
    withdrawn: int


class TapeOrder(NamedTuple):
    """What a commit does to one order's hold.

    Parameters
    ----------
    order_id, player, side
        Which, whose.
    released
        What leaves the hold, minor units of a bid, units of an ask: what its trades in this commit cost it, and
        whatever it need not hold any longer.
    closed
        How it closed in this commit; None if it is still open.
    """

    order_id: str
    player: str
    side: Side
    released: int
    closed: Closing | None


@dataclass(frozen=True, slots=True)
class TapeCommit:
    """One commit of the matcher: its place on the material's tape, its times in epoch ms, its fills in order.

    `orders` has each order that traded, released or closed, once. `rates` are the fees in effect (not kept without
    fills); a bid placed at lower ones pays those.
    """

    material: str
    sequence: int
    committed_at_ms: int
    received_at_ms: int
    fills: tuple[TradeFill, ...]
    orders: tuple[TapeOrder, ...] = ()
    rates: Fees = NO_FEES


def trade_id(material: str, sequence: int, n: int) -> str:
    """Return the id of a trade, for example ``"copper-12-3"``: derived, so it is the same on every reading."""
    return f"{material}-{sequence}-{n}"
