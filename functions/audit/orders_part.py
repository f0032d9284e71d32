"""The part of the audit that is of a player's orders: each against the tape, the book, its account and its history.

Which commits an order took part in is found without reading the whole tape: its player's journal names them, from the
order's placing to the commit that closed it. Commits that are not settled yet are among the tape's newest. A commit
that closed an order and moved nothing, as when an order is replaced by one that needs as much, is in no journal: it is
looked for on the tape around the last write to the order's record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.audit.account_part import NEWEST_COMMITS, settled_place
from functions.audit.page import MOST_TRIES, Page
from functions.history.sources import ASKS, BIDS, SELL_ORDERS
from market.auditing.orders import Trail, check_order, order_id_of
from market.auditing.settlement import commit_effects
from market.keys import ask_price_key
from market.matching.order_book import Side
from market.tables import SellOrder
from market.tape import Closing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.audit.page import State
    from functions.audit.proofs import Proofs
    from functions.audit.tables import AuditedTables
    from market.auditing.settlement import Finding
    from market.tables import Bid, OpenAsk, StandingBid

_ORDERS = 20
_ENTRIES = 200
_MOST_ENTRIES = 1_000
_MOST_PAGES = 20
_CLOSED = ("CANCELED", "EXPIRED", "REJECTED")
_CLOCKS_DIFFER_MS = 60_000
"""At most, between whoever stamps an order and whoever stamps a commit."""


@dataclass(frozen=True, slots=True)
class OrdersPart:
    """Checks the orders of a player, twenty at a time: first the asks, then the bids."""

    tables: AuditedTables
    proofs: Proofs

    def __call__(self, of: str, state: State) -> Page:
        """Audit some orders, or follow them for some journal entries more.

        The state: the side, the order id before those on the page, how many times it was tried; while their trails are
        followed, where in the journal, the commit followed last, and what of each order the commits said so far.
        """
        side, after = Side(state.get("side", Side.SELL)), str(state.get("after", ""))
        records = self.tables.records(side, of, after, _ORDERS)
        if "trails" in state:  # the same orders as when this began
            records = [record for record in records if order_id_of(record) in state["trails"]]
        if not records:
            return Page(next={"side": Side.BUY} if side is Side.SELL else None)
        resting = self.tables.resting_of(records)
        records = list(self.tables.records_of(side, ((of, order_id_of(record)) for record in records)).values())
        trails, position = self._follow(of, records, state)
        here: dict[str, Any] = {"side": side, "after": after, "tries": int(state.get("tries", 1))}
        if position is not None:
            kept = {order_id: _trail_json(trail) for order_id, trail in trails.items()}
            return Page(next={**here, **position, "trails": kept})
        findings = self._check(of, records, resting, trails)
        last = {"side": side, "after": max(map(order_id_of, records))}
        if findings and here["tries"] < MOST_TRIES:  # matched or settled between two of the reads
            return Page(next={**here, "tries": here["tries"] + 1})
        return Page([*findings, *self._proofs(of, records)], len(records), next=last)

    def _follow(
        self, player: str, records: Sequence[Bid | SellOrder], state: State
    ) -> tuple[dict[str, Trail], dict[str, Any] | None]:
        """Read on in the journal; returns the trails, and where to go on if that was not all."""
        kept: Mapping[str, Any] = state.get("trails", {})
        trails = {order_id_of(record): _trail(kept.get(order_id_of(record))) for record in records}
        placed_ms = min(record.placed_at_ms for record in records) - _CLOCKS_DIFFER_MS
        position, seen = str(state.get("at", f"{placed_ms:013d}")), state.get("seen")
        read = 0
        while any(trail.closed is None for trail in trails.values()):
            entries, last = self.tables.entries(player, position, _ENTRIES)
            places = [place for entry in entries if (place := settled_place(entry.cause)) is not None]
            commits = self.tables.commits_of(places)
            # The slices of one commit follow each other, maybe from one page to the next.
            new = [place for place in dict.fromkeys(places) if place in commits and list(place) != seen]
            for order_id, trail in trails.items():
                trails[order_id] = trail.followed(order_id, (commits[place] for place in new))
            seen = list(places[-1]) if places else seen
            if last is None:
                return self._follow_unsettled(player, records, trails), None
            position, read = last, read + len(entries)
            if read >= _MOST_ENTRIES:
                return trails, {"at": position, "seen": seen}
        return trails, None

    def _follow_unsettled(
        self, player: str, records: Sequence[Bid | SellOrder], trails: dict[str, Trail]
    ) -> dict[str, Trail]:
        for material in sorted({r.material for r in records if trails[order_id_of(r)].closed is None}):
            for commit in reversed(self.tables.newest_commits(material, NEWEST_COMMITS)):
                touched = [order.order_id for order in commit.orders if order.order_id in trails]
                if touched and not self.tables.entries_of(commit, player):
                    trails |= {order_id: trails[order_id].followed(order_id, [commit]) for order_id in touched}
        for record in records:
            order_id = order_id_of(record)
            if trails[order_id].closed is None and record.status in _CLOSED:
                trails[order_id] = self._find_closing(player, record, trails[order_id])
        return trails

    def _find_closing(self, player: str, record: Bid | SellOrder, trail: Trail) -> Trail:
        order_id = order_id_of(record)
        keys = SELL_ORDERS if isinstance(record, SellOrder) else BIDS
        written_ms = self.proofs.last_write_ms(keys, {keys.hash_key: player, "order_key": order_id})
        if written_ms is None:
            return trail
        after = self.tables.last_before(record.material, written_ms - _CLOCKS_DIFFER_MS)
        for _ in range(_MOST_PAGES):
            commits = self.tables.commits(record.material, after, _ENTRIES)
            for commit in commits:
                moved_nothing = player not in commit_effects(commit)
                if moved_nothing and any(order.order_id == order_id for order in commit.orders):
                    return trail.followed(order_id, [commit])
            if not commits or commits[-1].committed_at_ms > written_ms + _CLOCKS_DIFFER_MS:
                break
            after = commits[-1].sequence
        return trail

    def _check(
        self,
        player: str,
        records: Sequence[Bid | SellOrder],
        resting: Mapping[str, OpenAsk | StandingBid],
        trails: Mapping[str, Trail],
    ) -> list[Finding]:
        counted = self.tables.is_counted((player, record.material, order_id_of(record)) for record in records)
        findings: list[Finding] = []
        for record in records:
            order_id = order_id_of(record)
            is_counted = (player, record.material, order_id) in counted
            findings += check_order(record, resting.get(order_id), trails[order_id], counted=is_counted)
        return findings

    def _proofs(self, player: str, records: Sequence[Bid | SellOrder]) -> list[Finding]:
        findings: list[Finding] = []
        for record in records:
            if isinstance(record, SellOrder):
                key = {"seller": player, "order_key": record.ask_id}
                place = {"material": record.material, "price_key": ask_price_key(record.price_minor, record.ask_id)}
                findings += self.proofs.findings(SELL_ORDERS, self.tables.sell_orders, key)
                findings += self.proofs.findings(ASKS, self.tables.asks, place)
            else:
                key = {"buyer": player, "order_key": record.bid_id}
                findings += self.proofs.findings(BIDS, self.tables.bids, key)
        return findings


def _trail_json(trail: Trail) -> list[object]:
    closed = trail.closed
    return [trail.filled, closed and [closed.status, closed.reason, closed.quantity, closed.withdrawn]]


def _trail(kept: Any) -> Trail:
    if kept is None:
        return Trail()
    filled, closed = kept
    return Trail(int(filled), Closing(*closed) if closed else None)
