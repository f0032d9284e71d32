"""The parts of the audit that are of a material: its tape with all settlements, and its book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.audit.page import OVERDUE_MS, Page
from market.auditing.orders import check_resting
from market.auditing.settlement import check_settlement, check_tape, commit_effects
from market.side import Side
from market.tables import OpenAsk

if TYPE_CHECKING:
    from functions.audit.page import IsOver, State
    from functions.audit.tables import AuditedTables
    from functions.clock import Clock
    from market.auditing.settlement import Finding
    from market.tables import StandingBid

_COMMITS = 50
_MOST_ACCOUNTS = 500
"""Journals to look into for one page, a few ms each."""
_ORDERS = 100


@dataclass(frozen=True, slots=True)
class TapePart:
    """Checks a material's tape, and that each commit was settled once, as it says.

    A step is a commit with a query for each account it names, about a hundred; a request reads 50 commits, and looks
    into 500 journals at most before its last step.
    """

    tables: AuditedTables
    clock: Clock

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Audit some commits; the state is the sequence number before them."""
        after = int(state.get("after", 0))
        commits = self.tables.commits(of, after, _COMMITS)
        statuses = self.tables.settlement_states((of, commit.sequence) for commit in commits)
        findings: list[Finding] = []
        checked, accounts, last = 0, 0, after
        for commit in commits:
            if checked and (accounts > _MOST_ACCOUNTS or is_over()):
                break
            findings += check_tape(of, last, [commit])
            players = sorted({*commit_effects(commit), *(order.player for order in commit.orders)})
            entries = {player: self.tables.entries_of(commit, player) for player in players}
            overdue = commit.committed_at_ms < self.clock() - OVERDUE_MS
            status = statuses.get((of, commit.sequence))
            findings += check_settlement(commit, status, entries, overdue=overdue)
            checked, accounts, last = checked + 1, accounts + len(players), commit.sequence
        return Page(findings, checked, next={"after": last} if commits else None)


@dataclass(frozen=True, slots=True)
class BookPart:
    """Checks that every order in the book has a record that says the same, and an account that knows of it.

    A request is one step: 100 orders with their records and lines, a query and two batches, twice if anything is wrong.
    """

    tables: AuditedTables

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Audit some orders; the state is the side and the sort key before them."""
        side, after = Side(state.get("side", Side.SELL)), str(state.get("after", ""))
        book = self.tables.book(side, of, after, _ORDERS)
        if not book:
            return Page(next={"side": Side.BUY} if side is Side.SELL else None)
        findings = self._check(side, book)
        if findings:  # what was taken meanwhile is no finding
            wrong = {found.subject for found in findings}
            again = self.tables.book(side, of, after, _ORDERS)
            findings = self._check(side, [row for row in again if row in book and f"order {_id(row)}" in wrong])
        return Page(findings, len(book), next={"side": side, "after": book[-1].price_key})

    def _check(self, side: Side, book: list[OpenAsk | StandingBid]) -> list[Finding]:
        records = self.tables.records_of(side, ((_player(row), _id(row)) for row in book))
        counted = self.tables.is_counted((_player(row), row.material, _id(row)) for row in book)
        return [
            finding
            for row in book
            for finding in check_resting(
                row, records.get(_id(row)), counted=(_player(row), row.material, _id(row)) in counted
            )
        ]


def _id(row: OpenAsk | StandingBid) -> str:
    return row.ask_id if isinstance(row, OpenAsk) else row.bid_id


def _player(row: OpenAsk | StandingBid) -> str:
    return row.seller if isinstance(row, OpenAsk) else row.buyer
