"""An order as the API shows it to its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.api.timestamps import iso_utc
from market.money import format_price
from market.requests.placing import OrderType
from market.tracing import HOPS
from patterns.dynamodb.items import read_int, read_str

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Item

PENDING: Final = "PENDING"
"""Status of an order that the matcher has not handled."""

OPEN_STATUSES: Final = (PENDING, "NEW", "PARTIALLY_FILLED")
"""Statuses of an order that may still trade."""

_RECORDED_HOPS: Final = ("received_at_ms", "placed_at_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A player's ask or bid and how far it has come.

    Parameters
    ----------
    side
        ``SELL`` or ``BUY``.
    limit_minor
        Limit price, smallest currency units; None for a market order.
    quantity, filled
        Units asked for, and of those the units traded.
    status, reason
        One of `OPEN_STATUSES`, FILLED, or CANCELED, EXPIRED or REJECTED with the reason.
    placed_at_ms, expires_at_ms
        Epoch milliseconds.
    time_in_force, post_only, client_order_id
        As asked for when it was placed.
    replaces
        Id of the order whose place it took.
    request, request_quantity
        What its player has asked for and the matcher has not executed: ``CANCEL``, or ``REDUCE`` to a quantity in all.
    fee_bps
        Of a bid, the highest rate it pays; 0 for an ask.
    trace_id, hops
        The trace of the request that placed it, and the times of its way through the market as far as they are known,
        epoch milliseconds by `market.tracing.HOPS`.
    """

    order_id: str
    side: str
    material: str
    limit_minor: int | None
    quantity: int
    filled: int
    status: str
    reason: str | None
    placed_at_ms: int
    expires_at_ms: int | None
    time_in_force: str
    post_only: bool
    client_order_id: str | None
    replaces: str | None
    request: str | None
    request_quantity: int | None
    fee_bps: int
    trace_id: str | None = None
    hops: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def is_open(self) -> bool:
        """Whether it may still trade."""
        return self.status in OPEN_STATUSES

    def as_json(self, currency_digits: int) -> dict[str, object]:
        """Return the order's JSON object; the price has exactly `currency_digits` decimals."""
        is_market = self.limit_minor is None
        document: dict[str, object] = {
            "id": self.order_id,
            "side": self.side,
            "material": self.material,
            "type": str(OrderType.MARKET if is_market else OrderType.LIMIT),
            "price": None if self.limit_minor is None else format_price(self.limit_minor, currency_digits),
            "quantity": self.quantity,
            "filled": self.filled,
            "remaining": self.quantity - self.filled if self.is_open else 0,
            "status": self.status,
            "reason": self.reason,
            "time_in_force": self.time_in_force,
            "post_only": self.post_only,
            "placed_at": iso_utc(self.placed_at_ms),
            "expires_at": None if self.expires_at_ms is None else iso_utc(self.expires_at_ms),
            "replaces": self.replaces,
            "request": self.request if self.is_open else None,
            "request_quantity": self.request_quantity if self.is_open else None,
            "trace": {"trace_id": self.trace_id, "hops": dict(self.hops)},
        }
        if self.client_order_id is not None:
            document["client_order_id"] = self.client_order_id
        return document


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of a player's orders, newest first.

    Parameters
    ----------
    orders
        The page.
    last
        Id of its last order if there are more after it, else None.
    """

    orders: tuple[Order, ...]
    last: str | None


def order_of(record: Item, side: str, *, quantity: int, filled: int, status: str) -> Order:
    """Return the order of a record, a bid or a sell order.

    Parameters
    ----------
    record
        The item; attributes it lacks have their defaults.
    side
        ``SELL`` or ``BUY``.
    quantity, filled, status
        How far it has come, which the record alone does not always say.
    """
    return Order(
        order_id=read_str(record, "order_key"),
        side=side,
        material=read_str(record, "material"),
        limit_minor=None if "order_type" in record else read_int(record, "price_minor"),
        quantity=quantity,
        filled=filled,
        status=status,
        reason=_text(record, "reason"),
        placed_at_ms=read_int(record, "placed_at_ms"),
        expires_at_ms=_number(record, "expires_at_ms"),
        time_in_force=_text(record, "time_in_force") or "GTC",
        post_only="post_only" in record,
        client_order_id=_text(record, "client_order_id"),
        replaces=_text(record, "replaces"),
        request=_text(record, "request"),
        request_quantity=_number(record, "request_quantity"),
        fee_bps=_number(record, "fee_bps") or 0,
        trace_id=_text(record, "trace_id"),
        hops=_hops(record),
    )


def _hops(record: Item) -> dict[str, int]:
    # The record's own times of the matcher are of other things: of a plain ask, when it was canceled.
    stored = record.get("hops")
    times = {name: record[name] for name in _RECORDED_HOPS if name in record}
    times |= stored if isinstance(stored, dict) else {}
    return {name: read_int(times, name) for name in HOPS if name in times}


def _text(record: Item, name: str) -> str | None:
    return read_str(record, name) if name in record else None


def _number(record: Item, name: str) -> int | None:
    return read_int(record, name) if name in record else None
