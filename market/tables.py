"""What the five tables of the market hold, as typed rows, for everyone who reads whole tables: checks, audits, reports.

The rows mirror the stored attributes one to one. Rows that are not orders (client order id pointers) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from market.tape import TapeCommit, decode_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class UnreadableItemError(ValueError):
    """A stored item lacks an attribute or has one of another type; the text names table, key and attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAsk:
    """An item of the asks table: a sell order that still stands in the book."""

    material: str
    price_key: str
    ask_id: str
    seller: str
    price_minor: int
    quantity: int
    remaining: int
    placed_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SellOrder:
    """An item of the sell orders table: what a seller asked for, open or not."""

    seller: str
    ask_id: str
    material: str
    price_minor: int
    quantity: int
    placed_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """An item of the bids table. The two times are None until the matcher has handled the bid."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBid:
    """An item of the standing bids table. `taking` marks a bid whose sweep is cut over several commits."""

    material: str
    price_key: str
    bid_id: str
    buyer: str
    price_minor: int
    quantity: int
    remaining: int
    placed_at_ms: int
    taking: bool | None = None


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
            asks=tuple(_row(OpenAsk, item) for item in asks),
            sell_orders=tuple(_row(SellOrder, item) for item in sell_orders if "ask_id" in item),
            bids=tuple(_row(Bid, item) for item in bids if "bid_id" in item),
            standing_bids=tuple(_row(StandingBid, item) for item in standing_bids),
            tape=tuple(_commit(item) for item in tape),
        )


_Row = TypeVar("_Row", OpenAsk, SellOrder, Bid, StandingBid)

# Annotations are text (PEP 563), which is all that is needed to tell the kinds of attribute apart.
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "int | None": (int, type(None)),
    "bool | None": (bool, type(None)),
}


def _row(row: type[_Row], item: Mapping[str, object]) -> _Row:
    values = {field.name: item.get(field.name) for field in fields(row)}
    for field in fields(row):
        if type(values[field.name]) not in _KINDS[str(field.type)]:
            found = repr(values[field.name]) if field.name in item else "nothing"
            raise UnreadableItemError(
                f"{row.__name__} {dict(item)!r:.200}: {field.name} must be {field.type}, is {found}"
            )
    return row(**values)  # pyright: ignore[reportArgumentType]  # checked field by field above


def _commit(item: Mapping[str, object]) -> TapeCommit:
    try:
        return decode_commit(item)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        key = f"{item.get('material')}-{item.get('sequence')}"
        raise UnreadableItemError(f"TapeCommit {key}: {type(error).__name__}: {error}") from error
