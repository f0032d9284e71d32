"""The orders of a trading day, made up from a seed: the same seed gives the same orders, whatever the timing is later.

Every material has a reference price that drifts like a random walk. Most orders rest at some distance from it, the
others reach across it and trade: books have depth, trades happen all day, with partial fills and sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Literal

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


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order of the day: its place in the plan, who sends it (index of the player), and its terms."""

    number: int
    player: int
    side: Side
    material: str
    price_minor: int
    quantity: int


def plan_trading_day(
    *, players: int, orders: int, materials: Sequence[str], tick_minor: int, seed: int
) -> list[PlannedOrder]:
    """Make up a trading day.

    Parameters
    ----------
    players, orders
        How many, each 1 or more.
    materials
        Names; the earlier a material stands in the list, the busier it is. The day opens with an ask and a bid in each.
    tick_minor
        Tick size in minor units; every price is a multiple of it.
    seed
        Any int.

    Returns
    -------
    list[PlannedOrder]
        In the order of sending.
    """
    random = Random(seed)
    reference = {material: float(random.randint(_LOWEST_START, _HIGHEST_START)) for material in materials}
    busyness = list(accumulate((rank + 1) ** -0.5 for rank in range(len(materials))))
    opening: list[tuple[str, Side]] = [(material, side) for material in materials for side in ("SELL", "BUY")]
    plan: list[PlannedOrder] = []
    for number in range(orders):
        if number < len(opening):
            material, side = opening[number]
        else:
            material = random.choices(materials, cum_weights=busyness)[0]
            side = random.choice(("SELL", "BUY"))
        reference[material] *= 1 + random.gauss(0, _DRIFT)
        # Positive is the generous direction: up for a bid, down for an ask.
        generosity = random.uniform(0, _REACH) if random.random() < CROSSING_SHARE else -random.expovariate(1 / _DEPTH)
        ticks = round(reference[material] * (1 + generosity if side == "BUY" else 1 - generosity))
        plan.append(
            PlannedOrder(
                number=number,
                player=random.randrange(players),
                side=side,
                material=material,
                price_minor=max(1, ticks) * tick_minor,
                quantity=_quantity(random),
            )
        )
    return plan


def _quantity(random: Random) -> int:
    size = random.random()
    smallest, largest = next((low, high) for share, low, high in _SIZES if size <= share)
    return random.randint(smallest, largest)
