"""The part of the audit that is of a player's orders: each against the tape, the book, its account and its history."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from functions.audit.page import MOST_TRIES, Page
from functions.audit.trails import Follower, Position
from functions.history.sources import ASKS, BIDS, SELL_ORDERS
from market.auditing.orders import check_order, order_id_of
from market.keys import ask_price_key
from market.side import Side
from market.tables import SellOrder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.audit.page import IsOver, State
    from functions.audit.proofs import Proofs
    from functions.audit.tables import AuditedTables
    from functions.clock import Clock
    from market.auditing.orders import Trail
    from market.auditing.settlement import Finding
    from market.tables import Bid, OpenAsk, StandingBid
    from patterns.historic.item_key import ItemKeys

_ORDERS = 20
_STAMP_CHARACTERS = 10


@dataclass(frozen=True, slots=True)
class OrdersPart:
    """Checks the orders of a player, twenty at a time: first the asks, then the bids.

    A step is one of `Follower.follow`, or 250 versions of one order's history; a request reads twenty orders with their
    items of the book and lines besides, at most four times five calls.
    """

    tables: AuditedTables
    proofs: Proofs
    clock: Clock

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Audit some orders, or go on with them: follow their trails, then compare them, then prove their histories.

        The state: the side, the order id before those looked at. While trails are followed, the digest of each order
        when this try began, how many times it was tried, and how far it is. While histories are proven, the ids of the
        orders left, how many items of the first are proven, and how far the next one is.
        """
        side, after = Side(state.get("side", Side.SELL)), str(state.get("after", ""))
        if "ids" in state:
            return self._prove(of, side, state, is_over)
        if "stamps" in state:
            seen = self._read(of, side, state["stamps"])
            position, stamps = Position.from_json(state["position"]), state["stamps"]
        else:
            seen = self._read(of, side, [order_id_of(r) for r in self.tables.records(side, of, after, _ORDERS)])
            position, stamps = Position(), {order_id: seen.stamp(order_id) for order_id in seen.records}
        if not stamps:
            return Page(next={"side": Side.BUY} if side is Side.SELL else None)
        here: dict[str, Any] = {"side": side, "after": after}
        tries = int(state.get("tries", 1))
        records = list(seen.records.values())
        if records:  # none if all were deleted meanwhile
            follower = Follower(self.tables, self.proofs, self.clock, of, records, seen.agrees)
            position = follower.follow(position, is_over)
        if records and position.stage != "done":
            return Page(next={**here, "tries": tries, "stamps": stamps, "position": position.as_json()})
        findings, undecided = self._compare(of, side, stamps, position.trails)
        if (findings or undecided) and tries < MOST_TRIES:  # matched or settled between two of the reads
            return Page(next={**here, "tries": tries + 1})
        return Page(findings, undecided=undecided, next={"side": side, "ids": sorted(stamps)})

    def _compare(
        self, player: str, side: Side, stamps: Mapping[str, str], trails: Mapping[str, Trail]
    ) -> tuple[list[Finding], list[str]]:
        """Compare orders with their trails; undecided are those that changed while they were followed."""
        now = self._read(player, side, stamps)
        places = {order_id: (player, record.material, order_id) for order_id, record in now.records.items()}
        counted = self.tables.is_counted(places.values())
        findings: list[Finding] = []
        undecided: list[str] = []
        for order_id, record in now.records.items():
            resting, is_counted = now.resting.get(order_id), places[order_id] in counted
            wrong = list(check_order(record, resting, trails[order_id], counted=is_counted))
            if wrong and now.stamp(order_id) != stamps[order_id]:
                undecided.append(f"order {order_id}")
            else:
                findings += wrong
        return findings, undecided

    def _prove(self, player: str, side: Side, state: State, is_over: IsOver) -> Page:
        ids, done, token = list(state["ids"]), int(state.get("done", 0)), state.get("token")
        last, checked = ids[-1], 0
        records = self.tables.records_of(side, ((player, order_id) for order_id in ids))
        findings: list[Finding] = []
        while ids:
            items = self._items(player, side, ids[0], records.get(ids[0]))
            if done < len(items):
                proven, token = self.proofs.prove(*items[done], token, is_over)
                findings += proven
                done += token is None
            if done >= len(items):
                ids, done, token, checked = ids[1:], 0, None, checked + 1
            if ids and is_over():
                return Page(findings, checked, next={"side": side, "ids": ids, "done": done, "token": token})
        return Page(findings, checked, next={"side": side, "after": last})

    def _items(
        self, player: str, side: Side, order_id: str, record: Bid | SellOrder | None
    ) -> list[tuple[ItemKeys, str, dict[str, str]]]:
        """The items of an order that have a history: its record, and of an ask its place in the book."""
        if side is Side.BUY:
            return [(BIDS, self.tables.bids, {"buyer": player, "order_key": order_id})]
        items = [(SELL_ORDERS, self.tables.sell_orders, {"seller": player, "order_key": order_id})]
        if isinstance(record, SellOrder):
            place = {"material": record.material, "price_key": ask_price_key(record.price_minor, order_id)}
            items.append((ASKS, self.tables.asks, place))
        return items

    def _read(self, player: str, side: Side, order_ids: Sequence[str] | Mapping[str, str]) -> _Seen:
        found = self.tables.records_of(side, ((player, order_id) for order_id in order_ids))
        records = {order_id: found[order_id] for order_id in sorted(order_ids) if order_id in found}
        return _Seen(records, self.tables.resting_of(records.values()))


@dataclass(frozen=True, slots=True)
class _Seen:
    """Orders, and their items of the book, as they were at a moment."""

    records: Mapping[str, Bid | SellOrder]
    resting: Mapping[str, OpenAsk | StandingBid]

    def stamp(self, order_id: str) -> str:
        """Digest of what there is of an order."""
        both = repr((self.records[order_id], self.resting.get(order_id)))
        return sha256(both.encode()).hexdigest()[:_STAMP_CHARACTERS]

    def agrees(self, record: Bid | SellOrder, trail: Trail) -> bool:
        """Whether an order is what a trail says."""
        return not any(check_order(record, self.resting.get(order_id_of(record)), trail, counted=True))
