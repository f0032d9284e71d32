"""The part of the audit that is of one account: its journal, and its balances, which are what the journal sums to."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from functions.audit.page import MOST_TRIES, Page
from market.accounts.bookkeeping import MONEY
from market.auditing.settlement import check_balances, check_entry, commit_effects, moved_by
from market.side import Side
from market.tables import SellOrder
from patterns.historic.images import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.audit.page import IsOver, State
    from functions.audit.tables import AuditedTables
    from market.auditing.settlement import Entry, Finding
    from market.tables import Bid

_ENTRIES = 200
_SETTLEMENT_CAUSE = re.compile(r"settlement#(.+)-([1-9][0-9]*)#[0-9]+", re.ASCII)


def settled_place(cause: str) -> tuple[str, int] | None:
    """Return material and sequence number of the commit that a journal entry settles; None if it settles none."""
    found = _SETTLEMENT_CAUSE.fullmatch(cause)
    return (found[1], int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class AccountPart:
    """Sums up an account's journal page by page, and compares the account at its end.

    A step is 200 entries with the commits, orders and references they name: a query and at most nine batches. The last
    one also reads the account, one item for each material.
    """

    tables: AuditedTables

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Audit some journal entries of a player, or the account after the last.

        The state: the sort key before the entries, what those before sum to, how many times this was tried, and the
        account's digest when this try began.
        """
        sums: Counter[tuple[str, str]] = Counter()
        for book, asset, amount in state.get("sums", ()):
            sums[book, asset] = int(amount)
        tries, stamp = int(state.get("tries", 1)), state.get("stamp") or self._stamp(of)
        after: str | None = str(state.get("after", "0"))
        findings: list[Finding] = []
        checked = 0
        while after is not None:
            entries, after = self.tables.entries(of, after, _ENTRIES)
            findings += self._check_entries(of, entries)
            checked += len(entries)
            for key, amount in moved_by(entries).items():
                sums[key] += amount
            if after is not None and is_over():
                kept = [[book, asset, amount] for (book, asset), amount in sums.items() if amount]
                return Page(findings, checked, next={"after": after, "sums": kept, "tries": tries, "stamp": stamp})
        wrong = list(check_balances(of, self.tables.lines(of), sums))
        if not wrong:
            return Page(findings, checked)
        # Somebody may have traded between two of the reads: what is wrong must be so twice, of an account at rest.
        if tries > 1 and stamp == self._stamp(of):
            return Page([*findings, *wrong], checked)
        if tries < MOST_TRIES:
            # The entries are read again from the first: a settlement may have put some among those read before.
            return Page(next={"tries": tries + 1})
        return Page(findings, checked, [f"account {of}"])

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


def _held(order: Bid | SellOrder | None) -> tuple[str, int] | None:
    if order is None or order.hold is None:
        return None
    return (order.material if isinstance(order, SellOrder) else MONEY), order.hold
