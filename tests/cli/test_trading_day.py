"""The plan of a trading day: the same for the same seed, and lively enough to test a market."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.trading_day import PlannedChange, PlannedOrder, PlannedStep, plan_trading_day
from market.matching.order_book import OrderBook
from market.side import Side

MATERIALS = [f"m{number}" for number in range(8)]
HIGHEST_PRICE_MINOR = 999_999_999_999


def plan(seed: int, tick_minor: int = 5) -> list[PlannedStep]:
    return plan_trading_day(players=24, orders=1200, materials=MATERIALS, tick_minor=tick_minor, seed=seed)


def orders_of(day: list[PlannedStep]) -> list[PlannedOrder]:
    return [step for step in day if isinstance(step, PlannedOrder)]


@settings(max_examples=5)
@given(st.integers())
def test_a_seed_is_a_day(seed: int) -> None:
    assert plan(seed) == plan(seed)
    assert plan(seed) != plan(seed + 1)


@settings(max_examples=10)
@given(st.integers(), st.integers(1, 100))
def test_every_step_is_one_that_the_market_can_accept(seed: int, tick_minor: int) -> None:
    placed: dict[int, PlannedOrder] = {}
    for number, step in enumerate(plan(seed, tick_minor=tick_minor)):
        assert step.number == number
        assert 0 <= step.player < 24
        if step.price_minor is not None:
            assert step.price_minor > 0
            assert step.price_minor % tick_minor == 0
        if isinstance(step, PlannedChange):
            assert step.order is placed[step.order.number]
            assert step.order.price_minor is not None
            assert step.quantity is None or step.quantity >= 1
            continue
        placed[number] = step
        assert 1 <= step.quantity <= 400
        assert step.material in MATERIALS
        assert (step.price_minor is None) <= (step.time_in_force == "IOC")
        assert (step.life_s is not None) == (step.time_in_force == "GTD")
        assert not step.post_only or step.time_in_force == "GTC"


@settings(max_examples=10)
@given(st.integers())
def test_a_day_has_both_sides_in_every_material_and_uses_every_player(seed: int) -> None:
    day = plan(seed)
    opening = {(order.material, order.side) for order in orders_of(day[:16])}
    assert opening == {(m, s) for m in MATERIALS for s in ("BUY", "SELL")}
    assert {step.player for step in day} == set(range(24))


@settings(max_examples=10)
@given(st.integers())
def test_a_day_has_every_kind_of_order_and_of_change(seed: int) -> None:
    day = plan(seed)
    kinds = Counter(order.time_in_force for order in orders_of(day))
    assert min(kinds[kind] for kind in ("GTC", "GTD", "IOC", "FOK")) >= 10
    assert kinds["GTC"] > 600
    assert sum(order.post_only for order in orders_of(day)) >= 10
    assert sum(order.price_minor is None for order in orders_of(day)) >= 5
    changes = Counter(
        (change.price_minor is not None, change.quantity is not None)
        for change in day
        if isinstance(change, PlannedChange)
    )
    assert min(changes[what] for what in ((False, False), (True, False), (False, True), (True, True))) >= 3
    # Orders of a short life end while the day lasts.
    assert max(order.number for order in orders_of(day) if order.life_s is not None and order.life_s < 60) < 800


@settings(max_examples=10)
@given(st.integers())
def test_in_a_day_orders_trade_rest_sweep_are_filled_in_part_and_meet_their_own_players(seed: int) -> None:
    books = {material: OrderBook() for material in MATERIALS}
    player_of: dict[str, int] = {}
    takers = resting = sweeps = partial = own = 0
    for order in orders_of(plan(seed)):
        book, order_id = books[order.material], str(order.number)
        player_of[order_id] = order.player
        highest = HIGHEST_PRICE_MINOR if order.side == "BUY" else 5
        fills = book.place(order_id, Side(order.side), order.price_minor or highest, order.quantity)
        filled = sum(fill.quantity for fill in fills)
        takers += bool(fills)
        resting += not fills
        sweeps += len(fills) > 1
        partial += 0 < filled < order.quantity
        own += any(player_of[fill.maker_id] == order.player for fill in fills)
    assert takers > 300
    assert resting > 300
    assert sweeps > 50
    assert partial > 20
    assert own >= 5
