"""The plan of a trading day: the same for the same seed, and lively enough to test a market."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.trading_day import PlannedOrder, plan_trading_day
from market.order_book import OrderBook, Side

MATERIALS = [f"m{number}" for number in range(8)]


def plan(seed: int, tick_minor: int = 5) -> list[PlannedOrder]:
    return plan_trading_day(players=24, orders=1200, materials=MATERIALS, tick_minor=tick_minor, seed=seed)


@settings(max_examples=5, deadline=None)
@given(st.integers())
def test_a_seed_is_a_day(seed: int) -> None:
    assert plan(seed) == plan(seed)
    assert plan(seed) != plan(seed + 1)


@settings(max_examples=10, deadline=None)
@given(st.integers(), st.integers(1, 100))
def test_every_order_is_one_that_the_market_accepts(seed: int, tick_minor: int) -> None:
    for number, order in enumerate(plan(seed, tick_minor=tick_minor)):
        assert order.number == number
        assert order.price_minor > 0
        assert order.price_minor % tick_minor == 0
        assert 1 <= order.quantity <= 400
        assert order.material in MATERIALS
        assert 0 <= order.player < 24


@settings(max_examples=10, deadline=None)
@given(st.integers())
def test_a_day_has_both_sides_in_every_material_and_uses_every_player(seed: int) -> None:
    day = plan(seed)
    assert {(order.material, order.side) for order in day[:16]} == {(m, s) for m in MATERIALS for s in ("BUY", "SELL")}
    assert {order.player for order in day} == set(range(24))


@settings(max_examples=10, deadline=None)
@given(st.integers())
def test_in_a_day_orders_trade_rest_sweep_and_are_filled_in_part(seed: int) -> None:
    books = {material: OrderBook() for material in MATERIALS}
    takers = resting = sweeps = partial = 0
    for order in plan(seed):
        book = books[order.material]
        fills = book.place(str(order.number), Side(order.side), order.price_minor, order.quantity)
        filled = sum(fill.quantity for fill in fills)
        takers += bool(fills)
        resting += not fills
        sweeps += len(fills) > 1
        partial += 0 < filled < order.quantity
    assert takers > 300
    assert resting > 300
    assert sweeps > 50
    assert partial > 20
