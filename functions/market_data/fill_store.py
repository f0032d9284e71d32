"""Data access of a player's own trades: their journal names the commits that traded for them, the tape has the trades.

A position in the listing is text: a bound of the journal's sort keys, ``@`` and the number of a trade, such as
``1795248000007#settlement#copper-12#~@3``. What follows lies below the bound; of the bound's own commit, if the number
is not 0, the trades below that number. Entries never change or move, so a position stays valid whatever happens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from functions.accounts.journal import AFTER_ALL_ENTRIES, RANGE_KEY, settlement_cause
from functions.api.contention import with_retries
from functions.api.own_records import items_by_key
from market.side import Side
from market.tape import decode_commit, trade_id
from patterns.dynamodb.items import decode_item, encode_item, read_str

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit, TradeFill

FILL_POSITION_PATTERN = re.compile(r"[0-9]{13}#[!-~]{1,200}@(0|[1-9][0-9]{0,3})", re.ASCII)
"""A position in the listing. Match it against the whole text."""

_SETTLEMENT = re.compile(r"([0-9]{13})#settlement#(.+)-([1-9][0-9]{0,17})#[0-9]+", re.ASCII)
_READ = 50
"""Journal entries a read, and so commits at most."""
_READS = 10


@dataclass(frozen=True, slots=True)
class OwnFill:
    """One trade as one of its two players sees it; `fee_minor` is what this player pays, `at_ms` epoch ms."""

    trade_id: str
    order_id: str
    side: Side
    is_taker: bool
    material: str
    price_minor: int
    quantity: int
    fee_minor: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class FillPage:
    """Trades newest first; `last` is where the next page starts, None at the end."""

    fills: tuple[OwnFill, ...]
    last: str | None


class _Settled(NamedTuple):
    """A commit that an entry of the journal settles, and the prefix of all its entries' keys."""

    prefix: str
    material: str
    sequence: int


class FillStore:
    """Players' own trades.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    journal_table, tape_table
        Names of the tables.
    """

    def __init__(self, client: DynamoDBClient, journal_table: str, tape_table: str) -> None:
        self._client = client
        self._journal_table = journal_table
        self._tape_table = tape_table

    def newest(self, player: str, before: str | None, limit: int) -> FillPage:
        """Return a page of a player's settled trades.

        Parameters
        ----------
        player
            Whose.
        before
            A position; None starts at the newest trade.
        limit
            Most trades to return, 1 or more.

        Returns
        -------
        FillPage
            Shorter than `limit` only at the end, or after reading hundreds of entries of which hardly any traded: then
            the page may even be empty, but `last` is set and further back, so listing always ends.
        """
        bound, _, number = (before or f"{AFTER_ALL_ENTRIES}@0").rpartition("@")
        resumed, below = (bound.removesuffix("~"), int(number)) if number != "0" else ("", 0)
        found: list[OwnFill] = []
        last: str | None = None
        for _ in range(_READS):
            keys = self._entry_keys(player, bound, min(limit + 1, _READ))
            if not keys:
                return FillPage(tuple(found), None)
            commits = _settled_commits(keys)
            on_tape = self._commits(commits)
            for settled in commits:
                commit = on_tape[settled.material, settled.sequence]
                for fill in reversed(commit.fills):
                    if player not in (fill.buyer, fill.seller) or (settled.prefix == resumed and fill.n >= below):
                        continue
                    if len(found) == limit:
                        return FillPage(tuple(found), last)
                    found.append(_own_fill(player, commit, fill))
                    last = f"{settled.prefix}~@{fill.n}"
            # Past all entries of the last commit: the trades of a commit are listed with the first of them.
            settled_last = _settled(keys[-1])
            bound = settled_last.prefix if settled_last else keys[-1]
        return FillPage(tuple(found), f"{bound}@0")

    def _entry_keys(self, player: str, bound: str, limit: int) -> list[str]:
        answer = with_retries(
            lambda: self._client.query(
                TableName=self._journal_table,
                KeyConditionExpression="player = :player AND entry_key < :bound",
                ExpressionAttributeValues=encode_item({":player": player, ":bound": bound}),
                ProjectionExpression=RANGE_KEY,
                ScanIndexForward=False,
                Limit=limit,
                ConsistentRead=True,
            )
        )
        return [read_str(decode_item(item), RANGE_KEY) for item in answer["Items"]]

    def _commits(self, settled: list[_Settled]) -> dict[tuple[str, int], TapeCommit]:
        keys = [{"material": commit.material, "sequence": commit.sequence} for commit in settled]
        items = items_by_key(self._client, self._tape_table, cast("list[Mapping[str, str]]", keys))
        commits = map(decode_commit, items)
        return {(commit.material, commit.sequence): commit for commit in commits}


def _settled_commits(entry_keys: list[str]) -> list[_Settled]:
    """Return the commits that entries settle, in their order, each once: an entry for each slice of a settlement."""
    return list(dict.fromkeys(settled for key in entry_keys if (settled := _settled(key))))


def _settled(entry_key: str) -> _Settled | None:
    found = _SETTLEMENT.fullmatch(entry_key)
    if found is None:
        return None
    material, sequence = found[2], int(found[3])
    cause = settlement_cause(material, sequence, 0).removesuffix("0")
    return _Settled(f"{found[1]}#{cause}", material, sequence)


def _own_fill(player: str, commit: TapeCommit, fill: TradeFill) -> OwnFill:
    side = Side.BUY if fill.buyer == player else Side.SELL
    return OwnFill(
        trade_id=trade_id(commit.material, commit.sequence, fill.n),
        order_id=fill.bid_id if side is Side.BUY else fill.ask_id,
        side=side,
        is_taker=fill.taker_side is side,
        material=commit.material,
        price_minor=fill.price_minor,
        quantity=fill.quantity,
        fee_minor=fill.buyer_fee_minor if side is Side.BUY else fill.seller_fee_minor,
        at_ms=commit.committed_at_ms,
    )
