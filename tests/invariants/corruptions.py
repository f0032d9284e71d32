"""Ways to corrupt tables: each yields the tables wrong in one place after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from market.tape import TapeOrder, TradeFill

if TYPE_CHECKING:
    from market.accounts.bookkeeping import Posting
    from market.accounts.rows import AccountTables
    from market.tape import TapeCommit
    from market.whole_tables import MarketTables


@dataclass(frozen=True)
class World:
    """All tables of a market."""

    tables: MarketTables
    accounts: AccountTables

    def rows(self, name: str) -> tuple[Any, ...]:
        return getattr(self.accounts if hasattr(self.accounts, name) else self.tables, name)

    def having(self, **rows: tuple[Any, ...]) -> World:
        """Return it with other rows in some tables."""
        accounts = {name: value for name, value in rows.items() if hasattr(self.accounts, name)}
        tables = {name: value for name, value in rows.items() if name not in accounts}
        return World(replace(self.tables, **tables), replace(self.accounts, **accounts))


Corruption = Callable[[World], Iterator[World]]
Change = dict[str, Any] | None


def each(name: str, changed: Callable[[Any], Change]) -> Corruption:
    """Change one row at a time: `changed` gives the attributes to set, or None where it does not apply."""

    def corrupt(world: World) -> Iterator[World]:
        before = world.rows(name)
        for index, row in enumerate(before):
            change = changed(row)
            if change is not None:
                yield world.having(**{name: (*before[:index], replace(row, **change), *before[index + 1 :])})

    return corrupt


def without(name: str, applies: Callable[[Any], bool] = lambda _: True) -> Corruption:
    """Lose one row at a time."""

    def corrupt(world: World) -> Iterator[World]:
        before = world.rows(name)
        for index, row in enumerate(before):
            if applies(row):
                yield world.having(**{name: (*before[:index], *before[index + 1 :])})

    return corrupt


def twice(name: str, changed: Callable[[Any], Change]) -> Corruption:
    """Add a row that is like another one but for what `changed` says."""

    def corrupt(world: World) -> Iterator[World]:
        for row in world.rows(name):
            change = changed(row)
            if change is not None:
                yield world.having(**{name: (*world.rows(name), replace(row, **change))})

    return corrupt


def each_fill(changed: Callable[[TapeCommit, TradeFill], Change]) -> Corruption:
    """Change one fill at a time."""
    return _inside("tape", "fills", changed, TradeFill._replace)


def each_tape_order(changed: Callable[[TapeCommit, TapeOrder], Change]) -> Corruption:
    """Change one order of a commit at a time."""
    return _inside("tape", "orders", changed, TapeOrder._replace)


def each_posting(changed: Callable[[Any, Posting], Change]) -> Corruption:
    """Change one posting of a journal entry at a time."""
    return _inside("journal", "postings", changed, replace)


def _inside(name: str, members: str, changed: Callable[[Any, Any], Change], replaced: Callable[..., Any]) -> Corruption:
    def corrupt(world: World) -> Iterator[World]:
        rows = world.rows(name)
        for at, row in enumerate(rows):
            inside = getattr(row, members)
            for index, member in enumerate(inside):
                change = changed(row, member)
                if change is not None:
                    wrong = (*inside[:index], replaced(member, **change), *inside[index + 1 :])
                    yield world.having(**{name: (*rows[:at], replace(row, **{members: wrong}), *rows[at + 1 :])})

    return corrupt
