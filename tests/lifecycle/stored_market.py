"""The market's tables as dictionaries, read page by page and written a commit at a time, as DynamoDB would.

Every commit is checked when it is written: its size, what it found against what is stored, holds, and the tape.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from market.fees import Fees, hold_minor
from market.matching.commits import cut_commits
from market.matching.engine import match
from market.matching.turns import Arrival, Cancel, Expire, Reduce, Target
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import TapeCommit, decode_commit, encode_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from market.matching.changes import BidChange, Commit, SellOrderChange
    from market.matching.rules import SelfTradePrevention
    from market.matching.turns import Turn

_Row = TypeVar("_Row", OpenAsk, StandingBid)


@dataclass
class StoredMarket:
    fees: Fees
    self_trade_prevention: SelfTradePrevention
    most_items: int
    page: int = 2
    asks: dict[str, OpenAsk] = field(default_factory=dict[str, OpenAsk])
    standing_bids: dict[str, StandingBid] = field(default_factory=dict[str, StandingBid])
    bids: dict[str, Bid] = field(default_factory=dict[str, Bid])
    sell_orders: dict[str, SellOrder] = field(default_factory=dict[str, SellOrder])
    tape: list[TapeCommit] = field(default_factory=list[TapeCommit])
    holds: Counter[str] = field(default_factory=Counter[str])

    def store(self, order: Bid | SellOrder) -> None:
        """Place an order: an ask without a status goes into the book at once."""
        if isinstance(order, Bid):
            self.bids[order.bid_id] = order
            self.holds[order.bid_id] = order.hold or 0
            return
        self.sell_orders[order.ask_id] = order
        self.holds[order.ask_id] = order.hold or 0
        if order.status is None:
            ask = OpenAsk.of(order, order.quantity)
            self.asks[ask.price_key] = ask

    def run(self, turns: Sequence[Callable[[], Turn]], now_ms: int, crash_after: int | None = None) -> bool:
        """Match a batch; whether it ended before a crash."""
        made = [turn() for turn in turns]
        steps = match(
            self._pages(self.asks),
            self._pages(self.standing_bids),
            [turn for turn in made if not isinstance(turn, Arrival) or self.is_pending(turn.order)],
            received_at_ms=now_ms,
            fees=self.fees,
            self_trade_prevention=self.self_trade_prevention,
            most_items=self.most_items,
        )
        for number, commit in enumerate(cut_commits("copper", len(self.tape), steps, most_items=self.most_items)):
            if number == crash_after:
                return False
            self._write(commit, now_ms)
        return True

    def arrival(self, order: Bid | SellOrder) -> Arrival:
        side = Side.BUY if isinstance(order, Bid) else Side.SELL
        player = order.buyer if isinstance(order, Bid) else order.seller
        return Arrival(order, self.target(side, order.replaces, player) if order.replaces else None)

    def cancel(self, side: Side, order_id: str) -> Cancel:
        return Cancel(self.target(side, order_id))

    def reduce(self, side: Side, order_id: str, quantity: int) -> Reduce:
        return Reduce(self.target(side, order_id), quantity)

    def expire(self, side: Side, order_id: str) -> Expire:
        return Expire(self.target(side, order_id))

    def target(self, side: Side, order_id: str, player: str = "") -> Target:
        rows = self.standing_bids.values() if side is Side.BUY else self.asks.values()
        found = [row for row in rows if order_id == (row.ask_id if isinstance(row, OpenAsk) else row.bid_id)]
        return Target(side, order_id, player, found[0] if found else None)

    def is_pending(self, order: Bid | SellOrder) -> bool:
        stored = self.bids[order.bid_id] if isinstance(order, Bid) else self.sell_orders[order.ask_id]
        return stored.status == "PENDING"

    def filled(self, order_id: str) -> int:
        if order_id in self.bids:
            return self.bids[order_id].filled
        return sum(fill.quantity for commit in self.tape for fill in commit.fills if fill.ask_id == order_id)

    def open_rows(self) -> dict[str, int]:
        """Order id to open quantity, of what is in the book."""
        asks = {ask.ask_id: ask.remaining for ask in self.asks.values()}
        return asks | {bid.bid_id: bid.remaining for bid in self.standing_bids.values()}

    def _pages(self, rows: dict[str, _Row]) -> Iterator[_Row]:
        last = ""
        while keys := sorted(key for key in rows if key > last)[: self.page]:
            yield from [rows[key] for key in keys]
            last = keys[-1]

    def _write(self, commit: Commit, now_ms: int) -> None:
        assert commit.items <= self.most_items
        for change in commit.asks:
            _swap(self.asks, change.before, change.after)
        for change in commit.standing_bids:
            _swap(self.standing_bids, change.before, change.after)
        entry = TapeCommit("copper", commit.sequence, now_ms, now_ms, commit.fills, commit.orders)
        item = encode_commit(entry)
        assert decode_commit(item) == entry
        assert (len(item) == 4) == (not commit.fills and not commit.orders)
        self.tape.append(entry)
        for change in commit.bids:
            self._write_bid(change)
        for change in commit.sell_orders:
            self._write_sell_order(change)
        self._check_releases(entry)

    def _write_bid(self, change: BidChange) -> None:
        stored = self.bids[change.bid_id]
        assert (stored.buyer, stored.filled) == (change.buyer, change.filled_before)
        assert (stored.status == "PENDING") == (change.arrival is not None)
        assert stored.status in ("PENDING", "NEW", "PARTIALLY_FILLED")
        assert (change.status == "FILLED") == (change.filled == change.quantity)
        bid = self.bids[change.bid_id] = replace(
            stored, quantity=change.quantity, filled=change.filled, status=change.status, reason=change.reason
        )
        if change.arrival and bid.replaces and change.status not in ("REJECTED", "EXPIRED"):
            self._pass_hold(bid.replaces, bid.bid_id)

    def _write_sell_order(self, change: SellOrderChange) -> None:
        stored = self.sell_orders[change.ask_id]
        assert (stored.status == "PENDING") == (change.arrival is not None)
        assert stored.status in ("PENDING", None)
        assert change.filled == self.filled(change.ask_id)
        ask = self.sell_orders[change.ask_id] = replace(
            stored,
            quantity=change.quantity,
            status=change.status,
            reason=change.reason,
            filled=change.filled if change.status else None,
        )
        if change.arrival and ask.replaces and change.status not in ("REJECTED", "EXPIRED"):
            self._pass_hold(ask.replaces, ask.ask_id)

    def _pass_hold(self, replaced: str, order_id: str) -> None:
        """Let an order have what the one it replaces held and does not release, or give what that one releases."""
        for order in self.tape[-1].orders:
            if order.order_id == replaced and order.closed and order.closed.reason == "replaced":
                kept = self.holds[replaced] - order.released
                self.holds[replaced] -= kept
                self.holds[order_id] += kept

    def _check_releases(self, entry: TapeCommit) -> None:
        """Check that every order holds exactly what it must: nothing once it is closed."""
        spent = Counter[str]()
        for fill in entry.fills:
            spent[fill.bid_id] += fill.price_minor * fill.quantity + fill.buyer_fee_minor
            spent[fill.ask_id] += fill.quantity
        assert spent.keys() <= {order.order_id for order in entry.orders}
        rows = {row.bid_id: row for row in self.standing_bids.values()} | {
            row.ask_id: row for row in self.asks.values()
        }
        for order in entry.orders:
            assert order.released >= spent[order.order_id]
            self.holds[order.order_id] -= order.released
            row = rows.get(order.order_id)
            assert (row is None) == (order.closed is not None)
            assert self.holds[order.order_id] == _needed(row)
            if order.closed:
                assert order.closed.quantity == self.filled(order.order_id) + order.closed.withdrawn


def _needed(row: OpenAsk | StandingBid | None) -> int:
    if row is None:
        return 0
    if isinstance(row, OpenAsk):
        return row.remaining
    if row.budget_minor is not None:
        return row.budget_minor
    return hold_minor(row.price_minor, row.remaining, row.fee_bps or 0)


def _swap(rows: dict[str, _Row], before: _Row | None, after: _Row | None) -> None:
    key = (before or after).price_key  # pyright: ignore[reportOptionalMemberAccess]  # never from nothing to nothing
    assert rows.pop(key, None) == before
    if after is not None:
        assert after.remaining > 0
        rows[key] = after
