"""One order that a batch has touched: what it was before the commit being drafted, and what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from market.endings import Ending
from market.fees import hold_minor
from market.matching.changes import BidChange, SellOrderChange
from market.matching.order_kinds import RESTING, SELLING
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import Closing, TapeOrder

if TYPE_CHECKING:
    from market.tables import ArrivingOrder, RestingOrder


# Members and values bound once: a look-up on an Enum class runs Python code every time in CPython 3.11.
_BUY = Side.BUY
_SELL = Side.SELL
_FILLED = Ending.FILLED.value


class TouchedOrder:
    """One order: its state, and what the draft changes of it.

    Parameters
    ----------
    terms
        The order as the batch found it: as it arrived, or as it rested.
    order_id
        Its id.

    Attributes
    ----------
    before
        Its item of the book before the draft, None if it had none.
    rests
        Whether it has one after.
    taking
        Whether it still takes, its sweep being cut.
    held
        What it held before the draft, minor units or units.
    closed
        How it closed.
    request_done
        Whether the draft carries out what its player asked for.
    items
        How many items of the draft are its.
    """

    __slots__ = (
        "arrival",
        "before",
        "budget_minor",
        "closed",
        "fee_bps",
        "filled_before",
        "held",
        "items",
        "order_id",
        "player",
        "price_minor",
        "quantity",
        "remaining",
        "request_done",
        "rests",
        "side",
        "taking",
        "terms",
    )

    def __init__(self, terms: RestingOrder | ArrivingOrder, order_id: str) -> None:
        self.terms = terms
        self.order_id = order_id
        self.price_minor = terms.price_minor
        self.quantity = terms.quantity
        self.items = 0
        self.closed: Closing | None = None
        self.request_done = False
        self.taking = False
        self.budget_minor: int | None = None
        self.fee_bps = 0
        if isinstance(terms, SELLING):
            self.side, self.player = _SELL, terms.seller
        else:
            self.side, self.player = _BUY, terms.buyer
            self.fee_bps = terms.fee_bps or 0
        if isinstance(terms, RESTING):
            self.before: RestingOrder | None = terms
            self.arrival: ArrivingOrder | None = None
            self.remaining = terms.remaining
            self.rests = True
            if isinstance(terms, StandingBid):
                self.budget_minor = terms.budget_minor
            self.held = self.hold_of(self.remaining)
        else:
            self.before, self.arrival = None, terms
            self.remaining = terms.quantity
            self.rests = False
            if isinstance(terms, Bid) and terms.order_type == "MARKET":
                self.budget_minor = terms.hold or 0
            self.held = self._hold_at_arrival(terms)
        self.filled_before = self.quantity - self.remaining

    def _hold_at_arrival(self, order: ArrivingOrder) -> int:
        if order.hold is not None:
            return order.hold
        return 0 if order.replaces is not None else self.hold_of(self.remaining)

    def hold_of(self, remaining: int) -> int:
        """Return what the order must hold while this much of it is open."""
        if self.side is _SELL:
            return remaining
        if self.budget_minor is not None:
            return self.budget_minor
        return hold_minor(self.price_minor, remaining, self.fee_bps)

    @property
    def filled(self) -> int:
        """Units traded so far; those withdrawn are neither filled nor open."""
        return self.quantity - self.remaining - (self.closed.withdrawn if self.closed else 0)

    @property
    def record_changes(self) -> bool:
        """Whether the draft changes the player's record of the order, besides the book."""
        if self.arrival is not None or self.request_done:
            return True
        if self.side is _SELL:
            return self.closed is not None and self.closed.reason is not None
        return self.closed is not None or self.filled != self.filled_before

    def trade(self, quantity: int) -> None:
        """Fill a part of the order; filled completely, it closes."""
        self.remaining -= quantity
        if not self.remaining:
            self._end(*_FILLED)

    def close(self, ending: Ending) -> None:
        """Withdraw whatever is open."""
        self._end(*ending.value)

    def _end(self, status: str, reason: str | None) -> None:
        self.closed = Closing(status, reason, self.quantity, self.remaining)
        self.remaining = 0
        self.rests = False

    def row(self) -> RestingOrder | None:
        """Return the order's item of the book as it is to be; the very item it had if nothing about it changes."""
        if not self.rests:
            return None
        terms, remaining, quantity = self.terms, self.remaining, self.quantity
        if isinstance(terms, RESTING):
            row = terms
        else:
            row = StandingBid.of(terms, remaining) if isinstance(terms, Bid) else OpenAsk.of(terms, remaining)
        if isinstance(row, OpenAsk):
            if row.remaining == remaining and row.quantity == quantity:
                return row
            return replace(row, remaining=remaining, quantity=quantity)
        taking = True if self.taking else None
        budget_minor = self.budget_minor
        if (row.remaining, row.quantity, row.taking, row.budget_minor) == (remaining, quantity, taking, budget_minor):
            return row
        return replace(row, remaining=remaining, quantity=quantity, taking=taking, budget_minor=budget_minor)

    def bid_change(self) -> BidChange:
        """Return what the draft changes of the bid."""
        assert self.arrival is None or isinstance(self.arrival, Bid)
        return BidChange(
            buyer=self.player,
            bid_id=self.order_id,
            quantity=self.quantity,
            filled_before=self.filled_before,
            filled=self.filled,
            arrival=self.arrival,
            closed=self.closed,
            request_done=self.request_done,
        )

    def sell_order_change(self) -> SellOrderChange:
        """Return what the draft changes of the seller's order."""
        assert self.arrival is None or isinstance(self.arrival, SellOrder)
        return SellOrderChange(
            seller=self.player,
            ask_id=self.order_id,
            quantity=self.quantity,
            filled=self.filled,
            arrival=self.arrival,
            closed=self.closed,
            request_done=self.request_done,
        )

    def tape_order(self) -> TapeOrder | None:
        """Return what the tape says of the order; None if the draft neither trades, releases nor closes it."""
        released = self.held - (self.hold_of(self.remaining) if self.closed is None else 0)
        if not released and self.closed is None and self.filled == self.filled_before:
            return None
        return TapeOrder(self.order_id, self.player, self.side, released, self.closed)

    def committed(self, row: RestingOrder | None) -> None:
        """Start anew from the state the draft leaves."""
        self.before = row
        if row is not None:
            self.terms = row
            self.held = self.hold_of(self.remaining)
        self.filled_before = self.filled
        self.arrival = None
        self.request_done = False
        self.items = 0
