"""The part of the audit that is of one account: its journal, its balances, what it holds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from functions.audit.page import MOST_TRIES, Page
from market.accounts.bookkeeping import MONEY
from market.auditing.orders import hold_of
from market.auditing.settlement import Holds, check_balances, check_entry, check_holds, commit_effects, moved_by
from market.matching.order_book import Side
from market.tables import SellOrder
from patterns.historic.images import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.audit.page import State
    from functions.audit.tables import AuditedTables
    from market.auditing.settlement import Entry, Finding, Line
    from market.tables import Bid

_ENTRIES = 200
NEWEST_COMMITS = 50
"""How far settlement may lag behind the matcher, in commits of a material, before what it has yet to release is missed
and a hold is said to be wrong."""
_SETTLEMENT_CAUSE = re.compile(r"settlement#(.+)-([1-9][0-9]*)#[0-9]+", re.ASCII)


def settled_place(cause: str) -> tuple[str, int] | None:
    """Return material and sequence number of the commit that a journal entry settles; None if it settles none."""
    found = _SETTLEMENT_CAUSE.fullmatch(cause)
    return (found[1], int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class AccountPart:
    """Sums up an account's journal page by page, and compares the account at its end."""

    tables: AuditedTables

    def __call__(self, of: str, state: State) -> Page:
        """Audit some journal entries of a player, or the account after the last.

        The state: the sort key before the entries, what those before sum to, how many times this was tried, and the
        account's digest when this try began.
        """
        sums: Counter[tuple[str, str]] = Counter()
        for book, asset, amount in state.get("sums", ()):
            sums[book, asset] = int(amount)
        tries, stamp = int(state.get("tries", 1)), state.get("stamp") or self._stamp(of)
        entries, last = self.tables.entries(of, str(state.get("after", "0")), _ENTRIES)
        findings = self._check_entries(of, entries)
        for key, amount in moved_by(entries).items():
            sums[key] += amount
        if last is not None:
            kept = [[book, asset, amount] for (book, asset), amount in sums.items() if amount]
            return Page(findings, len(entries), next={"after": last, "sums": kept, "tries": tries, "stamp": stamp})
        lines = self.tables.lines(of)
        wrong = list(check_balances(of, lines, sums))
        wrong += [finding for line in lines if line.material is not None for finding in self._check_line(line)]
        if not wrong:
            return Page(findings, len(entries))
        # Somebody may have traded between two of the reads: what is wrong must be so twice, of an account at rest.
        if tries > 1 and stamp == self._stamp(of):
            return Page([*findings, *wrong], len(entries))
        if tries < MOST_TRIES:
            return Page([], len(entries), next={"tries": tries + 1})
        return Page(findings, len(entries), [f"account {of}"])

    def _stamp(self, player: str) -> str:
        return sha256(canonical(sorted(self.tables.account_items(player), key=canonical)).encode()).hexdigest()[:16]

    def _check_entries(self, player: str, entries: Sequence[Entry]) -> list[Finding]:
        places = [place for entry in entries if (place := settled_place(entry.cause)) is not None]
        commits = self.tables.commits_of(places)
        ids = [(player, entry.cause.removeprefix("order#")) for entry in entries if entry.cause.startswith("order#")]
        orders = self.tables.records_of(Side.SELL, ids) | self.tables.records_of(Side.BUY, ids)
        references = [f"~{entry.cause}" for entry in entries if entry.cause.startswith(("deposit#", "withdrawal#"))]
        claims = self.tables.items(self.tables.accounts, [{"player": player, "line": line} for line in references])
        claimed = {cast("str", claim["line"]) for claim in claims}
        findings: list[Finding] = []
        for entry in entries:
            place = settled_place(entry.cause)
            order = orders.get(entry.cause.removeprefix("order#"))
            if place is not None:
                has_cause = place in commits and player in commit_effects(commits[place])
            else:
                has_cause = order is not None or f"~{entry.cause}" in claimed
            findings += check_entry(entry, has_cause=has_cause, held=_held(order))
        return findings

    def _check_line(self, line: Line) -> list[Finding]:
        asks = self._holds(Side.SELL, line.player, line.open_asks)
        bids = self._holds(Side.BUY, line.player, line.open_bids)
        findings = list(check_holds(line, Holds(asks, bids)))
        if not findings:
            return []
        # Commits that are not settled yet have released what the line still holds.
        assert line.material is not None
        releasing: Counter[Side] = Counter()
        for commit in self.tables.newest_commits(line.material, NEWEST_COMMITS):
            own = [order for order in commit.orders if order.player == line.player]
            if own and not self.tables.entries_of(commit, line.player):
                for order in own:
                    releasing[order.side] += order.released
                    if order.closed is not None:
                        asks.pop(order.order_id, None)
                        bids.pop(order.order_id, None)
        return list(check_holds(line, Holds(asks, bids, releasing[Side.SELL], releasing[Side.BUY])))

    def _holds(self, side: Side, player: str, order_ids: frozenset[str]) -> dict[str, int | None]:
        records = self.tables.records_of(side, ((player, order_id) for order_id in sorted(order_ids)))
        resting = self.tables.resting_of(records.values())
        return {
            order_id: hold_of(records[order_id], resting.get(order_id)) if order_id in records else None
            for order_id in order_ids
        }


def _held(order: Bid | SellOrder | None) -> tuple[str, int] | None:
    if order is None or order.hold is None:
        return None
    return (order.material if isinstance(order, SellOrder) else MONEY), order.hold
