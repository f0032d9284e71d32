"""Who changes what in the market, and why: told from the images of a change, which no writer has to sign.

What the writers leave in the items anyway is enough: who placed an order, what its player asked for, how it ended, and,
on an account's line, the cause of the last write, the same text that the journal's entry of that write has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from patterns.historic.attribution import TIME_TO_LIVE, Signature

if TYPE_CHECKING:
    from patterns.historic.attribution import Change
    from patterns.historic.images import Image

MATCHER = "matcher"
"""The actor of what becomes of an order after its player asked for it."""

SETTLEMENT = "settlement"
"""The actor of what a trade or an order's end does to accounts."""

SERVICE = "service"
"""The actor of deposits and withdrawals: the game's own service."""

OPERATOR = "operator"
"""The actor of what an operator does by hand."""

_BY_HAND = ("redriven", "abandoned")
_OPEN_SETS = ("open_asks", "open_bids")


def attribute_order(change: Change) -> Signature:
    """Return who changed an order's record, of either side: its player, or the matcher.

    Time: what the writer noted in the item where it did (placing, first matching), else the stream's.
    """
    before, after = change.before or {}, change.after or {}
    player = _text(after or before, "seller") or _text(after or before, "buyer")
    if change.operation == "INSERT":
        return Signature(player, "placed", _time(after, "placed_at_ms"))
    if change.operation == "REMOVE":
        return Signature()
    if "request_id" in after and after["request_id"] != before.get("request_id"):
        asked = "asked to cancel"
        if _text(after, "request") == "REDUCE":
            asked = f"asked to reduce to {after.get('request_quantity', {}).get('N')}"
        return Signature(player, asked)
    at_ms = _time(after, "matched_at_ms") if "matched_at_ms" not in before else None
    return Signature(MATCHER, _done(before, after, handled=at_ms is not None), at_ms)


def attribute_ask(change: Change) -> Signature:
    """Return who changed an ask in the book: its seller or the matcher put it there, nobody else touches it."""
    before, after = change.before or {}, change.after or {}
    if change.operation == "INSERT":
        return Signature(_text(after, "seller"), "placed", _time(after, "placed_at_ms"))
    if change.operation == "REMOVE":
        return Signature(MATCHER, "left the book")
    return Signature(MATCHER, "matched" if after.get("quantity") == before.get("quantity") else "reduced")


def attribute_account(change: Change) -> Signature:
    """Return what caused a write to an account's line: an order of its player, a settlement, or a transfer."""
    before, after = change.before or {}, change.after or {}
    player, cause = _text(after, "player"), _text(after, "write_id")
    if change.operation == "REMOVE" or cause == _text(before, "write_id"):  # written past the market
        return Signature()
    match cause.partition("#")[0]:
        case "order":
            return Signature(player, cause)
        case "settlement":
            return Signature(SETTLEMENT, cause)
        case "deposit" | "withdrawal":
            return Signature(SERVICE, cause)
        case _:
            return _opened_or_closed(player, before, after)


def attribute_settlement(change: Change) -> Signature:
    """Return what happened to a settlement: the newest event the processor noted, or that work on it began."""
    before, after = change.before or {}, change.after or {}
    if change.operation == "REMOVE":
        return Signature(TIME_TO_LIVE if change.expired else None)
    events = _events(after)
    if not events or events == _events(before):
        return Signature(SETTLEMENT, "continued")
    event = events[-1].get("M", {})
    what, step = _text(event, "event"), _text(event, "step")
    return Signature(OPERATOR if what in _BY_HAND else SETTLEMENT, f"{what} {step}".rstrip(), _time(event, "at_ms"))


def _done(before: Image, after: Image, *, handled: bool) -> str:
    if "reason" in after and "reason" not in before:
        return f"{_text(after, 'status').lower()}: {_text(after, 'reason')}"
    if after.get("filled") != before.get("filled"):
        return "matched"
    if after.get("quantity") != before.get("quantity"):
        return "reduced"
    return "found no match yet" if handled else "request done"


def _opened_or_closed(player: str, before: Image, after: Image) -> Signature:
    """A write that moved nothing has no entry in the journal: an order joined or left the open ones."""
    for name in _OPEN_SETS:
        was, now = _members(before, name), _members(after, name)
        if now - was:
            return Signature(player, f"order#{UUID(bytes=min(now - was))}")
        if was - now:
            return Signature(SETTLEMENT, f"closed {UUID(bytes=min(was - now))}")
    return Signature()


def _text(image: Image, name: str) -> str:
    return str(image.get(name, {}).get("S", ""))


def _time(image: Image, name: str) -> int | None:
    digits = image.get(name, {}).get("N", "")
    return int(digits) if digits.isdigit() else None


def _members(image: Image, name: str) -> set[bytes]:
    return set(image.get(name, {}).get("BS", ()))


def _events(image: Image) -> list[dict[str, Any]]:
    return list(image.get("history", {}).get("L", ()))
