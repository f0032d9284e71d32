"""The orders of a trading day, made up from a seed: the same seed gives the same day, whatever the timing is later.

Every material has a reference price that drifts like a random walk. Most orders rest at some distance from it, the
others reach across it and trade: books have depth, trades happen all day, with partial fills and sweeps. Every kind of
order takes part, players change and cancel earlier orders, and now and then somebody meets an order of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Side = Literal["BUY", "SELL"]

CROSSING_SHARE = 0.4
"""Share of the orders that reach across the reference price."""

_LOWEST_START, _HIGHEST_START = 500, 20_000  # reference prices at the start of the day, in ticks
_DRIFT = 0.001  # standard deviation of the reference price's relative step, per order
_REACH = 0.01  # a crossing order reaches at most this far across the reference price
_DEPTH = 0.01  # mean relative distance of a resting order
_SIZES = ((0.80, 1, 20), (0.98, 20, 100), (1.00, 100, 400))  # cumulative share, smallest and largest quantity
_CHANGES = 0.10  # share of the steps that change or cancel an earlier order
_SELF_CROSSING = 0.02  # share of the orders that reach for the same player's latest resting one
_KINDS = {"GTC": 74, "IOC": 6, "FOK": 4, "market": 3, "post-only": 6, "short": 5, "long": 2}  # weights
_SHORT_LIFE_S, _LONG_LIFE_S = 2, 3600
_SHORT_UNTIL = 0.6  # part of the day after which no order of a short life is sent: its end would have to be waited for
_LEAST_AGE = 24  # steps between an order and its change: it is to have an answer by then


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order of the day: its place in the plan, who sends it (index of the player), and its terms.

    `price_minor` is None for a market order; `life_s` is how long an order is good for, None if it has no end.
    """

    number: int
    player: int
    side: Side
    material: str
    price_minor: int | None
    quantity: int
    time_in_force: Literal["GTC", "IOC", "FOK", "GTD"] = "GTC"
    post_only: bool = False
    life_s: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change of an earlier order by its player: a new price, a new quantity in all, or neither: then a cancel."""

    number: int
    order: PlannedOrder
    price_minor: int | None = None
    quantity: int | None = None

    @property
    def player(self) -> int:
        """Index of the player."""
        return self.order.player

    @property
    def is_cancel(self) -> bool:
        """Whether the order is given up."""
        return self.price_minor is None and self.quantity is None


PlannedStep: TypeAlias = "PlannedOrder | PlannedChange"


def plan_trading_day(
    *, players: int, orders: int, materials: Sequence[str], tick_minor: int, seed: int
) -> list[PlannedStep]:
    """Make up a trading day.

    Parameters
    ----------
    players, orders
        How many, each 1 or more; changes and cancels count as orders.
    materials
        Names; the earlier a material stands in the list, the busier it is. The day opens with an ask and a bid in each.
    tick_minor
        Tick size in minor units; every price is a multiple of it.
    seed
        Any int.

    Returns
    -------
    list[PlannedStep]
        In the order of sending.
    """
    return _Day(players, orders, materials, tick_minor, Random(seed)).plan()


class _Day:
    def __init__(self, players: int, steps: int, materials: Sequence[str], tick_minor: int, random: Random) -> None:
        self._players = players
        self._steps = steps
        self._materials = materials
        self._tick_minor = tick_minor
        self._random = random
        self._reference = {material: float(random.randint(_LOWEST_START, _HIGHEST_START)) for material in materials}
        self._busyness = list(accumulate((rank + 1) ** -0.5 for rank in range(len(materials))))
        self._resting: list[PlannedOrder] = []  # those that may rest: to be changed, or met by their own player

    def plan(self) -> list[PlannedStep]:
        opening: list[tuple[str, Side]] = [(material, side) for material in self._materials for side in ("SELL", "BUY")]
        plan: list[PlannedStep] = [
            self._order(number, material, side, "GTC") for number, (material, side) in enumerate(opening[: self._steps])
        ]
        for number in range(len(plan), self._steps):
            old_enough = [order for order in self._resting if order.number <= number - _LEAST_AGE]
            roll = self._random.random()
            if old_enough and roll < _CHANGES:
                plan.append(self._change(number, self._random.choice(old_enough)))
            elif self._resting and roll < _CHANGES + _SELF_CROSSING:
                plan.append(self._meeting(number, self._resting[-1]))
            else:
                plan.append(self._any_order(number))
        return plan

    def _any_order(self, number: int) -> PlannedOrder:
        material = self._random.choices(self._materials, cum_weights=self._busyness)[0]
        side: Side = self._random.choice(("SELL", "BUY"))
        kind = self._random.choices(list(_KINDS), weights=list(_KINDS.values()))[0]
        return self._order(number, material, side, kind)

    def _order(self, number: int, material: str, side: Side, kind: str) -> PlannedOrder:
        order = PlannedOrder(
            number=number,
            player=self._random.randrange(self._players),
            side=side,
            material=material,
            price_minor=None if kind == "market" else self._price_minor(material, side),
            quantity=self._quantity(),
            time_in_force=_time_in_force(kind),
            post_only=kind == "post-only",
            life_s=_SHORT_LIFE_S if kind == "short" and number < self._steps * _SHORT_UNTIL else _life_s(kind),
        )
        if order.time_in_force in ("GTC", "GTD"):
            self._resting.append(order)
        return order

    def _change(self, number: int, order: PlannedOrder) -> PlannedChange:
        what = self._random.choice(("cancel", "cancel", "reduce", "price", "both"))
        price_minor = self._price_minor(order.material, order.side) if what in ("price", "both") else None
        quantity = None
        if what == "reduce":
            quantity = max(1, order.quantity // 2)
        elif what == "both":
            quantity = order.quantity + self._random.randint(1, 10)
        return PlannedChange(number, order, price_minor, quantity)

    def _meeting(self, number: int, order: PlannedOrder) -> PlannedOrder:
        """Return an order of the same player that would trade with an earlier one."""
        side: Side = "SELL" if order.side == "BUY" else "BUY"
        return PlannedOrder(number, order.player, side, order.material, order.price_minor, self._quantity())

    def _price_minor(self, material: str, side: Side) -> int:
        random, reference = self._random, self._reference
        reference[material] *= 1 + random.gauss(0, _DRIFT)
        # Positive is the generous direction: up for a bid, down for an ask.
        generosity = random.uniform(0, _REACH) if random.random() < CROSSING_SHARE else -random.expovariate(1 / _DEPTH)
        ticks = round(reference[material] * (1 + generosity if side == "BUY" else 1 - generosity))
        return max(1, ticks) * self._tick_minor

    def _quantity(self) -> int:
        size = self._random.random()
        smallest, largest = next((low, high) for share, low, high in _SIZES if size <= share)
        return self._random.randint(smallest, largest)


def _time_in_force(kind: str) -> Literal["GTC", "IOC", "FOK", "GTD"]:
    match kind:
        case "IOC" | "market":
            return "IOC"
        case "FOK":
            return "FOK"
        case "short" | "long":
            return "GTD"
        case _:
            return "GTC"


def _life_s(kind: str) -> int | None:
    return _LONG_LIFE_S if kind in ("short", "long") else None
