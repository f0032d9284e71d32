"""A version of an order as its player sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.api.timestamps import iso_utc
from market.money import format_price
from patterns.dynamodb.items import decode_item, read_int, read_str

if TYPE_CHECKING:
    from patterns.historic.images import Image
    from patterns.historic.version import Version


@dataclass(frozen=True, slots=True)
class OrderState:
    """How far an order had come."""

    price_minor: int
    quantity: int
    filled: int
    status: str

    def as_json(self, currency_digits: int) -> dict[str, object]:
        """Return the state's JSON object."""
        return {
            "price": format_price(self.price_minor, currency_digits),
            "quantity": self.quantity,
            "filled": self.filled,
            "remaining": self.quantity - self.filled,
            "status": self.status,
        }


def order_state(image: Image | None, sold_out: Image | None = None) -> OrderState | None:
    """Return the state in an image of a bid or an open ask.

    Parameters
    ----------
    image
        The item; ``None`` where there is none.
    sold_out
        The ask before it left the book: without an item now, it is sold out.
    """
    if image is None:
        if sold_out is None:
            return None
        ask = decode_item(sold_out)
        quantity = read_int(ask, "quantity")
        return OrderState(read_int(ask, "price_minor"), quantity, quantity, "FILLED")
    order = decode_item(image)
    quantity = read_int(order, "quantity")
    if "remaining" not in order:
        return OrderState(
            read_int(order, "price_minor"), quantity, read_int(order, "filled"), read_str(order, "status")
        )
    filled = quantity - read_int(order, "remaining")
    return OrderState(read_int(order, "price_minor"), quantity, filled, "PARTIALLY_FILLED" if filled else "NEW")


def version_json(version: Version, currency_digits: int) -> dict[str, object]:
    """Return a version, read with the image before it, as JSON: when, who, why, the state after it, what changed."""
    before = order_state(version.before)
    after = order_state(version.after, version.before)
    state = after.as_json(currency_digits) if after else None
    was = before.as_json(currency_digits) if before else {}
    return {
        "version": version.label,
        "at": iso_utc(version.at_ms),
        "by": version.actor,
        "why": version.reason,
        "order": state,
        "changes": [
            {"field": name, "before": was.get(name), "after": value}
            for name, value in (state or {}).items()
            if was.get(name) != value
        ],
    }
