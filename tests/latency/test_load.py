"""The load: the same for the same seed, one that trades, and one that can go on for any length of time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.latency.load import OPENING_ASKS, Load, PlannedMutation, plan_load

MATERIALS = ["copper", "wheat", "iron"]


def load(mutations: int = 3000, *, players: int = 6, seed: int = 1, tick_minor: int = 5) -> Load:
    due = [number * 20.0 for number in range(mutations)]
    return plan_load(
        due,
        opening_gap_ms=20,
        players=players,
        materials=MATERIALS,
        tick_minor=tick_minor,
        reference_minor={},
        seed=seed,
    )


def test_the_same_seed_gives_the_same_load() -> None:
    assert load(seed=7) == load(seed=7)
    assert load(seed=7) != load(seed=8)


@given(st.integers(0, 1000), st.integers(2, 9), st.sampled_from([1, 5, 100]))
def test_every_mutation_is_due_in_time_on_tick_and_by_a_player_who_never_meets_himself(
    seed: int, players: int, tick_minor: int
) -> None:
    planned = load(200, players=players, seed=seed, tick_minor=tick_minor)
    assert [mutation.due_ms for mutation in planned.mutations] == [number * 20.0 for number in range(200)]
    everything = (*planned.opening, *planned.mutations)
    assert all(mutation.price_minor > 0 and mutation.price_minor % tick_minor == 0 for mutation in everything)
    assert all(mutation.quantity >= 1 for mutation in everything)
    sellers = {mutation.player for mutation in everything if mutation.side == "SELL"}
    buyers = {mutation.player for mutation in everything if mutation.side == "BUY"}
    assert not sellers & buyers
    assert sellers | buyers <= set(range(players))


def traded_and_resting(planned: Load) -> tuple[int, int, Counter[tuple[int, str, str]]]:
    """Match the load by price and time: bids, bids that traded at once, and orders left open by player and side."""
    books: defaultdict[tuple[str, str], list[list[int]]] = defaultdict(list)  # price, order of arrival, left, player
    bids = crossing = 0
    for number, mutation in enumerate((*planned.opening, *planned.mutations)):
        left = mutation.quantity
        other = books[mutation.material, "SELL" if mutation.side == "BUY" else "BUY"]
        other.sort(key=lambda order: (order[0] if mutation.side == "BUY" else -order[0], order[1]))
        while left and other and crosses(mutation, other[0][0]):
            taken = min(left, other[0][2])
            left -= taken
            other[0][2] -= taken
            if not other[0][2]:
                other.pop(0)
        bids += mutation.side == "BUY"
        crossing += mutation.side == "BUY" and left == 0
        if left:
            books[mutation.material, mutation.side].append([mutation.price_minor, number, left, mutation.player])
    resting = Counter((order[3], material, side) for (material, side), orders in books.items() for order in orders)
    return bids, crossing, resting


def crosses(mutation: PlannedMutation, price_minor: int) -> bool:
    return mutation.price_minor >= price_minor if mutation.side == "BUY" else mutation.price_minor <= price_minor


@pytest.mark.parametrize("seed", range(5))
def test_most_bids_trade_at_once_and_books_stay_thin_however_long_it_goes_on(seed: int) -> None:
    bids, crossing, resting = traded_and_resting(load(20_000, seed=seed))
    assert crossing / bids > 0.75
    assert 0.4 < bids / 20_000 < 0.6
    assert max(resting.values()) < 50  # an environment allows 100 open orders of a side and material


@pytest.mark.parametrize("players", [2, 6, 99])
def test_books_open_with_asks_and_a_trade_in_each_material_and_an_order_of_every_player(players: int) -> None:
    opening = load(10, players=players).opening
    first = opening[: len(MATERIALS) * (OPENING_ASKS + 1)]
    assert Counter((mutation.material, mutation.side) for mutation in first) == {
        (material, side): orders for material in MATERIALS for side, orders in (("SELL", OPENING_ASKS), ("BUY", 1))
    }
    assert {mutation.player for mutation in opening} == set(range(players))
    later = Counter(mutation.player for mutation in opening[len(first) :])
    assert set(later.values()) <= {1}
    assert not {mutation.player for mutation in first} & later.keys()
    assert [mutation.due_ms for mutation in opening] == [number * 20 for number in range(len(opening))]


def test_it_trades_around_the_prices_a_material_has() -> None:
    planned = plan_load(
        [0.0] * 100,
        opening_gap_ms=0,
        players=2,
        materials=["copper"],
        tick_minor=5,
        reference_minor={"copper": 12_345},
        seed=1,
    )
    assert all(abs(mutation.price_minor - 12_345) <= 41 * 5 for mutation in planned.mutations)


def test_prices_that_are_known_change_nothing_but_prices() -> None:
    due = [number * 20.0 for number in range(500)]

    def planned(reference_minor: dict[str, int]) -> Load:
        return plan_load(
            due,
            opening_gap_ms=20,
            players=6,
            materials=MATERIALS,
            tick_minor=5,
            reference_minor=reference_minor,
            seed=1,
        )

    fresh, traded = planned({}), planned({"wheat": 12_345})
    for one, other in zip((*fresh.opening, *fresh.mutations), (*traded.opening, *traded.mutations), strict=True):
        assert replace(one, price_minor=0) == replace(other, price_minor=0)
        assert (one.price_minor == other.price_minor) == (one.material != "wheat")


def test_it_says_how_many_goods_a_player_must_have() -> None:
    planned = load(2000)
    sold: Counter[tuple[int, str]] = Counter()
    for mutation in (*planned.opening, *planned.mutations):
        if mutation.side == "SELL":
            sold[mutation.player, mutation.material] += mutation.quantity
    assert planned.units_needed() == max(sold.values())
