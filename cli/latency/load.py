"""What a run sends: seeded asks and bids that keep thin books on which most bids trade.

Half of the players sell, the others buy, so nobody meets an order of their own. Makers stay on their side of a
material's reference price, takers reach across it. The plan keeps count of what should rest on each side, so books
neither run dry nor grow however long the run is. What really trades is the market's to say: two mutations that are on
their way together may arrive in either order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Side = Literal["BUY", "SELL"]

OPENING_ASKS: Final = 6
"""Asks in each material that open the books before the run, and one bid that takes of them; they are not measured.

Whoever has none of them sends one order besides: a player's client has to hear of an order once before it can tell
whether it missed one.
"""

_TAKING_SHARE = 0.9  # of the bids for which there should be enough goods
_MAKER_TICKS = 20  # a maker stays at most so far from the reference price
_TAKER_TICKS = 2 * _MAKER_TICKS
_SIZES = (1, 3)
_FEWEST_ASKED, _MOST_ASKED, _MOST_STANDING = 6, 30, 12  # units that should rest in a material
_LOWEST_REFERENCE, _HIGHEST_REFERENCE = 500, 2_000  # in ticks, of a material that has no prices yet


@dataclass(frozen=True, slots=True)
class PlannedMutation:
    """One order of the run.

    Attributes
    ----------
    due_ms
        Since the start of the run; of those that open the books, since the start of that.
    player
        Index of the player.
    side, material, price_minor, quantity
        Its terms: a limit order that is good till canceled.
    """

    due_ms: float
    player: int
    side: Side
    material: str
    price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Load:
    """The whole load: what opens the books, and what is measured."""

    opening: tuple[PlannedMutation, ...]
    mutations: tuple[PlannedMutation, ...]

    def units_needed(self) -> int:
        """Return the most units of one material that one player sells."""
        sold: dict[tuple[int, str], int] = {}
        for mutation in (*self.opening, *self.mutations):
            if mutation.side == "SELL":
                seller = (mutation.player, mutation.material)
                sold[seller] = sold.get(seller, 0) + mutation.quantity
        return max(sold.values(), default=0)


def plan_load(
    due_ms: Sequence[float],
    *,
    opening_gap_ms: float,
    players: int,
    materials: Sequence[str],
    tick_minor: int,
    reference_minor: Mapping[str, int],
    seed: int,
) -> Load:
    """Make up the load of a run.

    Parameters
    ----------
    due_ms
        When each mutation is due, rising.
    opening_gap_ms
        Between two of those that open the books.
    players
        How many, at least 2: the first half sells, the second half buys.
    materials
        Names.
    tick_minor
        Tick size in minor units.
    reference_minor
        Prices in minor units, of the materials that have one already: the load trades around it.
    seed
        Any int: the same seed gives the same load, but for the prices of the materials that have some already.
    """
    return _Planner(players, materials, tick_minor, reference_minor, Random(seed)).plan(due_ms, opening_gap_ms)


class _Planner:
    def __init__(
        self, players: int, materials: Sequence[str], tick_minor: int, known: Mapping[str, int], random: Random
    ) -> None:
        if players < 2:
            raise ValueError(f"players must be 2 or more, but is {players}")
        self._sellers, self._buyers = range(players // 2), range(players // 2, players)
        self._materials = materials
        self._tick_minor = tick_minor
        self._random = random
        # Drawn for each material, so that prices that are known change nothing else.
        drawn = {material: random.randint(_LOWEST_REFERENCE, _HIGHEST_REFERENCE) for material in materials}
        self._reference = {
            material: max(known[material] // tick_minor, _TAKER_TICKS + 1) if material in known else ticks
            for material, ticks in drawn.items()
        }
        self._asked = dict.fromkeys(materials, 0)
        self._standing = dict.fromkeys(materials, 0)

    def plan(self, due_ms: Sequence[float], opening_gap_ms: float) -> Load:
        steps = [(material, step) for material in self._materials for step in range(OPENING_ASKS + 1)]
        opening = [
            self._maker(number * opening_gap_ms, "SELL", material, self._quantity())
            if step < OPENING_ASKS
            else self._taker(number * opening_gap_ms, "BUY", material, self._quantity())
            for number, (material, step) in enumerate(steps)
        ]
        for player in sorted({*self._sellers, *self._buyers} - {mutation.player for mutation in opening}):
            side: Side = "SELL" if player in self._sellers else "BUY"
            material = self._materials[player % len(self._materials)]
            order = self._maker(len(opening) * opening_gap_ms, side, material, self._quantity())
            opening.append(replace(order, player=player))
        return Load(tuple(opening), tuple(self._mutation(due) for due in due_ms))

    def _mutation(self, due_ms: float) -> PlannedMutation:
        material = self._random.choice(self._materials)
        quantity = self._quantity()
        if self._side(material) == "SELL":
            if self._standing[material] > _MOST_STANDING:
                return self._taker(due_ms, "SELL", material, quantity)
            return self._maker(due_ms, "SELL", material, quantity)
        if self._asked[material] >= quantity and self._random.random() < _TAKING_SHARE:
            return self._taker(due_ms, "BUY", material, quantity)
        return self._maker(due_ms, "BUY", material, quantity)

    def _side(self, material: str) -> Side:
        roll = self._random.random()
        if self._asked[material] > _MOST_ASKED:
            return "BUY"
        if self._asked[material] < _FEWEST_ASKED:
            return "SELL"
        return "SELL" if roll < 0.5 else "BUY"

    def _maker(self, due_ms: float, side: Side, material: str, quantity: int) -> PlannedMutation:
        away = self._random.randint(1, _MAKER_TICKS)
        (self._asked if side == "SELL" else self._standing)[material] += quantity
        return self._order(due_ms, side, material, away if side == "SELL" else -away, quantity)

    def _taker(self, due_ms: float, side: Side, material: str, quantity: int) -> PlannedMutation:
        (self._standing if side == "SELL" else self._asked)[material] -= quantity
        return self._order(due_ms, side, material, -_TAKER_TICKS if side == "SELL" else _TAKER_TICKS, quantity)

    def _order(self, due_ms: float, side: Side, material: str, ticks: int, quantity: int) -> PlannedMutation:
        player = self._random.choice(self._sellers if side == "SELL" else self._buyers)
        price_minor = (self._reference[material] + ticks) * self._tick_minor
        return PlannedMutation(due_ms, player, side, material, price_minor, quantity)

    def _quantity(self) -> int:
        return self._random.randint(*_SIZES)
