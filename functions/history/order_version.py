"""A version of an order as its player sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from functions.api.timestamps import iso_utc
from market.money import format_price
from patterns.dynamodb.items import decode_item, read_int, read_str

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item
    from patterns.historic.images import Image
    from patterns.historic.version import Version


@dataclass(frozen=True, slots=True)
class OrderState:
    """How far an order had come; `filled` and `status` are None where another item of the same order says it."""

    price_minor: int | None
    quantity: int
    filled: int | None
    status: str | None
    reason: str | None = None

    def as_json(self, currency_digits: int) -> dict[str, object]:
        """Return the state's JSON object."""
        is_open = self.status in ("PENDING", "NEW", "PARTIALLY_FILLED")
        remaining = None if self.filled is None else self.quantity - self.filled if is_open else 0
        return {
            "price": None if self.price_minor is None else format_price(self.price_minor, currency_digits),
            "quantity": self.quantity,
            "filled": self.filled,
            "remaining": remaining,
            "status": self.status,
            "reason": self.reason,
        }


def order_state(image: Image | None) -> OrderState | None:
    """Return the state in an image of an order's record, or of an ask in the book; None where there is no item."""
    if image is None:
        return None
    order = decode_item(image)
    quantity = read_int(order, "quantity")
    if "remaining" in order:
        filled = quantity - read_int(order, "remaining")
        return OrderState(_price(order), quantity, filled, "PARTIALLY_FILLED" if filled else "NEW")
    status, reason = cast("str | None", order.get("status")), cast("str | None", order.get("reason"))
    filled = cast("int | None", order.get("filled", 0 if status == "PENDING" else None))
    return OrderState(_price(order), quantity, filled, status, reason)


def end_of_ask(record: Item) -> OrderState:
    """Return the state of an ask that has left the book, by its seller's record: closed, or else sold out."""
    quantity = read_int(record, "quantity")
    if "status" not in record:
        return OrderState(_price(record), quantity, quantity, "FILLED")
    filled = cast("int | None", record.get("filled"))
    return OrderState(
        _price(record), quantity, filled, read_str(record, "status"), cast("str | None", record.get("reason"))
    )


def version_json(version: Version, part: str, currency_digits: int, record: Item | None = None) -> dict[str, object]:
    """Return a version as JSON: when, who, why, the state after it, what changed.

    Parameters
    ----------
    version
        Read with the image before it.
    part
        Which of the order's items it is of: ``order`` (its player's record) or ``book``.
    currency_digits
        Decimal digits of the currency.
    record
        For the book: the record as it is now, which says how an ask ended that has left the book.
    """
    before, after = order_state(version.before), order_state(version.after)
    if not version.exists and record is not None:
        after = end_of_ask(record)
    state = after.as_json(currency_digits) if after else None
    was = before.as_json(currency_digits) if before else {}
    return {
        "part": part,
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


def _price(order: Item) -> int | None:
    return None if order.get("order_type") == "MARKET" else read_int(order, "price_minor")
