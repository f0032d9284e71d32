"""What became of some orders of a player by the tape, found without reading all of it.

Three readings, each in steps that a request can stop behind. The player's *journal* names the commits that settled
something of theirs, from the orders' placing to the commits that closed them. A *closing* that moved nothing, as when
an order is replaced by one that needs as much, is in no journal: it is looked for on the tape around the last write to
the order's record. What is not *settled* yet is in no journal either: the tape is read back, newest first, until it is
older than anything that may still be on its way to the journal and the orders agree with what it said, else down to the
placing of the oldest of them. Commits that lie deeper cannot hide anything: each is named by `TapePart`, as it was not
settled in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from functions.audit.account_part import settled_place
from functions.audit.page import CLOCKS_DIFFER_MS, OVERDUE_MS
from functions.audit.tables import LAST
from functions.history.sources import BIDS, SELL_ORDERS
from market.auditing.orders import Trail, order_id_of
from market.auditing.settlement import commit_effects
from market.tables import SellOrder
from market.tape import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.audit.page import IsOver
    from functions.audit.proofs import Proofs
    from functions.audit.tables import AuditedTables
    from functions.clock import Clock
    from market.tables import Bid

Stage: TypeAlias = Literal["journal", "closings", "tape", "done"]

_ENTRIES = 200
_COMMITS = 100
_CLOSED = ("CANCELED", "EXPIRED", "REJECTED")


@dataclass(frozen=True, slots=True)
class Position:
    """How far the trails are followed.

    Parameters
    ----------
    stage
        What is read.
    at
        Of the journal, the last entry's key; of a closing, the order; of the tape, its material.
    sequence
        Of a closing, the commit read last; of the tape, the lowest read; 0 if that order or material is done. Of the
        journal, the commit followed last.
    at_material
        Of the journal, the tape of the commit followed last.
    trails
        What the commits so far said, by order.
    """

    stage: Stage = "journal"
    at: str = ""
    sequence: int = 0
    at_material: str = ""
    trails: dict[str, Trail] = field(default_factory=dict[str, Trail])

    def as_json(self) -> list[object]:
        """Return it as a JSON value."""
        trails = {order_id: _trail_json(trail) for order_id, trail in self.trails.items()}
        return [self.stage, self.at, self.sequence, self.at_material, trails]

    @staticmethod
    def from_json(value: Any) -> Position:
        """Return what `as_json` made a value of."""
        stage, at, sequence, material, trails = value
        return Position(stage, at, int(sequence), material, {name: _trail(kept) for name, kept in trails.items()})


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows orders of one player.

    Parameters
    ----------
    tables, proofs
        What is read.
    clock
        Epoch ms.
    player
        Whose orders.
    records
        The orders, of one side.
    agrees
        Whether an order is what a trail says.
    """

    tables: AuditedTables
    proofs: Proofs
    clock: Clock
    player: str
    records: Sequence[Bid | SellOrder]
    agrees: Callable[[Bid | SellOrder, Trail], bool]

    def follow(self, position: Position, is_over: IsOver) -> Position:
        """Read on, one step at least, until all is read or the time is over.

        A step is 200 entries of the journal with their commits (a query, two batches), or 100 commits of a tape with a
        query for each that touched one of the orders; finding a commit by its time takes a query for each bit of the
        tape's length.
        """
        steps = {"journal": self._read_journal, "closings": self._look_for_closing, "tape": self._read_tape}
        while position.stage != "done":
            position = steps[position.stage](position)
            if is_over():
                break
        return position

    def _incomplete(self, trails: dict[str, Trail]) -> list[Bid | SellOrder]:
        """Orders of which there may be more to say: open ones, and those whose sum is not whole."""
        return [record for record in self.records if not trails[order_id_of(record)].is_complete]

    def _read_journal(self, position: Position) -> Position:
        trails = {order_id_of(record): Trail() for record in self.records} | position.trails
        if not self._incomplete(trails):
            return Position("done", trails=trails)
        placed_ms = min(record.placed_at_ms for record in self.records) - CLOCKS_DIFFER_MS
        entries, last = self.tables.entries(self.player, position.at or f"{placed_ms:013d}", _ENTRIES)
        places = [place for entry in entries if (place := settled_place(entry.cause)) is not None]
        commits = self.tables.commits_of(places)
        # The slices of one commit follow each other, maybe from one page to the next.
        seen = (position.at_material, position.sequence)
        new = [place for place in dict.fromkeys(places) if place in commits and place != seen]
        for order_id, trail in trails.items():
            trails[order_id] = trail.followed(order_id, (commits[place] for place in new))
        if last is None:
            return Position("closings", trails=trails)
        material, sequence = places[-1] if places else seen
        return Position("journal", last, sequence, material, trails)

    def _look_for_closing(self, position: Position) -> Position:
        """Look for the closing of one order."""
        trails = position.trails
        closed = (order_id_of(record) for record in self.records if record.status in _CLOSED)
        pending = sorted(order_id for order_id in closed if trails[order_id].closed is None)
        goes_on = position.sequence > 0
        order_id = next((name for name in pending if name > position.at or (goes_on and name == position.at)), None)
        if order_id is None:
            return Position("tape", trails=trails)
        record = next(record for record in self.records if order_id_of(record) == order_id)
        keys = SELL_ORDERS if isinstance(record, SellOrder) else BIDS
        written_ms = self.proofs.last_write_ms(keys, {keys.hash_key: self.player, "order_key": order_id})
        nothing_here = Position("closings", order_id, trails=trails)
        if written_ms is None:
            return nothing_here
        is_begun = goes_on and order_id == position.at
        from_ms, until_ms = written_ms - CLOCKS_DIFFER_MS, written_ms + CLOCKS_DIFFER_MS
        after = position.sequence if is_begun else self.tables.last_before(record.material, from_ms)
        commits = self.tables.commits(record.material, after, _COMMITS)
        for commit in commits:
            if commit.committed_at_ms > until_ms:
                return nothing_here
            moved_nothing = self.player not in commit_effects(commit)
            if moved_nothing and any(order.order_id == order_id for order in commit.orders):
                found = {order_id: trails[order_id].followed(order_id, [commit])}
                return replace(nothing_here, trails=trails | found)
        if not commits:
            return nothing_here
        return Position("closings", order_id, commits[-1].sequence, trails=trails)

    def _read_tape(self, position: Position) -> Position:
        trails = dict(position.trails)
        material, before = position.at, position.sequence
        if not before:
            waiting = {record.material for record in self._incomplete(trails)}
            material, before = min((name for name in waiting if name > material), default=""), LAST
        if not material:
            return Position("done", trails=trails)
        here = [record for record in self.records if record.material == material]
        placed_ms = min(record.placed_at_ms for record in here) - CLOCKS_DIFFER_MS
        overdue_ms = self.clock() - OVERDUE_MS - CLOCKS_DIFFER_MS
        commits = self.tables.commits_before(material, before, _COMMITS)
        agree: bool | None = None
        # Looked at before each commit: where the tape is cut into pages makes no difference.
        for commit in commits:
            if commit.committed_at_ms < overdue_ms and agree is None:
                agree = all(self.agrees(record, trails[order_id_of(record)]) for record in here)
            if agree or commit.committed_at_ms < placed_ms:
                return Position("tape", material, trails=trails)
            touched = [order.order_id for order in commit.orders if order.order_id in trails]
            if touched and not self.tables.entries_of(commit, self.player):
                trails |= {order_id: trails[order_id].followed(order_id, [commit]) for order_id in touched}
                agree = None
        return Position("tape", material, commits[-1].sequence if commits else 0, trails=trails)


def _trail_json(trail: Trail) -> list[object]:
    closed = trail.closed
    return [trail.filled, closed and [closed.status, closed.reason, closed.quantity, closed.withdrawn]]


def _trail(kept: Any) -> Trail:
    filled, closed = kept
    return Trail(int(filled), Closing(*closed) if closed else None)
