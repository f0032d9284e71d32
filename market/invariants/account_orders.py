"""Accounts agree with the orders and the tape: what is held for what, what is settled, who was told."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from market.accounts.bookkeeping import MONEY, Book
from market.invariants.findings import Invariant, Violation
from market.invariants.records import owner
from market.invariants.settled import commit_settlements
from market.tables import SellOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.accounts.rows import AccountTables, JournalRow
    from market.invariants.records import Order, Records
    from market.invariants.settled import CommitSettlement

_COMPLETED = "COMPLETED"


def check_orders(records: Records, accounts: AccountTables, *, quiet: bool) -> Iterator[Violation]:
    """Compare accounts with orders and tape; when it is quiet, nothing may be left to settle or to tell."""
    settlements, unknown = commit_settlements(records.tables.tape, accounts.journal)
    yield from _check_placed(records, accounts)
    yield from _check_settled(settlements, unknown, accounts, quiet=quiet)
    yield from _check_held(records, accounts, settlements)
    yield from _check_open_orders(records, accounts, quiet=quiet)
    yield from _check_notified(records, accounts, quiet=quiet)


def _check_placed(records: Records, accounts: AccountTables) -> Iterator[Violation]:
    entries: defaultdict[str, list[JournalRow]] = defaultdict(list)
    for entry in accounts.journal:
        kind, _, order_id = entry.cause.partition("#")
        if kind == "order":
            entries[order_id].append(entry)
    for order_id, order in records.orders():
        hold, asset = records.placed_hold(order), order.material if isinstance(order, SellOrder) else MONEY
        expected = [(owner(order), {(Book.HELD, asset): hold, (Book.AVAILABLE, asset): -hold})] if hold else []
        found = [(entry.player, _amounts(entry)) for entry in entries.pop(order_id, ())]
        if found != expected:
            yield Violation(Invariant.PLACED, order.material, order_id, _told(expected), _told(found))
    for order_id, placed in entries.items():
        yield Violation(Invariant.PLACED, "", order_id, "an order", f"a journal entry of {placed[0].player} only")


def _check_settled(
    settlements: list[CommitSettlement], unknown: set[str], accounts: AccountTables, *, quiet: bool
) -> Iterator[Violation]:
    status = {row.transaction_id: row.status for row in accounts.settlements}
    for settlement in settlements:
        stored = status.pop(settlement.commit_id, None)
        # Under way if it is stored as such; not begun if the journal has nothing of it.
        may_follow = not quiet and stored != _COMPLETED and not (stored is None and settlement.done)
        if not (settlement.is_done or may_follow) or (quiet and stored not in (None, _COMPLETED)):
            commit = settlement.commit
            expected, found = _told(settlement.due), f"{stored}, {_told(settlement.done)}"
            yield Violation(Invariant.SETTLED, commit.material, f"commit {commit.sequence}", expected, found)
    for commit_id in sorted(unknown | status.keys()):
        yield Violation(Invariant.SETTLED, commit_id, "settlement", "a commit on the tape", "none")


def _check_held(records: Records, accounts: AccountTables, settlements: list[CommitSettlement]) -> Iterator[Violation]:
    due: Counter[tuple[str, str, str]] = Counter()  # player, material, asset
    for order_id, order in records.orders():
        asset = order.material if isinstance(order, SellOrder) else MONEY
        due[str(owner(order)), order.material, asset] += records.held(order_id, order)
    for settlement in settlements:
        for place, amount in settlement.still_held().items():
            due[place.player, settlement.commit.material, place.asset] += amount
    held: Counter[tuple[str, str, str]] = Counter()
    for line in accounts.lines:
        if line.material is not None:
            held[line.player, line.material, line.material] += line.held
            held[line.player, line.material, MONEY] += line.held_minor
    for place in sorted(due.keys() | held.keys()):
        if due[place] != held[place]:
            player, material, asset = place
            expected, found = f"{due[place]} of {asset} held", str(held[place])
            yield Violation(Invariant.HELD, material, f"account {player}", expected, found)


def _check_open_orders(records: Records, accounts: AccountTables, *, quiet: bool) -> Iterator[Violation]:
    listed = {
        (line.player, line.material or "", side): set(ids)
        for line in accounts.lines
        for side, ids in (("SELL", line.open_asks), ("BUY", line.open_bids))
        if ids
    }
    is_open: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    closed: set[str] = set()
    for order_id, order in records.orders():
        if records.is_open(order_id, order):
            is_open[str(owner(order)), order.material, _side(order)].add(order_id)
        else:
            closed.add(order_id)
    for place in sorted(listed.keys() | is_open.keys()):
        found = listed.get(place, set())
        # Until the commit that closed an order is settled, its account lists it.
        if (found if quiet else found - closed) != is_open[place]:
            player, material, side = place
            expected = f"{side} orders {sorted(is_open[place] - found)} too, and not {sorted(found - is_open[place])}"
            yield Violation(Invariant.OPEN_ORDERS, material, f"account {player}", expected, f"{len(found)} orders")


def _check_notified(records: Records, accounts: AccountTables, *, quiet: bool) -> Iterator[Violation]:
    value: Counter[str] = Counter()
    fee: Counter[str] = Counter()
    for trade in records.trades:
        for order_id, paid in (
            (trade.fill.bid_id, trade.fill.buyer_fee_minor),
            (trade.fill.ask_id, trade.fill.seller_fee_minor),
        ):
            value[order_id] += trade.value_minor
            fee[order_id] += paid
    told: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in accounts.notifications:
        told[row.order_id].append(
            (
                row.player,
                row.side,
                row.material,
                row.status,
                row.reason,
                row.quantity,
                row.filled,
                row.value_minor,
                row.fee_minor,
            )
        )
    for order_id, order in records.orders():
        found = told.pop(order_id, [])
        traded = records.traded[order_id]
        expected = [
            (
                owner(order),
                _side(order),
                order.material,
                closed.status,
                closed.reason,
                closed.quantity,
                traded,
                value[order_id],
                fee[order_id],
            )
            for _, closed in records.closings[order_id]
        ]
        if found != expected and (quiet or found):
            yield Violation(Invariant.NOTIFIED, order.material, order_id, str(expected), str(found))
    for order_id in told:
        yield Violation(Invariant.NOTIFIED, "", order_id, "an order", "a notification only")


def _amounts(entry: JournalRow) -> dict[tuple[Book, str], int]:
    sums: Counter[tuple[Book, str]] = Counter()
    for posting in entry.postings:
        sums[posting.account, posting.asset] += posting.amount
    return dict(sums)


def _side(order: Order) -> str:
    return "SELL" if isinstance(order, SellOrder) else "BUY"


def _told(amounts: object) -> str:
    """Write amounts as a report can hold them."""
    return f"{amounts!r:.300}"
