"""What an audit derives again and compares: settlement from the tape, balances from the journal, holds from the orders.

Functions from plain rows to findings. Like `market.invariants`, nothing here shares code with what it checks: what a
commit does to accounts is computed anew from its fills. Each function sees one part of the market, so that a part can
be read and judged at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from market.tape import TapeCommit

_MONEY, _HOUSE = "money", "~house"
_AVAILABLE, _HELD = "available", "held"


class FindingKind(StrEnum):
    """What can be wrong. The names are part of the HTTP API."""

    TAPE_GAP = "tape_gap"
    """The tape of a material is not numbered 1, 2, 3 …"""
    COMMIT = "commit"
    """A commit contradicts itself."""
    UNSETTLED = "unsettled"
    """A commit should have been settled by now."""
    PARKED = "parked"
    """A commit's settlement failed and waits for an operator."""
    WRONGLY_SETTLED = "wrongly_settled"
    """The journal moves something else for a commit than its trades say: too little, too much, twice."""
    UNKNOWN_COMMIT = "unknown_commit"
    """A settlement is of a commit that is not on the tape."""
    UNBALANCED_ENTRY = "unbalanced_entry"
    """The postings of a journal entry do not sum to zero."""
    ENTRY_WITHOUT_CAUSE = "entry_without_cause"
    """What a journal entry says it was caused by does not exist, or is no part of the player's doings."""
    WRONG_HOLD = "wrong_hold"
    """Placing an order moved something else to held than the order says."""
    BALANCE = "balance"
    """An account has something else than its journal sums to."""
    NEGATIVE = "negative"
    """An account has less than nothing of something."""
    HOLDS = "holds"
    """An account holds something else than its open orders need."""
    OPEN_ORDERS = "open_orders"
    """An account counts an order as open that is not."""
    ORDER_WITHOUT_HOLD = "order_without_hold"
    """An order is open, but its account does not know."""
    FILLED = "filled"
    """An order says it traded something else than the tape says."""
    STATUS = "status"
    """An order's status or reason is not what the tape says became of it."""
    BOOK = "book"
    """The book and an order's record disagree."""
    UNREADABLE = "unreadable"
    """An item is not what its table holds."""
    HISTORY_ALTERED = "history_altered"
    """A recorded version is not what was recorded."""
    HISTORY_MISSING = "history_missing"
    """A recorded version is gone."""
    HISTORY_REORDERED = "history_reordered"
    """Recorded versions are not in the order of the writes."""
    HISTORY_GAP = "history_gap"
    """A write between two versions was never recorded."""
    HISTORY_BEHIND = "history_behind"
    """An item is not what its last version left: it was written past its history, or the history lost its end."""
    HISTORY_UNARCHIVED = "history_unarchived"
    """A version that will leave the table is not in the archive."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: of what kind, where, what should be there and what is."""

    kind: FindingKind
    subject: str
    expected: str
    found: str


Amounts: TypeAlias = "Counter[tuple[str, str]]"
"""(``available`` or ``held``, asset) to an amount: minor units of money, units of a material."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry; `postings` are (book, asset, amount)."""

    player: str
    cause: str
    at_ms: int
    postings: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an account; `material` is None for the wallet, which has `available_minor` only."""

    player: str
    material: str | None
    available_minor: int = 0
    available: int = 0
    held: int = 0
    held_minor: int = 0
    proceeds_minor: int = 0
    open_asks: frozenset[str] = frozenset()
    open_bids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Holds:
    """What should be held on a material's line.

    Parameters
    ----------
    asks, bids
        Open orders by id, each with the units or minor units it must hold; None if the order is not open.
    releasing, releasing_minor
        Units and minor units that commits have released and that are not settled yet.
    """

    asks: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    bids: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    releasing: int = 0
    releasing_minor: int = 0


def check_tape(material: str, after: int, commits: Sequence[TapeCommit]) -> Iterator[Finding]:
    """Check the numbering of a stretch of a tape, and each commit in itself.

    Parameters
    ----------
    material
        Whose tape.
    after
        Sequence number before the stretch; 0 at the beginning.
    commits
        The stretch, in order.
    """
    last = after
    for commit in commits:
        if commit.sequence != last + 1:
            yield Finding(FindingKind.TAPE_GAP, f"tape {material}", f"{last + 1} after {last}", str(commit.sequence))
        last = commit.sequence
        yield from _check_commit(commit)


def commit_effects(commit: TapeCommit) -> dict[str, Amounts]:
    """Return what a commit must move, by player; amounts of zero are left out."""
    effects: defaultdict[str, Amounts] = defaultdict(Counter)
    material = commit.material
    spent: Counter[str] = Counter()
    for fill in commit.fills:
        value = fill.price_minor * fill.quantity
        effects[fill.buyer][_AVAILABLE, material] += fill.quantity
        effects[fill.seller][_AVAILABLE, _MONEY] += value - fill.seller_fee_minor
        effects[_HOUSE][_AVAILABLE, _MONEY] += fill.buyer_fee_minor + fill.seller_fee_minor
        spent[fill.bid_id] += value + fill.buyer_fee_minor
        spent[fill.ask_id] += fill.quantity
    for order in commit.orders:
        asset = _MONEY if order.side == "BUY" else material
        effects[order.player][_HELD, asset] -= order.released
        effects[order.player][_AVAILABLE, asset] += order.released - spent[order.order_id]
    return {player: moved for player, amounts in effects.items() if (moved := _nonzero(amounts))}


def moved_by(entries: Iterable[Entry]) -> Amounts:
    """Return what entries move between them, zeros left out."""
    amounts: Amounts = Counter()
    for entry in entries:
        for book, asset, amount in entry.postings:
            if book in (_AVAILABLE, _HELD):
                amounts[book, asset] += amount
    return _nonzero(amounts)


def check_settlement(
    commit: TapeCommit, status: str | None, entries: Mapping[str, Sequence[Entry]], *, overdue: bool
) -> Iterator[Finding]:
    """Check that a commit was settled, once and as its trades say.

    Parameters
    ----------
    commit
        From the tape.
    status
        Of its settlement; None if there is none (any more).
    entries
        By player, the journal entries the commit caused.
    overdue
        Whether there was time enough; without, what is still missing is no finding.
    """
    subject = f"commit {commit.material}-{commit.sequence}"
    effects = commit_effects(commit)
    moved = {player: moved_by(found) for player, found in entries.items()}
    wrong = [player for player, due in sorted(effects.items()) if moved.get(player, Counter()) != due]
    booked = any(entries.values())
    if status == "PARKED":
        yield Finding(FindingKind.PARKED, subject, "settled", "parked")
    elif overdue and (status == "RUNNING" or (status is None and wrong and not booked)):
        yield Finding(FindingKind.UNSETTLED, subject, "settled", status or "no settlement")
    for player in wrong:
        found = moved.get(player, Counter())
        # Slices are settled one after the other: until the last is, what is missing is not wrong.
        if status == "COMPLETED" or (status is None and booked) or (found and found != effects[player]):
            yield Finding(FindingKind.WRONGLY_SETTLED, f"{subject} of {player}", _told(effects[player]), _told(found))


def check_entry(entry: Entry, *, has_cause: bool, held: tuple[str, int] | None = None) -> Iterator[Finding]:
    """Check one journal entry.

    Parameters
    ----------
    entry
        The entry.
    has_cause
        Whether what it names as its cause exists and is the player's.
    held
        If it was caused by placing an order: the asset and amount the order says it holds.
    """
    subject = f"entry {entry.cause} of {entry.player}"
    sums: Counter[str] = Counter()
    for _, asset, amount in entry.postings:
        sums[asset] += amount
    unbalanced = {asset: amount for asset, amount in sums.items() if amount}
    if unbalanced:
        found = ", ".join(f"{amount} of {asset}" for asset, amount in sorted(unbalanced.items()))
        yield Finding(FindingKind.UNBALANCED_ENTRY, subject, "postings that sum to zero", found)
    if not has_cause:
        yield Finding(FindingKind.ENTRY_WITHOUT_CAUSE, subject, "a cause", "no such cause")
    if held is not None:
        asset, amount = held
        due: Amounts = _nonzero(Counter({(_AVAILABLE, asset): -amount, (_HELD, asset): amount}))
        if (found := moved_by([entry])) != due:
            yield Finding(FindingKind.WRONG_HOLD, subject, _told(due), _told(found))


def check_balances(player: str, lines: Iterable[Line], journal: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    """Compare an account with the sums of its journal.

    Parameters
    ----------
    player
        Whose.
    lines
        All lines of the account.
    journal
        What all its journal entries move, see `moved_by`.
    """
    balances: Counter[tuple[str, str]] = Counter()
    for line in lines:
        balances[_AVAILABLE, _MONEY] += line.available_minor + line.proceeds_minor
        balances[_HELD, _MONEY] += line.held_minor
        if line.material is not None:
            balances[_AVAILABLE, line.material] += line.available
            balances[_HELD, line.material] += line.held
        for name in ("available_minor", "available", "held", "held_minor", "proceeds_minor"):
            if (amount := getattr(line, name)) < 0:
                subject = f"account {player} {line.material or 'wallet'}"
                yield Finding(FindingKind.NEGATIVE, subject, f"{name} of 0 or more", str(amount))
    for book, asset in sorted({*balances, *journal}):
        due, found = journal.get((book, asset), 0), balances[book, asset]
        if due != found:
            subject = f"account {player}"
            yield Finding(FindingKind.BALANCE, subject, f"{due} of {asset} {book}", f"{found} {book}")


def check_holds(line: Line, holds: Holds) -> Iterator[Finding]:
    """Compare what a material's line holds with the orders it counts as open."""
    subject = f"account {line.player} {line.material}"
    for what, found, orders, releasing in (
        ("goods", line.held, holds.asks, holds.releasing),
        ("money", line.held_minor, holds.bids, holds.releasing_minor),
    ):
        due = sum(hold or 0 for hold in orders.values()) + releasing
        if due != found:
            yield Finding(FindingKind.HOLDS, subject, f"{due} of {what} held", str(found))
        for order_id, hold in sorted(orders.items()):
            if hold is None:
                yield Finding(FindingKind.OPEN_ORDERS, subject, f"order {order_id} open, or not counted", "closed")


def _check_commit(commit: TapeCommit) -> Iterator[Finding]:
    subject = f"commit {commit.material}-{commit.sequence}"
    orders = {order.order_id: order for order in commit.orders}
    spent: Counter[str] = Counter()
    for number, fill in enumerate(commit.fills, 1):
        if fill.n != number or fill.quantity <= 0 or fill.price_minor <= 0:
            found = f"number {fill.n}, {fill.quantity} at {fill.price_minor}"
            yield Finding(FindingKind.COMMIT, subject, f"trade {number} of something at a price", found)
        spent[fill.bid_id] += fill.price_minor * fill.quantity + fill.buyer_fee_minor
        spent[fill.ask_id] += fill.quantity
        for order_id, player in ((fill.bid_id, fill.buyer), (fill.ask_id, fill.seller)):
            owner = orders[order_id].player if order_id in orders else "nobody"
            if owner != player:
                yield Finding(FindingKind.COMMIT, subject, f"order {order_id} of {player}", f"of {owner}")
    for order in commit.orders:
        if order.released < spent[order.order_id]:
            expected = f"order {order.order_id} to release the {spent[order.order_id]} it spent"
            yield Finding(FindingKind.COMMIT, subject, expected, str(order.released))


def _nonzero(amounts: Amounts) -> Amounts:
    return Counter({key: amount for key, amount in amounts.items() if amount})


def _told(amounts: Amounts) -> str:
    moves = [f"{amount:+} {asset} {book}" for (book, asset), amount in sorted(amounts.items())]
    return ", ".join(moves) or "nothing moved"
