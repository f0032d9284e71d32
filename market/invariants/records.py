"""The tables of orders and trades by id, and the sums of what the tape says of each order."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from market.tables import SellOrder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from market.fees import Fees
    from market.tables import Bid, OpenAsk, StandingBid
    from market.tape import Closing, TapeCommit, TradeFill
    from market.whole_tables import MarketTables

Order: TypeAlias = "Bid | SellOrder"

CLOSED_EARLY = ("CANCELED", "EXPIRED", "REJECTED")
"""Statuses of orders that closed with something left."""

_BPS = 10_000  # basis points of the whole


class Trade(NamedTuple):
    """A fill and the commit it is in."""

    commit: TapeCommit
    fill: TradeFill

    @property
    def trade_id(self) -> str:
        """Its name in a report."""
        return f"{self.commit.material}-{self.commit.sequence}-{self.fill.n}"

    @property
    def taker_id(self) -> str:
        """The order that arrived."""
        return self.fill.bid_id if self.fill.taker_side == "BUY" else self.fill.ask_id

    @property
    def maker_id(self) -> str:
        """The order that rested."""
        return self.fill.ask_id if self.fill.taker_side == "BUY" else self.fill.bid_id

    @property
    def value_minor(self) -> int:
        """Price times quantity."""
        return self.fill.price_minor * self.fill.quantity


class ClosedBy(NamedTuple):
    """A commit that closed an order, and what it says of it."""

    commit: TapeCommit
    closing: Closing


@dataclass(frozen=True, slots=True)
class Records:
    """The tables by id. `traded` are the units of an order that traded, `released` what left its hold, by the tape."""

    tables: MarketTables
    stored_by_ms: Mapping[str, int]
    fees: Fees | None
    open_asks: dict[str, OpenAsk]
    sell_orders: dict[str, SellOrder]
    bids: dict[str, Bid]
    standing_bids: dict[str, StandingBid]
    tapes: dict[str, list[TapeCommit]]
    trades: list[Trade]
    traded: Counter[str]
    released: Counter[str]
    closings: defaultdict[str, list[ClosedBy]]

    @classmethod
    def of(cls, tables: MarketTables, stored_by_ms: Mapping[str, int], fees: Fees | None) -> Records:
        """Sort the rows; parameters as for `market.invariants.check_invariants`."""
        tapes: defaultdict[str, list[TapeCommit]] = defaultdict(list)
        for commit in sorted(tables.tape, key=attrgetter("material", "sequence")):
            tapes[commit.material].append(commit)
        trades = [
            Trade(commit, fill)
            for commits in tapes.values()
            for commit in commits
            for fill in sorted(commit.fills, key=attrgetter("n"))
        ]
        traded: Counter[str] = Counter()
        for _, fill in trades:
            traded[fill.ask_id] += fill.quantity
            traded[fill.bid_id] += fill.quantity
        released: Counter[str] = Counter()
        closings: defaultdict[str, list[ClosedBy]] = defaultdict(list)
        for commits in tapes.values():
            for commit in commits:
                for touched in commit.orders:
                    released[touched.order_id] += touched.released
                    if touched.closed is not None:
                        closings[touched.order_id].append(ClosedBy(commit, touched.closed))
        return cls(
            tables=tables,
            stored_by_ms=stored_by_ms,
            fees=fees,
            open_asks={ask.ask_id: ask for ask in tables.asks},
            sell_orders={order.ask_id: order for order in tables.sell_orders},
            bids={bid.bid_id: bid for bid in tables.bids},
            standing_bids={bid.bid_id: bid for bid in tables.standing_bids},
            tapes=dict(tapes),
            trades=trades,
            traded=traded,
            released=released,
            closings=closings,
        )

    def orders(self) -> Iterator[tuple[str, Order]]:
        """Yield every order with its id, asks first."""
        yield from self.sell_orders.items()
        yield from self.bids.items()

    def order(self, order_id: str) -> Order | None:
        """Return an order of either side."""
        return self.bids.get(order_id) or self.sell_orders.get(order_id)

    def is_open(self, order_id: str, order: Order) -> bool:
        """Whether an order may still trade, by its record and the book."""
        if order.status == "PENDING":
            return True
        return order_id in (self.open_asks if isinstance(order, SellOrder) else self.standing_bids)

    def placed_hold(self, order: Order) -> int:
        """Return what placing an order moved to held: units, or minor units."""
        if order.hold is not None:
            return order.hold
        if order.replaces is not None:
            return 0
        return order.quantity if isinstance(order, SellOrder) else bid_hold_minor(order, order.quantity)

    def held(self, order_id: str, order: Order) -> int:
        """Return what an order holds now: units, or minor units."""
        if order.status == "PENDING":
            return self.placed_hold(order)
        if isinstance(order, SellOrder):
            return self.open_asks[order_id].remaining if order_id in self.open_asks else 0
        standing = self.standing_bids.get(order_id)
        if standing is None:
            return 0
        return bid_hold_minor(order, standing.remaining) if standing.budget_minor is None else standing.budget_minor


def bid_hold_minor(bid: Bid, quantity: int) -> int:
    """Return what a limit bid must hold for so many units: their value, and the fee on it rounded down."""
    value_minor = bid.price_minor * quantity
    return value_minor + value_minor * (bid.fee_bps or 0) // _BPS


def fee_minor(value_minor: int, bps: int) -> int:
    """Return the fee on a trade's value, rounded down."""
    return value_minor * bps // _BPS


def owner(order: Order | None) -> str | None:
    """Return whose order it is."""
    if order is None:
        return None
    return order.seller if isinstance(order, SellOrder) else order.buyer


def may_only_trade_at_once(order: Order) -> bool:
    """Whether what is left of an order must not rest."""
    return order.time_in_force in ("IOC", "FOK") or order.order_type == "MARKET"


def terms(row: object, names: tuple[str, ...]) -> str:
    """Write attributes of a row for comparison and report."""
    return " ".join(f"{name}={getattr(row, name)}" for name in names)
