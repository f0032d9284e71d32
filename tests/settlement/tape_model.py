"""A tape by hand: orders that hold goods and money, the commits that trade and close them, and what must come of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill

START_MS = 1_795_248_000_000
HOUSE = "~house"


@dataclass
class HeldOrder:
    """An order and its hold, as placing leaves it; `open` is what may still trade."""

    number: int
    side: Side
    player: str
    material: str
    price_minor: int
    quantity: int
    fee_bps: int
    open: int = 0
    filled: int = 0
    value_minor: int = 0
    fee_minor: int = 0
    status: str = ""

    def __post_init__(self) -> None:
        self.open = self.quantity
        self.held = self.hold(self.quantity)

    @property
    def id(self) -> str:
        return f"0190163d-8694-739b-8000-{self.number:012x}"

    def hold(self, units: int) -> int:
        """What so many open units hold: minor units of a bid, units of an ask."""
        if self.side is Side.SELL:
            return units
        return self.price_minor * units + self.price_minor * units * self.fee_bps // 10_000


@dataclass
class Tape:
    """Orders placed, commits written, and the accounts as they must be in the end: (player, asset, book) to amount."""

    orders: list[HeldOrder] = field(default_factory=list[HeldOrder])
    commits: list[TapeCommit] = field(default_factory=list[TapeCommit])

    def __post_init__(self) -> None:
        self.placed: Counter[tuple[str, str, str]] = Counter()
        self._sequences: defaultdict[str, int] = defaultdict(int)

    def place(
        self,
        side: Side,
        player: str,
        quantity: int,
        price_minor: int,
        *,
        fee_bps: int = 0,
        material: str = "copper",
    ) -> HeldOrder:
        order = HeldOrder(len(self.orders) + 1, side, player, material, price_minor, quantity, fee_bps)
        self.orders.append(order)
        asset = "held_minor" if side is Side.BUY else "held"
        self.placed[player, material, asset] += order.hold(quantity)
        return order

    def bid(
        self, player: str, quantity: int, price_minor: int, *, fee_bps: int = 0, material: str = "copper"
    ) -> HeldOrder:
        return self.place(Side.BUY, player, quantity, price_minor, fee_bps=fee_bps, material=material)

    def ask(
        self, player: str, quantity: int, price_minor: int, *, fee_bps: int = 0, material: str = "copper"
    ) -> HeldOrder:
        return self.place(Side.SELL, player, quantity, price_minor, fee_bps=fee_bps, material=material)

    def commit(
        self,
        *trades: tuple[HeldOrder, HeldOrder, int],
        cancel: tuple[HeldOrder, ...] = (),
        reduce: tuple[tuple[HeldOrder, int], ...] = (),
    ) -> TapeCommit:
        """Write a commit: trades (bid, ask, units) at the ask's price, then cancels, then reductions by units."""
        touched: dict[str, tuple[HeldOrder, int]] = {}
        cancelled: set[str] = set()

        def touch(order: HeldOrder) -> None:
            touched.setdefault(order.id, (order, order.open))

        fills: list[TradeFill] = []
        for bid, ask, units in trades:
            touch(bid)
            touch(ask)
            value_minor = ask.price_minor * units
            fees = {order.id: value_minor * order.fee_bps // 10_000 for order in (bid, ask)}
            fills.append(
                TradeFill(
                    n=len(fills) + 1,
                    bid_id=bid.id,
                    buyer=bid.player,
                    ask_id=ask.id,
                    seller=ask.player,
                    price_minor=ask.price_minor,
                    quantity=units,
                    taker_side=Side.BUY,
                    buyer_fee_minor=fees[bid.id],
                    seller_fee_minor=fees[ask.id],
                )
            )
            for order in (bid, ask):
                order.open -= units
                order.filled += units
                order.value_minor += value_minor
                order.fee_minor += fees[order.id]
        for order in cancel:
            touch(order)
            cancelled.add(order.id)
        for order, units in reduce:
            touch(order)
            order.open -= units
            order.quantity -= units
        (material,) = {order.material for order, _ in touched.values()}
        self._sequences[material] += 1
        sequence = self._sequences[material]
        commit = TapeCommit(
            material=material,
            sequence=sequence,
            committed_at_ms=START_MS + len(self.commits),
            received_at_ms=START_MS,
            fills=tuple(fills),
            orders=tuple(
                self._touched(order, open_before, cancelled=order.id in cancelled)
                for order, open_before in touched.values()
            ),
        )
        self.commits.append(commit)
        return commit

    def _touched(self, order: HeldOrder, open_before: int, *, cancelled: bool) -> TapeOrder:
        closing = None
        if cancelled:
            order.status = "CANCELED"
            closing = Closing("CANCELED", "requested", order.quantity, order.open)
            order.open = 0
        elif not order.open:
            order.status = "FILLED"
            closing = Closing("FILLED", None, order.quantity, 0)
        released = order.hold(open_before) - order.hold(order.open)
        return TapeOrder(order.id, order.player, order.side, released, closing)

    def settled(self) -> dict[tuple[str, str, str], int]:
        """What must be on the lines when all commits are settled, from the orders alone: (player, material, amount)."""
        lines: Counter[tuple[str, str, str]] = Counter()
        for order in self.orders:
            player, material = order.player, order.material
            if order.side is Side.BUY:
                left = order.hold(order.open)
                paid = order.value_minor + order.fee_minor
                lines[player, material, "held_minor"] += left
                lines[player, material, "proceeds_minor"] += order.held - left - paid
                lines[player, material, "available"] += order.filled
            else:
                lines[player, material, "held"] += order.open
                lines[player, material, "available"] += order.held - order.open - order.filled
                lines[player, material, "proceeds_minor"] += order.value_minor - order.fee_minor
            lines[HOUSE, material, "proceeds_minor"] += order.fee_minor
        return {line: amount for line, amount in lines.items() if amount}
