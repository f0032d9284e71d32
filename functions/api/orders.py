"""An order as the API shows it to its owner."""

from __future__ import annotations

from dataclasses import dataclass

from functions.api.timestamps import iso_utc
from market.money import format_price


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A player's ask or bid and how far it has come.

    Parameters
    ----------
    side
        ``SELL`` or ``BUY``.
    price_minor
        Limit price, smallest currency units.
    quantity, filled
        Units asked for, and of those the units traded.
    status
        PENDING (bids only: the matcher has not seen it), NEW, PARTIALLY_FILLED or FILLED.
    placed_at_ms
        Epoch milliseconds.
    """

    order_id: str
    side: str
    material: str
    price_minor: int
    quantity: int
    filled: int
    status: str
    placed_at_ms: int
    client_order_id: str | None

    def as_json(self, currency_digits: int) -> dict[str, object]:
        """Return the order's JSON object; the price has exactly `currency_digits` decimals."""
        document: dict[str, object] = {
            "id": self.order_id,
            "side": self.side,
            "material": self.material,
            "price": format_price(self.price_minor, currency_digits),
            "quantity": self.quantity,
            "filled": self.filled,
            "remaining": self.quantity - self.filled,
            "status": self.status,
            "placed_at": iso_utc(self.placed_at_ms),
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
