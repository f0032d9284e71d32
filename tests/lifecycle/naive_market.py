"""The obviously correct market of one material with every kind of order: one list, one order after the other.

It knows nothing of storage, commits or laziness, and shares no code with `market`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Deal(NamedTuple):
    bid_id: str
    ask_id: str
    price_minor: int
    quantity: int
    taker_side: str
    buyer_fee_minor: int
    seller_fee_minor: int


@dataclass
class Order:
    order_id: str
    side: str
    player: str
    price_minor: int
    quantity: int
    held: int  # all that was ever held for it
    time_in_force: str = "GTC"
    market: bool = False
    post_only: bool = False
    expires_at_ms: int | None = None
    fee_bps: int = 0
    replaced_filled: int = 0
    filled: int = 0
    paid: int = 0
    ending: tuple[str, str | None] | None = None
    withdrawn: int = 0
    transferred: int = 0  # of what was held, to an order that took its place

    @property
    def open(self) -> int:
        return 0 if self.ending else self.quantity - self.filled

    @property
    def hold(self) -> int:
        """What it must hold."""
        if self.ending:
            return 0
        if self.side == "SELL":
            return self.open
        value_minor = self.price_minor * self.open
        return self.held - self.paid if self.market else value_minor + value_minor * self.fee_bps // 10_000

    @property
    def released(self) -> int:
        return self.held - self.hold - self.transferred


@dataclass
class NaiveMarket:
    maker_bps: int
    taker_bps: int
    self_trade_prevention: str
    most_items: int
    now_ms: int = 0
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    resting: list[Order] = field(default_factory=list[Order])
    deals: list[Deal] = field(default_factory=list[Deal])

    def open_batch(self, now_ms: int) -> None:
        """Let time pass, then place the stored asks that cross a standing bid."""
        self.now_ms = now_ms
        for order in [order for order in self.resting if self._is_over(order)]:
            self._close(order, "EXPIRED", "expired")
        best = max((order.price_minor for order in self.resting if order.side == "BUY"), default=0)
        unseen = [order for order in self.resting if order.side == "SELL" and order.price_minor <= best]
        for ask in sorted(unseen, key=lambda order: order.order_id):
            self.resting.remove(ask)
            self._place(ask)

    def store_ask(self, ask: Order) -> None:
        self.orders[ask.order_id] = ask
        self.resting.append(ask)

    def arrive(self, order: Order, replaces: str | None = None) -> None:
        if order.order_id in self.orders:
            return
        self.orders[order.order_id] = order
        if self._is_over(order):
            self._close(order, "EXPIRED", "expired")
            return
        old = self.orders.get(replaces) if replaces else None
        if replaces:
            if old is None or old not in self.resting:
                self._close(order, "REJECTED", "replaced_order_closed")
                return
            traded_since = old.filled - order.replaced_filled
            if traded_since >= order.quantity:
                self._close(old, "CANCELED", "replaced")
                self._close(order, "REJECTED", "replaced_order_closed")
                return
            wanted = order.quantity
            order.quantity -= traded_since
            if old.hold + order.held < order.hold:
                order.quantity = wanted
                self._close(order, "REJECTED", "insufficient_hold")
                return
        if order.post_only and any(self._crosses(order, other) for other in self.resting):
            if old:
                order.quantity = wanted  # pyright: ignore[reportPossiblyUnboundVariable]
            self._close(order, "REJECTED", "would_take")
            return
        if old:
            old.transferred = order.hold - order.held
            order.held = order.hold
            self._close(old, "CANCELED", "replaced")
        self._place(order)

    def cancel(self, order_id: str) -> None:
        for order in self.resting:
            if order.order_id == order_id:
                self._close(order, "CANCELED", "requested")
                return

    def reduce(self, order_id: str, quantity: int) -> None:
        for order in self.resting:
            if order.order_id == order_id and quantity < order.quantity:
                if quantity <= order.filled:
                    self._close(order, "CANCELED", "requested")
                else:
                    order.quantity = quantity
                return

    def _place(self, order: Order) -> None:
        if order.time_in_force == "FOK":
            refusal = self._cannot_fill(order)
            if refusal:
                self._close(order, "CANCELED", refusal)
                return
        for other in self._opposite(order):
            if not order.open:
                return
            if other.player == order.player:
                if self.self_trade_prevention != "CANCEL_TAKER":
                    self._close(other, "CANCELED", "self_trade")
                if self.self_trade_prevention != "CANCEL_MAKER":
                    self._close(order, "CANCELED", "self_trade")
            else:
                self._trade_with(order, other)
        if not order.open:
            return
        if order.market or order.time_in_force in ("IOC", "FOK"):
            self._close(order, "CANCELED", "no_match")
        else:
            self.resting.append(order)

    def _trade_with(self, order: Order, other: Order) -> None:
        wanted = quantity = min(order.open, other.open)
        if order.market and order.side == "BUY":
            while quantity and self._cost(order, other, quantity) > order.held - order.paid:
                quantity -= 1
        if quantity:
            self._trade(order, other, quantity)
        if quantity < wanted:
            self._close(order, "CANCELED", "budget_spent")

    def _cannot_fill(self, order: Order) -> str | None:
        found = makers = own = 0
        for other in self._opposite(order):
            if found >= order.open:
                break
            if other.player == order.player:
                if self.self_trade_prevention != "CANCEL_MAKER":
                    break
                own += 1
            else:
                found += other.open
                makers += 1
        if found < order.open:
            return "no_match"
        items = 2 + makers * (1 if order.side == "BUY" else 2) + 2 * own
        return "too_many_makers" if items > self.most_items else None

    def _trade(self, taker: Order, maker: Order, quantity: int) -> None:
        bid, ask = (taker, maker) if taker.side == "BUY" else (maker, taker)
        value_minor = maker.price_minor * quantity
        ask_bps = self.maker_bps if ask is maker else self.taker_bps
        buyer_fee_minor = value_minor * self._bid_bps(bid, taker) // 10_000
        bid.paid += value_minor + buyer_fee_minor
        for order in (bid, ask):
            order.filled += quantity
            if order.filled == order.quantity:
                self._close(order, "FILLED", None)
        fees = (buyer_fee_minor, value_minor * ask_bps // 10_000)
        self.deals.append(Deal(bid.order_id, ask.order_id, maker.price_minor, quantity, taker.side, *fees))

    def _cost(self, bid: Order, ask: Order, quantity: int) -> int:
        value_minor = ask.price_minor * quantity
        return value_minor + value_minor * self._bid_bps(bid, bid) // 10_000

    def _bid_bps(self, bid: Order, taker: Order) -> int:
        return min(bid.fee_bps, self.taker_bps if bid is taker else self.maker_bps)

    def _opposite(self, order: Order) -> list[Order]:
        """Return the orders it crosses, best first."""
        crossed = [other for other in self.resting if self._crosses(order, other)]
        sign = 1 if order.side == "BUY" else -1
        return sorted(crossed, key=lambda other: (sign * other.price_minor, other.order_id))

    def _crosses(self, order: Order, other: Order) -> bool:
        if order.side == other.side:
            return False
        bid, ask = (order, other) if order.side == "BUY" else (other, order)
        return bid.price_minor >= ask.price_minor

    def _is_over(self, order: Order) -> bool:
        return order.expires_at_ms is not None and order.expires_at_ms <= self.now_ms

    def _close(self, order: Order, status: str, reason: str | None) -> None:
        order.withdrawn = order.open
        order.ending = (status, reason)
        if order in self.resting:
            self.resting.remove(order)
