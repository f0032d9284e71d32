"""What can happen to an order at the matcher, one thing at a time and in order of arrival.

Turns other than arrivals name the order they are about. They are state based: one that comes again or too late finds
its order gone or changed already, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from market.side import Side
    from market.tables import Bid, OpenAsk, SellOrder, StandingBid


@dataclass(frozen=True, slots=True)
class Target:
    """The order a turn is about.

    Parameters
    ----------
    side, order_id, player
        Which, and whose.
    resting
        Its item of the book, read after the tape's head; None if it has none. An order that only gets into the book
        in this batch has none.
    """

    side: Side
    order_id: str
    player: str
    resting: OpenAsk | StandingBid | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new order arrives: any bid, or an ask that is not stored in the book from the start.

    `replaces` is the order whose place it takes; given exactly if the order's own `replaces` is.
    """

    order: Bid | SellOrder
    replaces: Target | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The player gives the order up."""

    target: Target


@dataclass(frozen=True, slots=True)
class Reduce:
    """The player wants a smaller quantity in all, what is traded included; the order keeps its place."""

    target: Target
    quantity: int


@dataclass(frozen=True, slots=True)
class Expire:
    """The order's time may be over; if it is not, nothing happens."""

    target: Target


Turn: TypeAlias = "Arrival | Cancel | Reduce | Expire"
