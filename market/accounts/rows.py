"""What the tables of accounts hold, as typed rows: accounts, their journal, settlements, notifications.

As `market.tables`, for everyone who reads whole tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from market.accounts.bookkeeping import Book, Posting
from market.whole_tables import UnreadableItemError, read_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Items = Iterable[Mapping[str, object]]

_WALLET = "wallet"
_MATERIAL = "material#"
_AMOUNTS = ("available_minor", "available", "held", "held_minor", "proceeds_minor")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """An item of the accounts table: a player's wallet (`material` is None), or their line of one material.

    Amounts as in `market.accounts.bookkeeping.AccountChange`; an attribute that is missing is zero, or an empty set.
    The sets of open orders are ids, oldest first.
    """

    player: str
    material: str | None
    available_minor: int
    available: int
    held: int
    held_minor: int
    proceeds_minor: int
    open_asks: tuple[str, ...]
    open_bids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """An item of the journal: what one cause did to one account."""

    player: str
    entry_key: str
    cause: str
    at_ms: int
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRow:
    """An item of the settlements table: a commit's settlement, under an id such as ``copper-12``, and how far it is."""

    transaction_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """An item of the notifications table: an order that is complete, and what it came to."""

    player: str
    order_id: str
    side: str
    material: str
    status: str
    quantity: int
    filled: int
    value_minor: int
    fee_minor: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTables:
    """The contents of the tables, each read completely. Order of the rows does not matter."""

    lines: tuple[AccountLine, ...]
    journal: tuple[JournalRow, ...]
    settlements: tuple[SettlementRow, ...]
    notifications: tuple[NotificationRow, ...]

    @classmethod
    def from_items(cls, *, accounts: Items, journal: Items, settlements: Items, notifications: Items) -> AccountTables:
        """Type the items of each table; the references of deposits and withdrawals are left out.

        Parameters
        ----------
        accounts, journal, settlements, notifications
            Items as attribute name to plain value (str, int, bool, bytes, list, dict; a set of bytes as any iterable).

        Raises
        ------
        UnreadableItemError
            The first item that is not what its table holds.
        """
        return cls(
            lines=tuple(_line(item) for item in accounts if _is_line(item)),
            journal=tuple(read_row(JournalRow, {**item, "postings": _postings(item)}) for item in journal),
            settlements=tuple(read_row(SettlementRow, item) for item in settlements),
            notifications=tuple(read_row(NotificationRow, item) for item in notifications),
        )


def _is_line(item: Mapping[str, object]) -> bool:
    line = str(item.get("line"))
    return line == _WALLET or line.startswith(_MATERIAL)


def _line(item: Mapping[str, object]) -> AccountLine:
    line = str(item["line"])
    attributes: dict[str, object] = {
        **dict.fromkeys(_AMOUNTS, 0),
        **item,
        "material": None if line == _WALLET else line.removeprefix(_MATERIAL),
        "open_asks": _order_ids(item, "open_asks"),
        "open_bids": _order_ids(item, "open_bids"),
    }
    return read_row(AccountLine, attributes)


def _order_ids(item: Mapping[str, object], name: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(str(UUID(bytes=raw)) for raw in cast("Iterable[bytes]", item.get(name, ()))))
    except (TypeError, ValueError) as error:
        raise UnreadableItemError(f"AccountLine {dict(item)!r:.200}: {name}: {error}") from error


def _postings(item: Mapping[str, object]) -> tuple[Posting, ...]:
    try:
        return tuple(
            Posting(Book(posting["account"]), str(posting["asset"]), int(posting["amount"]))
            for posting in cast("list[dict[str, Any]]", item["postings"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableItemError(f"JournalRow {dict(item)!r:.200}: {type(error).__name__}: {error}") from error
