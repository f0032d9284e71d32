"""Whole tables as typed rows, for all who read everything: checks, audits, reports."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import TapeCommit, decode_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class UnreadableItemError(ValueError):
    """A stored item lacks an attribute or has one of another type; the text names table, key and attribute."""


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
