"""How much of everything there is, and where: what must be the same before and after any trading."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from market.accounts.bookkeeping import HOUSE, MONEY, Book
from market.invariants.account_books import amounts_of, deposits
from market.invariants.settled import commit_settlements

if TYPE_CHECKING:
    from market.accounts.rows import AccountTables
    from market.whole_tables import MarketTables


@dataclass(frozen=True, slots=True)
class AssetTotals:
    """Where an asset is: minor units of money, units of a material.

    Parameters
    ----------
    asset
        `market.accounts.bookkeeping.MONEY` or a material.
    available
        What players may use.
    held
        What open orders hold.
    in_settlement
        What trades and closings have taken out of orders, and settling has yet to hand over.
    house
        What the house has.
    deposited
        What was deposited in all and not withdrawn, by the journal.
    """

    asset: str
    available: int
    held: int
    in_settlement: int
    house: int
    deposited: int

    @property
    def total(self) -> int:
        """All there is."""
        return self.available + self.held + self.in_settlement + self.house


def asset_totals(tables: MarketTables, accounts: AccountTables) -> tuple[AssetTotals, ...]:
    """Sum everything up, money first, then the materials by name.

    Parameters
    ----------
    tables, accounts
        All tables, read while nothing changed.
    """
    available: Counter[str] = Counter()
    held: Counter[str] = Counter()
    house: Counter[str] = Counter()
    for line in accounts.lines:
        for book, asset, amount in amounts_of(line):
            place = house if line.player == HOUSE else available if book is Book.AVAILABLE else held
            place[asset] += amount
    in_settlement: Counter[str] = Counter()
    settlements, _ = commit_settlements(tables.tape, accounts.journal)
    for settlement in settlements:
        for place, amount in settlement.still_held().items():
            in_settlement[place.asset] += amount
    deposited = deposits(accounts)
    assets = {*available, *held, *house, *deposited}
    return tuple(
        AssetTotals(
            asset=asset,
            available=available[asset],
            held=held[asset] - in_settlement[asset],
            in_settlement=in_settlement[asset],
            house=house[asset],
            deposited=deposited[asset],
        )
        for asset in sorted(assets, key=lambda asset: (asset != MONEY, asset))
    )
