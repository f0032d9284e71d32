"""The items of the journal: what happened to an account, why and when; written once and never changed.

===============  ==========================================================================================
``player``       str, partition key
``entry_key``    str, sort key: the time in 13 digits, ``#``, the cause
``cause``        str, for example ``order#0190163d-8694-739b-aea5-966c26f8ad91``
``at_ms``        int, epoch ms
``postings``     list of ``{account, asset, amount}``, which sum to zero for each asset
===============  ==========================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from market.accounts.bookkeeping import Book, Posting, postings_by_player
from patterns.dynamodb.items import encode_item, read_int, read_str

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from market.accounts.bookkeeping import AccountChange
    from patterns.dynamodb.items import Item, Value

HASH_KEY = "player"
RANGE_KEY = "entry_key"

ENTRY_KEY_PATTERN = re.compile(r"[0-9]{13}#[!-~]{1,200}")
"""A sort key. Match it against the whole text."""

AFTER_ALL_ENTRIES = ":"
"""Sorts after every entry's key: the character after the digits."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one cause did to one account, at a time in epoch ms."""

    player: str
    cause: str
    at_ms: int
    postings: tuple[Posting, ...]

    @property
    def entry_key(self) -> str:
        """Its sort key: entries of a player are ordered by time, and one cause has one entry at a time."""
        return f"{self.at_ms:013d}#{self.cause}"

    @property
    def key(self) -> dict[str, str]:
        """Its place in the table."""
        return {HASH_KEY: self.player, RANGE_KEY: self.entry_key}


def order_cause(order_id: str) -> str:
    """Return the cause of what placing an order holds."""
    return f"order#{order_id}"


def settlement_cause(material: str, sequence: int, slice_number: int) -> str:
    """Return the cause of what a slice, numbered from 0, of a commit's settlement moves."""
    return f"settlement#{material}-{sequence}#{slice_number}"


def transfer_cause(kind: str, reference: str) -> str:
    """Return the cause of a ``deposit`` or ``withdrawal``."""
    return f"{kind}#{reference}"


def journal_entries(changes: Iterable[AccountChange], cause: str, at_ms: int) -> tuple[JournalEntry, ...]:
    """Return one entry for each player whose available or held amounts the changes of one cause move."""
    postings = postings_by_player(changes)
    return tuple(JournalEntry(player, cause, at_ms, found) for player, found in postings.items())


def entry_put(table: str, entry: JournalEntry) -> TransactWriteItemTypeDef:
    """Return the action of a transaction that writes an entry, and cancels it if the entry is written already."""
    postings: list[Value] = [
        {"account": str(posting.account), "asset": posting.asset, "amount": posting.amount}
        for posting in entry.postings
    ]
    item: Item = {**entry.key, "cause": entry.cause, "at_ms": entry.at_ms, "postings": postings}
    return {
        "Put": {
            "TableName": table,
            "Item": encode_item(item),
            "ConditionExpression": f"attribute_not_exists({RANGE_KEY})",
        }
    }


def read_entry(item: Item) -> JournalEntry:
    """Return the entry an item holds."""
    return JournalEntry(
        player=read_str(item, HASH_KEY),
        cause=read_str(item, "cause"),
        at_ms=read_int(item, "at_ms"),
        postings=tuple(
            Posting(Book(read_str(posting, "account")), read_str(posting, "asset"), read_int(posting, "amount"))
            for posting in cast("list[Item]", item["postings"])
        ),
    )
