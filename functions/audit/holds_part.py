"""The part of the audit that is of what an account holds: for each material, as much as its open orders need.

What commits have released and settlement has not booked yet is still held. Such commits touched orders that the line
counts as open, so none is older than the oldest of them: the tape is read back to there, a page after the other, but
only for a line that does not add up, and only until it does. What lies deeper cannot make up for something else that
is wrong with the line: the line is also compared with the journal (`AccountPart`), and a commit that is not settled in
time is found on the tape (`TapePart`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from functions.audit.page import CLOCKS_DIFFER_MS, MOST_TRIES, Page
from functions.audit.tables import LAST
from market.accounts.bookkeeping import MONEY, Book
from market.auditing.orders import hold_of
from market.auditing.settlement import Holds, check_holds, commit_effects, moved_by
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.audit.page import IsOver, State
    from functions.audit.tables import AuditedTables
    from market.auditing.settlement import Entry, Finding, Line
    from market.tape import TapeCommit

_COMMITS = 50
_STAMP_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class HoldsPart:
    """Compares each of an account's lines with the orders it counts as open.

    A step is a line with its orders, at most 200 of each side: eight batches; or 50 commits of the tape, with a query
    for each that touched one of these orders. A request reads the account's lines besides, one for each material.
    """

    tables: AuditedTables

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Compare some lines; the state is the material before them, and how far the tape is read for the next."""
        after = str(state.get("after", ""))
        lines = {line.material: line for line in self.tables.lines(of) if line.material is not None}
        findings: list[Finding] = []
        undecided: list[str] = []
        checked = 0
        for material in sorted(name for name in lines if name > after):
            begun: State = state.get("line", {}) if material == state.get("material") else {}
            compared = self._compare(lines[material], begun, is_over)
            if compared.next is not None:
                here = {"after": after, "material": material, "line": compared.next}
                return Page(findings, checked, undecided, next=here)
            findings += compared.findings
            undecided += compared.undecided
            after, checked = material, checked + 1
            if is_over():
                return Page(findings, checked, undecided, next={"after": after})
        return Page(findings, checked, undecided)

    def _compare(self, line: Line, begun: State, is_over: IsOver) -> Page:
        """Compare a line; the state: tries, the digest of line and orders, and what the tape said so far."""
        tries = int(begun.get("tries", 1))
        while True:
            orders = self._orders(line)
            stamp = _stamp(line, orders.holds)
            findings = list(check_holds(line, orders.holds))
            if not findings:
                return Page()
            walk = _Walk.from_json(begun["walk"], orders.holds) if begun.get("stamp") == stamp else _Walk()
            begun = {}
            while not walk.is_done:
                self._read_on(line, orders, walk)
                findings = list(check_holds(line, walk.applied(orders.holds)))
                if not findings:
                    return Page()
                if not walk.is_done and is_over():
                    return Page(next={"tries": tries, "stamp": stamp, "walk": walk.as_json(orders.holds)})
            # Matched or settled between two of the reads?
            again = self.tables.line(line.player, line.material or "")
            if again is None or _stamp(again, self._orders(again).holds) == stamp:
                return Page(findings)
            if tries == MOST_TRIES:
                return Page(undecided=[f"account {line.player} {line.material}"])
            line, tries = again, tries + 1
            if is_over():
                return Page(next={"tries": tries})

    def _read_on(self, line: Line, orders: _Orders, walk: _Walk) -> None:
        """Read a page of the tape, or as much of it as makes the line add up."""
        assert line.material is not None
        since_ms = orders.placed_ms
        commits = [] if since_ms is None else self.tables.commits_before(line.material, walk.before, _COMMITS)
        walk.is_done = not commits
        for commit in commits:
            if since_ms is None or commit.committed_at_ms < since_ms:
                walk.is_done = True
                return
            if any(order.player == line.player for order in commit.orders):
                walk.add(line.player, commit, self.tables.entries_of(commit, line.player))
                if not any(check_holds(line, walk.applied(orders.holds))):
                    return
            walk.before = commit.sequence

    def _orders(self, line: Line) -> _Orders:
        asks, asks_ms = self._side(Side.SELL, line.player, line.open_asks)
        bids, bids_ms = self._side(Side.BUY, line.player, line.open_bids)
        placed_ms = min((at_ms for at_ms in (asks_ms, bids_ms) if at_ms is not None), default=None)
        return _Orders(Holds(asks, bids), placed_ms)

    def _side(self, side: Side, player: str, order_ids: frozenset[str]) -> tuple[dict[str, int | None], int | None]:
        records = self.tables.records_of(side, ((player, order_id) for order_id in sorted(order_ids)))
        resting = self.tables.resting_of(records.values())
        holds = {
            order_id: hold_of(records[order_id], resting.get(order_id)) if order_id in records else None
            for order_id in sorted(order_ids)
        }
        placed_ms = min((record.placed_at_ms for record in records.values()), default=None)
        return holds, None if placed_ms is None else placed_ms - CLOCKS_DIFFER_MS


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the orders that a line counts as open must hold, and since when they may have been matched, epoch ms."""

    holds: Holds
    placed_ms: int | None


@dataclass(slots=True)
class _Walk:
    """What a tape from its end down to `before` has released of a player's holds that is not settled yet."""

    before: int = LAST
    released: Counter[Side] = field(default_factory=Counter["Side"])
    closed: set[str] = field(default_factory=set[str])
    is_done: bool = False

    def add(self, player: str, commit: TapeCommit, entries: Sequence[Entry]) -> None:
        """Take in a commit that touched orders of the player, and what it caused in the player's journal so far."""
        due, moved = commit_effects(commit).get(player, Counter()), moved_by(entries)
        if due == moved and due:
            return
        for side, asset in ((Side.SELL, commit.material), (Side.BUY, MONEY)):
            self.released[side] += moved[Book.HELD, asset] - due[Book.HELD, asset]
        self.closed |= {order.order_id for order in commit.orders if order.player == player and order.closed}

    def applied(self, holds: Holds) -> Holds:
        """Return what must be held besides what the orders need by now."""
        asks, bids = (
            {order_id: hold for order_id, hold in orders.items() if order_id not in self.closed}
            for orders in (holds.asks, holds.bids)
        )
        return Holds(asks, bids, self.released[Side.SELL], self.released[Side.BUY])

    def as_json(self, holds: Holds) -> list[object]:
        """Return it as a JSON value; the closed orders as the bits of a number, for there may be hundreds."""
        bits = sum(1 << n for n, order_id in enumerate(_ids(holds)) if order_id in self.closed)
        return [self.before, self.released[Side.SELL], self.released[Side.BUY], hex(bits)]

    @staticmethod
    def from_json(value: Any, holds: Holds) -> _Walk:
        """Return what `as_json` made a value of, for the same orders."""
        before, sell, buy, bits = value
        closed = {order_id for n, order_id in enumerate(_ids(holds)) if int(bits, 16) >> n & 1}
        return _Walk(int(before), Counter({Side.SELL: int(sell), Side.BUY: int(buy)}), closed)


def _ids(holds: Holds) -> list[str]:
    return [*sorted(holds.asks), *sorted(holds.bids)]


def _stamp(line: Line, holds: Holds) -> str:
    numbers = (line.held, line.held_minor, *sorted(holds.asks.items()), *sorted(holds.bids.items()))
    return sha256(repr(numbers).encode()).hexdigest()[:_STAMP_CHARACTERS]
