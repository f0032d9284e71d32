"""Double entry: the journal sums to zero, accounts are its sums, and all of them together what was deposited."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from market.accounts.bookkeeping import MONEY, Book
from market.invariants.findings import Invariant, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.accounts.rows import AccountLine, AccountTables, JournalRow


def check_books(accounts: AccountTables) -> Iterator[Violation]:
    """Compare accounts with their journal."""
    yield from _check_entries(accounts.journal)
    yield from _check_causes(accounts.journal)
    booked: Counter[tuple[str, Book, str]] = Counter()
    for entry in accounts.journal:
        for posting in entry.postings:
            booked[entry.player, posting.account, posting.asset] += posting.amount
    owned: Counter[tuple[str, Book, str]] = Counter()
    for line in accounts.lines:
        yield from _check_amounts(line)
        for book, asset, amount in amounts_of(line):
            owned[line.player, book, asset] += amount
    for player, book, asset in sorted(owned.keys() | booked.keys()):
        place = player, book, asset
        if book in (Book.AVAILABLE, Book.HELD) and owned[place] != booked[place]:
            expected, found = f"{booked[place]} {book}, by its journal", f"{owned[place]}"
            yield Violation(Invariant.JOURNAL, asset, f"account {player}", expected, found)
    deposited = deposits(accounts)
    there: Counter[str] = Counter()
    for (_, _, asset), amount in owned.items():
        there[asset] += amount
    for asset in sorted(deposited.keys() | there.keys()):
        if deposited[asset] != there[asset]:
            expected = f"{deposited[asset]} deposited and not withdrawn"
            yield Violation(Invariant.DEPOSITED, asset, "all accounts", expected, str(there[asset]))


def amounts_of(line: AccountLine) -> Iterator[tuple[Book, str, int]]:
    """Yield what a line holds: book, asset, amount."""
    yield Book.AVAILABLE, MONEY, line.available_minor + line.proceeds_minor
    yield Book.HELD, MONEY, line.held_minor
    if line.material is not None:
        yield Book.AVAILABLE, line.material, line.available
        yield Book.HELD, line.material, line.held


def deposits(accounts: AccountTables) -> Counter[str]:
    """Return what the world outside has given and not taken back, by asset, according to the journal."""
    found: Counter[str] = Counter()
    for entry in accounts.journal:
        for posting in entry.postings:
            if posting.account is Book.GAME:
                found[posting.asset] -= posting.amount
    return found


def _check_amounts(line: AccountLine) -> Iterator[Violation]:
    for name in ("available_minor", "available", "held", "held_minor", "proceeds_minor"):
        if (amount := getattr(line, name)) < 0:
            place = f"account {line.player}"
            yield Violation(Invariant.NOT_NEGATIVE, line.material or MONEY, place, f"{name} of 0 or more", str(amount))


def _check_entries(journal: Iterable[JournalRow]) -> Iterator[Violation]:
    for entry in journal:
        sums: Counter[str] = Counter()
        for posting in entry.postings:
            sums[posting.asset] += posting.amount
        for asset, amount in sums.items():
            if amount:
                place = f"{entry.cause} of {entry.player}"
                yield Violation(Invariant.ENTRY_SUM, asset, place, "postings that sum to 0", str(amount))


def _check_causes(journal: Iterable[JournalRow]) -> Iterator[Violation]:
    cleared: Counter[tuple[str, str]] = Counter()
    for entry in journal:
        for posting in entry.postings:
            if posting.account is Book.CLEARING:
                cleared[entry.cause, posting.asset] += posting.amount
    for (cause, asset), amount in cleared.items():
        if amount:
            yield Violation(Invariant.CAUSE_SUM, asset, cause, "clearing that sums to 0", str(amount))
