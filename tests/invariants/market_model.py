"""A tiny market, obviously correct and slow: lists and loops, no code of the matcher. It makes valid histories.

Time passes one millisecond a step. An ask is placed, stored some steps later, and only then seen; a bid waits until a
batch takes it. Each batch is one matcher invocation of one material, cut into commits at order boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hypothesis import strategies as st

from market.order_book import Side
from market.tables import Bid, MarketTables, OpenAsk, SellOrder, StandingBid
from market.tape import TapeCommit, TradeFill

MATERIALS = ("copper", "wheat")


@dataclass
class Order:
    order_id: str
    side: Literal["BUY", "SELL"]
    player: str
    material: str
    price_minor: int
    quantity: int
    placed_at_ms: int
    stored_at_ms: int
    remaining: int
    matched_at_ms: int | None = None


@dataclass(frozen=True)
class Place:
    side: Literal["BUY", "SELL"]
    player: str
    material: str
    price_minor: int
    quantity: int
    storing_ms: int


@dataclass(frozen=True)
class Batch:
    material: str
    bids: int
    bids_per_commit: int


@dataclass
class MarketModel:
    now_ms: int = 1_000
    orders: list[Order] = field(default_factory=list[Order])
    commits: list[TapeCommit] = field(default_factory=list[TapeCommit])

    def step(self, action: Place | Batch) -> None:
        self.now_ms += 1
        if isinstance(action, Batch):
            self._match(action)
            return
        self.orders.append(
            Order(
                order_id=f"{self.now_ms:08x}-0000-7000-8000-000000000000",
                side=action.side,
                player=action.player,
                material=action.material,
                price_minor=action.price_minor,
                quantity=action.quantity,
                placed_at_ms=self.now_ms,
                stored_at_ms=self.now_ms + action.storing_ms,
                remaining=action.quantity,
            )
        )

    def come_to_rest(self) -> None:
        self.now_ms = max([self.now_ms, *(order.stored_at_ms for order in self.orders)])
        for material in MATERIALS:
            self.step(Batch(material, len(self.orders), 1))

    def _match(self, batch: Batch) -> None:
        received_at_ms = self.now_ms
        here = [o for o in self.orders if o.material == batch.material and o.stored_at_ms <= received_at_ms]
        asks = [o for o in here if o.side == "SELL"]
        standing = [o for o in here if o.side == "BUY" and o.matched_at_ms is not None]
        arriving = [o for o in here if o.side == "BUY" and o.matched_at_ms is None][: batch.bids]
        turns: list[list[tuple[Order, Order]]] = [[]]  # (taker, maker) pairs of each commit
        handled: list[list[Order]] = [[]]
        quantities: dict[tuple[str, str], int] = {}

        def take(taker: Order, resting: list[Order]) -> None:
            for maker in sorted(resting, key=lambda o: (o.price_minor * (1 if o.side == "SELL" else -1), o.order_id)):
                ask, bid = (taker, maker) if taker.side == "SELL" else (maker, taker)
                if taker.remaining and maker.remaining and ask.price_minor <= bid.price_minor:
                    quantity = min(taker.remaining, maker.remaining)
                    taker.remaining -= quantity
                    maker.remaining -= quantity
                    quantities[taker.order_id, maker.order_id] = quantity
                    turns[-1].append((taker, maker))

        for ask in asks:
            take(ask, standing)
        for bid in arriving:
            if len(handled[-1]) == batch.bids_per_commit:
                turns.append([])
                handled.append([])
            take(bid, asks)
            standing.append(bid)
            handled[-1].append(bid)

        for pairs, bids in zip(turns, handled, strict=True):
            if not pairs and not bids:
                continue
            self.now_ms += 1
            for bid in bids:
                bid.matched_at_ms = self.now_ms
            fills = tuple(
                self._fill(n, taker, maker, quantities[taker.order_id, maker.order_id])
                for n, (taker, maker) in enumerate(pairs, 1)
            )
            sequence = 1 + sum(commit.material == batch.material for commit in self.commits)
            self.commits.append(TapeCommit(batch.material, sequence, self.now_ms, received_at_ms, fills))

    @staticmethod
    def _fill(n: int, taker: Order, maker: Order, quantity: int) -> TradeFill:
        ask, bid = (taker, maker) if taker.side == "SELL" else (maker, taker)
        return TradeFill(
            n, bid.order_id, bid.player, ask.order_id, ask.player, maker.price_minor, quantity, Side(taker.side)
        )

    def stored_by_ms(self) -> dict[str, int]:
        return {order.order_id: order.stored_at_ms for order in self.orders}

    def tables(self) -> MarketTables:
        asks = [order for order in self.orders if order.side == "SELL"]
        bids = [order for order in self.orders if order.side == "BUY"]
        return MarketTables(
            asks=tuple(
                OpenAsk(
                    material=o.material,
                    price_key=f"{o.price_minor:012d}#{o.order_id}",
                    ask_id=o.order_id,
                    seller=o.player,
                    price_minor=o.price_minor,
                    quantity=o.quantity,
                    remaining=o.remaining,
                    placed_at_ms=o.placed_at_ms,
                )
                for o in asks
                if o.remaining
            ),
            sell_orders=tuple(
                SellOrder(
                    seller=o.player,
                    ask_id=o.order_id,
                    material=o.material,
                    price_minor=o.price_minor,
                    quantity=o.quantity,
                    placed_at_ms=o.placed_at_ms,
                )
                for o in asks
            ),
            bids=tuple(
                Bid(
                    buyer=o.player,
                    bid_id=o.order_id,
                    material=o.material,
                    price_minor=o.price_minor,
                    quantity=o.quantity,
                    filled=o.quantity - o.remaining,
                    status=_status(o),
                    placed_at_ms=o.placed_at_ms,
                    sequenced_at_ms=o.placed_at_ms if o.matched_at_ms else None,
                    matched_at_ms=o.matched_at_ms,
                )
                for o in bids
            ),
            standing_bids=tuple(
                StandingBid(
                    material=o.material,
                    price_key=f"{999_999_999_999 - o.price_minor:012d}#{o.order_id}",
                    bid_id=o.order_id,
                    buyer=o.player,
                    price_minor=o.price_minor,
                    quantity=o.quantity,
                    remaining=o.remaining,
                    placed_at_ms=o.placed_at_ms,
                )
                for o in bids
                if o.remaining and o.matched_at_ms
            ),
            tape=tuple(self.commits),
        )


def _status(bid: Order) -> str:
    if bid.matched_at_ms is None:
        return "PENDING"
    if bid.remaining == 0:
        return "FILLED"
    return "NEW" if bid.remaining == bid.quantity else "PARTIALLY_FILLED"


places = st.builds(
    Place,
    side=st.sampled_from(["BUY", "SELL"]),
    player=st.sampled_from(["ann", "bob", "cem"]),
    material=st.sampled_from(MATERIALS),
    price_minor=st.integers(1, 6),
    quantity=st.integers(1, 5),
    storing_ms=st.integers(0, 4),
)
batches = st.builds(
    Batch,
    material=st.sampled_from(MATERIALS),
    bids=st.integers(1, 4),
    bids_per_commit=st.integers(1, 3),
)
histories = st.lists(st.one_of(places, places, places, batches), max_size=40)


def play(actions: list[Place | Batch]) -> MarketModel:
    model = MarketModel()
    for action in actions:
        model.step(action)
    return model
