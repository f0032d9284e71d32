"""The parts of the audit that prove histories: of an account's lines, and of the settlements with their commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.audit.page import Page
from functions.history.sources import ACCOUNTS, SETTLEMENTS
from market.auditing.settlement import Finding, FindingKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.audit.page import IsOver, State
    from functions.audit.proofs import Proofs
    from functions.audit.tables import AuditedTables

_SETTLEMENTS = 25


@dataclass(frozen=True, slots=True)
class LinesPart:
    """Proves the histories of an account's lines, one after the other: a busy line's takes many requests.

    A step is 250 versions of one line; a request reads the names of all lines besides, one for each material.
    """

    tables: AuditedTables
    proofs: Proofs

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Prove some lines; the state is the sort key before them, and one whose history is proven in part."""
        after = str(state.get("after", ""))
        names = [str(item["line"]["S"]) for item in self.tables.account_items(of)]
        found: list[Finding] = []
        checked = 0
        for line in [name for name in names if name > after]:
            begun = state["token"] if line == state.get("line") else None
            key = {"player": of, "line": line}
            proven, token = self.proofs.prove(ACCOUNTS, self.tables.accounts, key, begun, is_over)
            found += proven
            if token is not None:
                return Page(found, checked, next={"after": after, "line": line, "token": token})
            after, checked = line, checked + 1
            if is_over():
                return Page(found, checked, next={"after": after})
        return Page(found, checked)


@dataclass(frozen=True, slots=True)
class SettlementsPart:
    """Proves the histories of settlements, and that each is of a commit that exists.

    A step is 250 versions of one settlement, of which most have two; a request scans 25 of them and their commits.
    """

    tables: AuditedTables
    proofs: Proofs

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Check some settlements; the state is the key before them, and one whose history is proven in part."""
        after: Mapping[str, Any] | None = state.get("after")
        found: list[Finding] = []
        checked = 0
        if "token" in state:
            settlement_id = str(state["settlement"])
            proven, token = self._prove(settlement_id, state["token"], is_over)
            found, checked = proven, int(token is None)
            if token is not None:
                return Page(found, next={**state, "token": token})
            after = _key_of(settlement_id)
            if is_over():
                return Page(found, checked, next={"after": after})
        items, following = self.tables.settlement_page(after, _SETTLEMENTS)
        ids = [str(item["transaction_id"]["S"]) for item in items]
        places = {settlement_id: _place(settlement_id) for settlement_id in ids}
        commits = self.tables.commits_of(places.values())
        for settlement_id in ids:
            if places[settlement_id] not in commits:
                subject = f"settlement {settlement_id}"
                found.append(Finding(FindingKind.UNKNOWN_COMMIT, subject, "a commit on the tape", "none"))
            proven, token = self._prove(settlement_id, None, is_over)
            found += proven
            if token is not None:
                return Page(found, checked, next={"after": after, "settlement": settlement_id, "token": token})
            after, checked = _key_of(settlement_id), checked + 1
            if is_over():
                return Page(found, checked, next={"after": after})
        return Page(found, checked, next={"after": following} if following else None)

    def _prove(self, settlement_id: str, token: str | None, is_over: IsOver) -> tuple[list[Finding], str | None]:
        key = {"transaction_id": settlement_id}
        return self.proofs.prove(SETTLEMENTS, self.tables.settlements, key, token, is_over)


def _key_of(settlement_id: str) -> dict[str, Any]:
    return {"transaction_id": {"S": settlement_id}}


def _place(settlement_id: str) -> tuple[str, int]:
    material, _, sequence = settlement_id.rpartition("-")
    return material, int(sequence) if sequence.isascii() and sequence.isdigit() else 0
