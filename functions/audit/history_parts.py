"""The parts of the audit that prove histories: of an account's lines, and of the settlements with their commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.audit.page import Page
from functions.history.sources import ACCOUNTS, SETTLEMENTS
from market.auditing.settlement import Finding, FindingKind

if TYPE_CHECKING:
    from functions.audit.page import State
    from functions.audit.proofs import Proofs
    from functions.audit.tables import AuditedTables

_SETTLEMENTS = 25


@dataclass(frozen=True, slots=True)
class LinesPart:
    """Proves the histories of an account's lines, one on a page: a busy line's is long."""

    tables: AuditedTables
    proofs: Proofs

    def __call__(self, of: str, state: State) -> Page:
        """Prove one line; the state is the sort key of the line before."""
        after = str(state.get("after", ""))
        lines = [str(item["line"]["S"]) for item in self.tables.account_items(of)]
        line = next((line for line in lines if line > after), None)
        if line is None:
            return Page()
        found = self.proofs.findings(ACCOUNTS, self.tables.accounts, {"player": of, "line": line})
        return Page(found, 1, next={"after": line})


@dataclass(frozen=True, slots=True)
class SettlementsPart:
    """Proves the histories of settlements, and that each is of a commit that exists."""

    tables: AuditedTables
    proofs: Proofs

    def __call__(self, of: str, state: State) -> Page:
        """Check some settlements; the state is the key of the one before."""
        items, following = self.tables.settlement_page(state.get("after"), _SETTLEMENTS)
        ids = [str(item["transaction_id"]["S"]) for item in items]
        places = {settlement_id: _place(settlement_id) for settlement_id in ids}
        commits = self.tables.commits_of(places.values())
        findings: list[Finding] = []
        for settlement_id in ids:
            if places[settlement_id] not in commits:
                subject = f"settlement {settlement_id}"
                findings.append(Finding(FindingKind.UNKNOWN_COMMIT, subject, "a commit on the tape", "none"))
            key = {"transaction_id": settlement_id}
            findings += self.proofs.findings(SETTLEMENTS, self.tables.settlements, key)
        return Page(findings, len(ids), next={"after": following} if following else None)


def _place(settlement_id: str) -> tuple[str, int]:
    material, _, sequence = settlement_id.rpartition("-")
    return material, int(sequence) if sequence.isascii() and sequence.isdigit() else 0
