"""The obviously correct market of one material: plain lists, one order after the other, no storage, no cleverness.

Shares no code with `market` and nothing with the matcher but the rules:

* an ask is open from the moment it is stored; a bid arrives when it is delivered for the first time;
* whenever the market is looked at, asks that cross the best standing bid trade first, earliest first;
* then each new bid takes the cheapest open asks, the earliest at one price; what is left of it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Trade(NamedTuple):
    bid_id: str
    ask_id: str
    price_minor: int
    quantity: int
    taker_side: str


@dataclass
class Order:
    order_id: str
    price_minor: int
    quantity: int
    remaining: int


@dataclass
class ReferenceMarket:
    asks: list[Order] = field(default_factory=list[Order])
    standing: list[Order] = field(default_factory=list[Order])
    bids: dict[str, Order] = field(default_factory=dict[str, Order])
    trades: list[Trade] = field(default_factory=list[Trade])

    def store_ask(self, order_id: str, price_minor: int, quantity: int) -> None:
        self.asks.append(Order(order_id, price_minor, quantity, quantity))

    def look(self) -> None:
        best = max((bid.price_minor for bid in self.standing), default=0)
        for ask in sorted((a for a in self.asks if a.price_minor <= best), key=lambda a: a.order_id):
            for bid in sorted(self.standing, key=lambda b: (-b.price_minor, b.order_id)):
                if bid.price_minor >= ask.price_minor:
                    self._trade(bid, ask, bid.price_minor, "SELL")
            self._clear()

    def arrive(self, order_id: str, price_minor: int, quantity: int) -> None:
        if order_id in self.bids:
            return
        bid = self.bids[order_id] = Order(order_id, price_minor, quantity, quantity)
        for ask in sorted(self.asks, key=lambda a: (a.price_minor, a.order_id)):
            if ask.price_minor <= bid.price_minor:
                self._trade(bid, ask, ask.price_minor, "BUY")
        self.standing.append(bid)
        self._clear()

    def _trade(self, bid: Order, ask: Order, price_minor: int, taker_side: str) -> None:
        quantity = min(bid.remaining, ask.remaining)
        if quantity:
            bid.remaining -= quantity
            ask.remaining -= quantity
            self.trades.append(Trade(bid.order_id, ask.order_id, price_minor, quantity, taker_side))

    def _clear(self) -> None:
        self.asks = [ask for ask in self.asks if ask.remaining]
        self.standing = [bid for bid in self.standing if bid.remaining]

    def bid_states(self) -> dict[str, tuple[str, int]]:
        """Bid id to status and filled quantity, of all bids that have arrived."""
        states: dict[str, tuple[str, int]] = {}
        for bid in self.bids.values():
            filled = bid.quantity - bid.remaining
            status = "FILLED" if not bid.remaining else "PARTIALLY_FILLED" if filled else "NEW"
            states[bid.order_id] = (status, filled)
        return states
