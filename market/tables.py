"""What the tables of orders hold, as typed rows.

The rows mirror the stored attributes one to one. Rows that are not orders (client order id pointers) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from market.keys import ask_price_key, bid_price_key


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAsk:
    """An item of the asks table: a sell order that still stands in the book.

    `immediate` marks what is left of an ask that may only trade at once, while its sweep is cut over several commits.
    """

    material: str
    price_key: str
    ask_id: str
    seller: str
    price_minor: int
    quantity: int
    remaining: int
    placed_at_ms: int
    expires_at_ms: int | None = None
    immediate: bool | None = None

    @classmethod
    def of(cls, order: SellOrder, remaining: int) -> OpenAsk:
        """Return what of an arriving sell order goes into the book."""
        return cls(
            material=order.material,
            price_key=ask_price_key(order.price_minor, order.ask_id),
            ask_id=order.ask_id,
            seller=order.seller,
            price_minor=order.price_minor,
            quantity=order.quantity,
            remaining=remaining,
            placed_at_ms=order.placed_at_ms,
            expires_at_ms=order.expires_at_ms,
            immediate=True if is_immediate(order) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SellOrder:
    """An item of the sell orders table: what a seller asked for, open or not.

    `status` is PENDING until the matcher has handled an ask that arrives at it, and says how an ask closed that was not
    sold out; then `filled` is what it sold. `hold` is the units that placing it moved to held. The names shared with
    `Bid` mean the same.
    """

    seller: str
    ask_id: str
    material: str
    price_minor: int
    quantity: int
    placed_at_ms: int
    status: str | None = None
    filled: int | None = None
    reason: str | None = None
    order_type: str | None = None
    time_in_force: str | None = None
    post_only: bool | None = None
    expires_at_ms: int | None = None
    replaces: str | None = None
    replaced_filled: int | None = None
    hold: int | None = None
    request: str | None = None
    request_id: str | None = None
    request_quantity: int | None = None
    sequenced_at_ms: int | None = None
    matched_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """An item of the bids table. `sequenced_at_ms` and `matched_at_ms` are None until the matcher has handled the bid.

    `order_type` is MARKET or None (a limit order); `time_in_force` IOC, FOK, GTD or None (GTC). `replaces` is the id of
    the order whose place this one takes, `replaced_filled` what that one had traded when this was asked for. `hold` is
    the minor units that placing moved to held, `fee_bps` the highest rate the bid pays. `request` is CANCEL or REDUCE
    (to `request_quantity`) from when its player asks for it until the matcher has done it.
    """

    buyer: str
    bid_id: str
    material: str
    price_minor: int
    quantity: int
    filled: int
    status: str
    placed_at_ms: int
    sequenced_at_ms: int | None = None
    matched_at_ms: int | None = None
    reason: str | None = None
    order_type: str | None = None
    time_in_force: str | None = None
    post_only: bool | None = None
    expires_at_ms: int | None = None
    replaces: str | None = None
    replaced_filled: int | None = None
    hold: int | None = None
    fee_bps: int | None = None
    request: str | None = None
    request_id: str | None = None
    request_quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBid:
    """An item of the standing bids table.

    `taking` marks a bid whose sweep is cut over several commits, `immediate` one of those that may only trade at once.
    `budget_minor` is the money a market bid has left.
    """

    material: str
    price_key: str
    bid_id: str
    buyer: str
    price_minor: int
    quantity: int
    remaining: int
    placed_at_ms: int
    taking: bool | None = None
    fee_bps: int | None = None
    expires_at_ms: int | None = None
    immediate: bool | None = None
    budget_minor: int | None = None

    @classmethod
    def of(cls, bid: Bid, remaining: int) -> StandingBid:
        """Return what of an arriving bid stands; a market bid's budget is its whole hold."""
        return cls(
            material=bid.material,
            price_key=bid_price_key(bid.price_minor, bid.bid_id),
            bid_id=bid.bid_id,
            buyer=bid.buyer,
            price_minor=bid.price_minor,
            quantity=bid.quantity,
            remaining=remaining,
            placed_at_ms=bid.placed_at_ms,
            fee_bps=bid.fee_bps,
            expires_at_ms=bid.expires_at_ms,
            immediate=True if is_immediate(bid) else None,
            budget_minor=(bid.hold or 0) if bid.order_type == "MARKET" else None,
        )


RestingOrder: TypeAlias = "OpenAsk | StandingBid"
ArrivingOrder: TypeAlias = "Bid | SellOrder"


def is_immediate(order: ArrivingOrder) -> bool:
    """Whether an order may only trade at once: what is left of it never rests."""
    return order.time_in_force in _IMMEDIATE or order.order_type == "MARKET"


_IMMEDIATE = frozenset({"IOC", "FOK"})
