"""The tables with a history, by the names they have in it, and who changes what in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patterns.historic.attribution import Signature
from patterns.historic.item_key import ItemKeys

if TYPE_CHECKING:
    from patterns.historic.attribution import Change
    from patterns.historic.images import Image

BIDS = ItemKeys("bids", "buyer", "order_key")
ASKS = ItemKeys("asks", "material", "price_key")

MATCHER = "matcher"
"""The actor of every change after the placing."""


def attribute(change: Change) -> Signature:
    """Return who changed an order: its player placed it, and nobody but the matcher touches it afterwards.

    Time: what the writer noted in the item where it did (placing, first matching), else the stream's.
    """
    if change.operation == "INSERT":
        image = change.after or {}
        player = image.get("seller", image.get("buyer", {})).get("S")
        return Signature(player, "placed", _time(image, "placed_at_ms"))
    before, after = change.before or {}, change.after or {}
    if change.operation == "REMOVE":
        return Signature(MATCHER, "sold out")
    if "matched_at_ms" in after and "matched_at_ms" not in before:
        why = "matched" if after.get("filled") != before.get("filled") else "found no match yet"
        return Signature(MATCHER, why, _time(after, "matched_at_ms"))
    return Signature(MATCHER, "matched")


def _time(image: Image, name: str) -> int | None:
    digits = image.get(name, {}).get("N", "")
    return int(digits) if digits.isdigit() else None
