"""The items of the accounts table: a player's wallet, and one line for each material.

=================  =======================================================================================
``player``         str, partition key
``line``           str, sort key: ``wallet``, or ``material#`` and the material's name
=================  =======================================================================================

The wallet has ``available_minor``. A material's line has ``available``, ``held``, ``held_minor``, ``proceeds_minor``
(ints) and ``open_asks``, ``open_bids`` (sets of order ids of 16 bytes). A number that is missing is zero, a missing set
is empty. See `market.accounts.bookkeeping` for what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from market.accounts.bookkeeping import Account, MaterialLine
from patterns.dynamodb.items import read_str
from patterns.optimistic_locking.adjustment import Adjustment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.accounts.bookkeeping import AccountChange
    from patterns.dynamodb.items import Item

HASH_KEY = "player"
RANGE_KEY = "line"

WALLET = "wallet"
"""Sort key of the wallet."""

REFERENCE_PREFIX = "~"
"""First character of the sort keys of references, see `functions.accounts.transfers`; sorts after every line."""

_MATERIAL = "material#"
_AMOUNTS = ("available_minor", "available", "held", "held_minor", "proceeds_minor")


def line_key(player: str, material: str | None) -> dict[str, str]:
    """Return the key of a material's line, or of the wallet if `material` is None."""
    return {HASH_KEY: player, RANGE_KEY: WALLET if material is None else f"{_MATERIAL}{material}"}


def adjustment(change: AccountChange, max_open_orders: int | None = None) -> Adjustment | None:
    """Return a change as increments to its line, none of which takes it below zero; None if it changes nothing.

    Parameters
    ----------
    change
        To one line.
    max_open_orders
        Orders of each side that may be open on the line afterwards; None for any number.
    """
    amounts = {name: amount for name in _AMOUNTS if (amount := getattr(change, name))}
    opened = {"open_asks": _ids(change.opened_asks), "open_bids": _ids(change.opened_bids)}
    closed = {"open_asks": _ids(change.closed_asks), "open_bids": _ids(change.closed_bids)}
    include = {name: ids for name, ids in opened.items() if ids}
    exclude = {name: ids for name, ids in closed.items() if ids}
    if not (amounts or include or exclude):
        return None
    most = {} if max_open_orders is None else dict.fromkeys(include, max_open_orders)
    return Adjustment(add=amounts, include=include, exclude=exclude, most=most)


def read_account(player: str, items: Iterable[Item]) -> Account:
    """Return the account that the items of a player's partition make up."""
    wallet_minor = 0
    lines: dict[str, MaterialLine] = {}
    for item in items:
        line = read_str(item, RANGE_KEY)
        if line == WALLET:
            wallet_minor = _amount(item, "available_minor")
        elif line.startswith(_MATERIAL):
            lines[line.removeprefix(_MATERIAL)] = _material_line(item)
    return Account(player, wallet_minor, lines)


def _material_line(item: Item) -> MaterialLine:
    return MaterialLine(
        available=_amount(item, "available"),
        held=_amount(item, "held"),
        held_minor=_amount(item, "held_minor"),
        proceeds_minor=_amount(item, "proceeds_minor"),
        open_asks=_open_orders(item, "open_asks"),
        open_bids=_open_orders(item, "open_bids"),
    )


def _amount(item: Item, name: str) -> int:
    return cast("int", item.get(name, 0))


def _open_orders(item: Item, name: str) -> tuple[str, ...]:
    # Ids are ordered by time, as bytes and as text.
    return tuple(str(UUID(bytes=raw)) for raw in sorted(cast("frozenset[bytes]", item.get(name, frozenset()))))


def _ids(order_ids: Iterable[str]) -> frozenset[bytes]:
    return frozenset(UUID(order_id).bytes for order_id in order_ids)
