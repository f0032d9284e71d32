"""What matching a batch comes to, step by step: orders placed, withdrawn, reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from market.endings import Ending
    from market.tables import Bid, OpenAsk, SellOrder, StandingBid


class Trade(NamedTuple):
    """How much of a resting order is traded, at its price, and what buyer and seller pay for it in fees."""

    maker: OpenAsk | StandingBid
    quantity: int
    buyer_fee_minor: int
    seller_fee_minor: int


class Withdrawal(NamedTuple):
    """A resting order closes without trading."""

    order: OpenAsk | StandingBid
    ending: Ending


class Reduction(NamedTuple):
    """A resting order wants fewer units in all, more than it has traded; it keeps its place."""

    order: OpenAsk | StandingBid
    quantity: int


class Placement(NamedTuple):
    """One order's turn as taker.

    Parameters
    ----------
    taker
        The order as it was read; an order that replaces another one with the quantity that is left for it.
    trades
        Its trades, in order.
    rests
        What of it stands in the book afterwards.
    ending
        Why the rest of it does not stand; None if it does, or nothing is left.
    replaced
        The resting order whose place it takes, which closes with its arrival.
    withdrawn
        Orders that close with the end of its turn.
    """

    taker: OpenAsk | StandingBid | Bid | SellOrder
    trades: tuple[Trade, ...] = ()
    rests: OpenAsk | StandingBid | None = None
    ending: Ending | None = None
    replaced: OpenAsk | StandingBid | None = None
    withdrawn: tuple[Withdrawal, ...] = ()


Step: TypeAlias = "Placement | Withdrawal | Reduction"
