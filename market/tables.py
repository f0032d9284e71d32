"""What the tables of orders and trades hold, as typed rows, for all who read whole tables: checks, audits, reports.

The rows mirror the stored attributes one to one. Rows that are not orders (client order id pointers) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from market.keys import ask_price_key, bid_price_key
from market.tape import TapeCommit, decode_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class UnreadableItemError(ValueError):
    """A stored item lacks an attribute or has one of another type; the text names table, key and attribute."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTables:
    """The contents of all tables, each read completely. Order of the rows does not matter."""

    asks: tuple[OpenAsk, ...]
    sell_orders: tuple[SellOrder, ...]
    bids: tuple[Bid, ...]
    standing_bids: tuple[StandingBid, ...]
    tape: tuple[TapeCommit, ...]

    @classmethod
    def from_items(
        cls,
        *,
        asks: Iterable[Mapping[str, object]],
        sell_orders: Iterable[Mapping[str, object]],
        bids: Iterable[Mapping[str, object]],
        standing_bids: Iterable[Mapping[str, object]],
        tape: Iterable[Mapping[str, object]],
    ) -> MarketTables:
        """Type the items of each table.

        Parameters
        ----------
        asks, sell_orders, bids, standing_bids, tape
            Items as attribute name to plain value (str, int, bool, bytes, list, dict).

        Raises
        ------
        UnreadableItemError
            The first item that is not what its table holds.
        """
        return cls(
            asks=tuple(read_row(OpenAsk, item) for item in asks),
            sell_orders=tuple(read_row(SellOrder, item) for item in sell_orders if "ask_id" in item),
            bids=tuple(read_row(Bid, item) for item in bids if "bid_id" in item),
            standing_bids=tuple(read_row(StandingBid, item) for item in standing_bids),
            tape=tuple(_commit(item) for item in tape),
        )


_Row = TypeVar("_Row")

# Annotations are text (PEP 563), which is all that is needed to tell the kinds of attribute apart.
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
    "bool | None": (bool, type(None)),
    "tuple[str, ...]": (tuple,),
    "tuple[Posting, ...]": (tuple,),
}


def read_row(row: type[_Row], item: Mapping[str, object]) -> _Row:
    """Return a typed row of an item.

    Parameters
    ----------
    row
        A dataclass whose fields are attributes; attributes it does not have are left out.
    item
        Attribute name to plain value.

    Raises
    ------
    UnreadableItemError
        An attribute is missing or of another type.
    """
    described = fields(row)  # pyright: ignore[reportArgumentType]  # a dataclass, which no type variable can say
    values = {field.name: item.get(field.name) for field in described}
    for field in described:
        if type(values[field.name]) not in _KINDS[str(field.type)]:
            found = repr(values[field.name]) if field.name in item else "nothing"
            raise UnreadableItemError(
                f"{row.__name__} {dict(item)!r:.200}: {field.name} must be {field.type}, is {found}"
            )
    return row(**values)


def _commit(item: Mapping[str, object]) -> TapeCommit:
    try:
        return decode_commit(item)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        key = f"{item.get('material')}-{item.get('sequence')}"
        raise UnreadableItemError(f"TapeCommit {key}: {type(error).__name__}: {error}") from error
