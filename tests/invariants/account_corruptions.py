"""Ways to corrupt accounts, journal, settlements and notifications, and the invariant that each one breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from market.accounts.bookkeeping import HOUSE, Book
from market.invariants import Invariant
from tests.invariants.corruptions import Change, Corruption, World, each, each_posting, twice, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from market.accounts.bookkeeping import Posting
    from market.accounts.rows import AccountLine, JournalRow


def of(cause: str) -> Callable[[JournalRow], bool]:
    return lambda entry: entry.cause.startswith(f"{cause}#")


def clears(entry: JournalRow) -> bool:
    return any(posting.account is Book.CLEARING for posting in entry.postings)


def posting_of(book: Book, cause: str) -> Callable[[JournalRow, Posting], Change]:
    def changed(entry: JournalRow, posting: Posting) -> Change:
        return {"amount": posting.amount + 1} if posting.account is book and of(cause)(entry) else None

    return changed


def more(name: str) -> Callable[[AccountLine], Change]:
    def changed(line: AccountLine) -> Change:
        return None if (line.material is None) != (name == "available_minor") else {name: getattr(line, name) + 1}

    return changed


def moved_between_books(world: World) -> Iterator[World]:
    """Something available counts as held: all sums stay the same."""
    yield from each("lines", lambda a: {"available": a.available - 1, "held": a.held + 1} if a.available else None)(
        world
    )


def held_for_another_material(world: World) -> Iterator[World]:
    """Money of one line is held on another one of the same player: the account as a whole is right."""
    for first in world.accounts.lines:
        for second in world.accounts.lines:
            if first.player == second.player and first.held_minor and second.material not in (None, first.material):
                lines = [line for line in world.accounts.lines if line not in (first, second)]
                less = replace(first, held_minor=first.held_minor - 1)
                yield world.having(lines=(*lines, less, replace(second, held_minor=second.held_minor + 1)))


def settled_for_another_player(world: World) -> Iterator[World]:
    """A settlement's entry is somebody else's, and so are the goods: sums and journal agree."""
    yield from each("journal", lambda e: {"player": "mallory"} if of("settlement")(e) and e.player != HOUSE else None)(
        world
    )


def deposit_of_nobody(world: World) -> Iterator[World]:
    """An account and its journal agree on something that did not come from outside."""
    for index, line in enumerate(world.accounts.lines):
        if line.material is not None:
            lines = (
                *world.accounts.lines[:index],
                replace(line, available=line.available + 1),
                *world.accounts.lines[index + 1 :],
            )
            yield world.having(lines=lines)


ACCOUNT_CORRUPTIONS: list[tuple[str, Invariant, Corruption]] = [
    *(
        (f"an entry posts too much to {book}", Invariant.ENTRY_SUM, each_posting(posting_of(book, cause)))
        for book, cause in (
            (Book.AVAILABLE, "deposit"),
            (Book.GAME, "deposit"),
            (Book.HELD, "order"),
            (Book.CLEARING, "settlement"),
        )
    ),
    ("one side of a settlement is missing", Invariant.CAUSE_SUM, without("journal", clears)),
    (
        "a settlement clears something else",
        Invariant.CAUSE_SUM,
        each_posting(lambda e, p: {"amount": p.amount + 1} if p.account is Book.CLEARING else None),
    ),
    *(
        (f"an account has more {name}", Invariant.JOURNAL, each("lines", more(name)))
        for name in ("available", "held", "held_minor", "proceeds_minor", "available_minor")
    ),
    ("an account is lost", Invariant.JOURNAL, without("lines", lambda a: a.available or a.held)),
    ("a journal entry is lost", Invariant.JOURNAL, without("journal")),
    ("available goods count as held", Invariant.JOURNAL, moved_between_books),
    ("an account is below zero", Invariant.NOT_NEGATIVE, each("lines", lambda _: {"available": -1})),
    ("less than nothing is held", Invariant.NOT_NEGATIVE, each("lines", lambda _: {"held_minor": -1})),
    ("goods come from nowhere", Invariant.DEPOSITED, deposit_of_nobody),
    ("a deposit is lost", Invariant.DEPOSITED, without("journal", of("deposit"))),
    (
        "a withdrawal is booked twice",
        Invariant.DEPOSITED,
        twice("journal", lambda e: {} if of("withdrawal")(e) else None),
    ),
    ("an order is placed without holding", Invariant.PLACED, without("journal", of("order"))),
    ("an order holds twice", Invariant.PLACED, twice("journal", lambda e: {} if of("order")(e) else None)),
    (
        "something is held for no order",
        Invariant.PLACED,
        each("journal", lambda e: {"cause": "order#unknown"} if of("order")(e) else None),
    ),
    ("an order holds from another account", Invariant.PLACED, each("journal", lambda e: other(e, "order"))),
    ("a commit is settled for another player", Invariant.SETTLED, settled_for_another_player),
    ("a commit is settled twice", Invariant.SETTLED, twice("journal", lambda e: {} if of("settlement")(e) else None)),
    ("a commit is settled in part", Invariant.SETTLED, without("journal", of("settlement"))),
    ("a settlement is parked", Invariant.SETTLED, each("settlements", lambda _: {"status": "PARKED"})),
    (
        "a settlement is of no commit",
        Invariant.SETTLED,
        each("settlements", lambda row: {"transaction_id": f"{row.transaction_id}0000"}),
    ),
    ("money is held on another material's line", Invariant.HELD, held_for_another_material),
    ("more goods are held than orders need", Invariant.HELD, each("lines", more("held"))),
    (
        "an account forgot an open ask",
        Invariant.OPEN_ORDERS,
        each("lines", lambda a: first_gone(a.open_asks, "open_asks")),
    ),
    (
        "an account forgot an open bid",
        Invariant.OPEN_ORDERS,
        each("lines", lambda a: first_gone(a.open_bids, "open_bids")),
    ),
    ("an account lists a closed order", Invariant.OPEN_ORDERS, each("lines", lambda a: {"open_bids": ("gone",)})),
    ("a player is not told", Invariant.NOTIFIED, without("notifications")),
    ("a player is told twice", Invariant.NOTIFIED, twice("notifications", lambda _: {})),
    ("a player is told of no order", Invariant.NOTIFIED, each("notifications", lambda _: {"order_id": "unknown"})),
    *(
        (
            f"a player is told of another {name}",
            Invariant.NOTIFIED,
            each("notifications", lambda row, name=name: other_told(row, name)),
        )
        for name in ("status", "player", "filled", "value_minor", "fee_minor")
    ),
]


def other(entry: JournalRow, cause: str) -> Change:
    return {"player": "mallory"} if of(cause)(entry) else None


def first_gone(order_ids: tuple[str, ...], name: str) -> Change:
    return {name: order_ids[1:]} if order_ids else None


def other_told(row: object, name: str) -> Change:
    before = getattr(row, name)
    return {name: before + 1 if isinstance(before, int) else f"{before}?"}
