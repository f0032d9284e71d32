"""What players and the expirer do in the market on moto, in one word each, and what has come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from market.fees import Fees, hold_minor, replacing_hold_minor
from tests.matching.accounting import states

if TYPE_CHECKING:
    from tests.matching.accounting import State
    from tests.matching.market_on_moto import MarketOnMoto, Record

FEES = Fees(maker_bps=50, taker_bps=100)
A_MINUTE_MS = 60_000
DELIVER = ("deliver",)
"""The step after which the matcher has worked on everything."""
_HIGHEST = 999_999_999_999


@dataclass
class Trading:
    """A market, its orders by their place among them, from 1, how many records were delivered, which never rest."""

    market: MarketOnMoto
    orders: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])
    delivered: int = 0
    immediate: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.market.fees = FEES

    def step(self, verb: str, *arguments: Any) -> None:
        getattr(self, verb.replace(" ", "_"))(*arguments)

    def ask(self, price_minor: int, quantity: int, player: str = "seller", **further: Any) -> str:
        ask_id = self.market.store_ask(price_minor, quantity, seller=player, **further)
        self.orders.append(("ask", ask_id, player, price_minor))
        return ask_id

    def arriving_ask(self, price_minor: int, quantity: int, player: str = "seller", **further: Any) -> str:
        ask_id = self.market.store_arriving_ask(price_minor, quantity, seller=player, **further)
        self.orders.append(("ask", ask_id, player, price_minor))
        return ask_id

    def bid(self, price_minor: int, quantity: int, player: str = "buyer", **further: Any) -> str:
        hold = hold_minor(price_minor, quantity, FEES.taker_bps)
        further = {"fee_bps": FEES.taker_bps, "hold": hold, **further}
        bid_id = self.market.store_bid(price_minor, quantity, buyer=player, **further)
        self.orders.append(("bid", bid_id, player, price_minor))
        return bid_id

    def ask_until(self, ms: int, *order: Any) -> None:
        self.ask(*order, time_in_force="GTD", expires_at_ms=self.market.now_ms + ms)

    def bid_until(self, ms: int, *order: Any) -> None:
        self.bid(*order, time_in_force="GTD", expires_at_ms=self.market.now_ms + ms)

    def take(self, side: str, time_in_force: str, *order: Any) -> None:
        self.immediate.add(len(self.orders) + 1)
        (self.bid if side == "bid" else self.arriving_ask)(*order, time_in_force=time_in_force)

    def post(self, side: str, *order: Any) -> None:
        (self.bid if side == "bid" else self.arriving_ask)(*order, post_only=True)

    def buy_for(self, budget_minor: int, quantity: int) -> None:
        self.immediate.add(len(self.orders) + 1)
        self.bid(_HIGHEST, quantity, time_in_force="IOC", order_type="MARKET", hold=budget_minor)

    def sell_at_market(self, quantity: int) -> None:
        self.immediate.add(len(self.orders) + 1)
        self.arriving_ask(1, quantity, time_in_force="IOC", order_type="MARKET")

    def replace(self, number: int, price_minor: int, quantity: int) -> None:
        side, order_id, player, old_price_minor = self.orders[number - 1]
        old = states(self.market.tables())[order_id]
        wanted, still_open = quantity - old.filled, old.quantity - old.filled
        terms = {"replaces": order_id, "replaced_filled": old.filled}
        if side == "ask":
            self.arriving_ask(price_minor, wanted, player, hold=max(wanted - still_open, 0), **terms)
        else:
            hold = replacing_hold_minor(
                old_price_minor=old_price_minor,
                old_bps=FEES.taker_bps,
                old_open=still_open,
                price_minor=price_minor,
                bps=FEES.taker_bps,
                quantity=wanted,
            )
            self.bid(price_minor, wanted, player, hold=hold, **terms)

    def cancel(self, number: int) -> Record:
        side, order_id, player, _ = self.orders[number - 1]
        return self.market.request(side, order_id, "CANCEL", player=player)

    def reduce(self, number: int, quantity: int) -> Record:
        side, order_id, player, _ = self.orders[number - 1]
        return self.market.request(side, order_id, "REDUCE", quantity, player=player)

    def expire(self, *numbers: int) -> Record:
        return self.market.expiry(*(self.orders[number - 1] for number in numbers))

    def wait(self, ms: int) -> None:
        self.market.now_ms += ms

    def deliver(self) -> None:
        records = self.market.records[self.delivered :]
        self.delivered = len(self.market.records)
        report = self.market.deliver(records)
        assert (report.failed, self.market.parked) == ([], [])

    def states(self) -> dict[int, State]:
        found = states(self.market.tables())
        return {number: found[order_id] for number, (_, order_id, _, _) in enumerate(self.orders, 1)}

    def fills(self) -> list[tuple[int, int, int, int]]:
        numbers = {order_id: number for number, (_, order_id, _, _) in enumerate(self.orders, 1)}
        return [
            (numbers[fill.bid_id], numbers[fill.ask_id], fill.price_minor, fill.quantity)
            for commit in self.market.tables().tape
            for fill in commit.fills
        ]
