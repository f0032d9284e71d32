"""A commit: what one transaction changes of the book, the orders and the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from market.tables import Bid, OpenAsk, SellOrder, StandingBid
    from market.tape import Closing, TapeOrder, TradeFill


class AskChange(NamedTuple):
    """An item of the asks table before and after a commit; None where the ask is not in the book."""

    before: OpenAsk | None
    after: OpenAsk | None


class StandingChange(NamedTuple):
    """A standing bid before and after a commit; None where it does not stand."""

    before: StandingBid | None
    after: StandingBid | None


class BidChange(NamedTuple):
    """A buyer's bid, after a commit.

    Parameters
    ----------
    buyer, bid_id
        Its key.
    quantity
        Total; an arriving replacement and a reduced bid have another one than before.
    filled_before, filled
        What was filled before, 0 for an arrival, and is after.
    arrival
        The bid as the stream brought it, in the commit that handles it first; a replacement with its quantity after.
    closed
        How it closed in this commit; None if it is open.
    request_done
        Whether a cancel or a reduction asked for was carried out: its mark on the bid goes.
    """

    buyer: str
    bid_id: str
    quantity: int
    filled_before: int
    filled: int
    arrival: Bid | None = None
    closed: Closing | None = None
    request_done: bool = False

    @property
    def status(self) -> str:
        """Status after the commit: NEW, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or REJECTED."""
        if self.closed is not None:
            return self.closed.status
        return "PARTIALLY_FILLED" if self.filled else "NEW"

    @property
    def reason(self) -> str | None:
        """Why it is CANCELED, EXPIRED or REJECTED."""
        return self.closed.reason if self.closed else None


class SellOrderChange(NamedTuple):
    """A seller's order, after a commit that handles it first, closes it unsold, or carries out what was asked for.

    All other fills and the selling out of an ask show in the book alone. Parameters as of `BidChange`.
    """

    seller: str
    ask_id: str
    quantity: int
    filled: int
    arrival: SellOrder | None = None
    closed: Closing | None = None
    request_done: bool = False

    @property
    def status(self) -> str | None:
        """CANCELED, EXPIRED, REJECTED, or None: then the book says how far it is sold."""
        return self.closed.status if self.closed and self.closed.reason else None

    @property
    def reason(self) -> str | None:
        """Why it is CANCELED, EXPIRED or REJECTED."""
        return self.closed.reason if self.closed else None


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction: the changes of the book, the orders and the tape that go together."""

    material: str
    sequence: int
    asks: tuple[AskChange, ...]
    standing_bids: tuple[StandingChange, ...]
    bids: tuple[BidChange, ...]
    sell_orders: tuple[SellOrderChange, ...]
    fills: tuple[TradeFill, ...]
    orders: tuple[TapeOrder, ...]

    @property
    def items(self) -> int:
        """Number of items written, the tape's included."""
        return 1 + len(self.asks) + len(self.standing_bids) + len(self.bids) + len(self.sell_orders)

    @property
    def arrivals(self) -> tuple[Bid | SellOrder, ...]:
        """Orders that this commit handles for the first time: bids, then asks, each in order of arrival."""
        changes = (*self.bids, *self.sell_orders)
        return tuple(change.arrival for change in changes if change.arrival is not None)
