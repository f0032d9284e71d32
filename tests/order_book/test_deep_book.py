"""The sorted list again, with more open orders than the book keeps among its recent ones, and ids in no order."""

from __future__ import annotations

from random import Random

import pytest

from market.matching.order_book import OrderBook, TimeInForce
from market.side import Side
from tests.order_book.sorted_list_book import SortedListBook
from tests.order_book.test_against_model import outcome


def operation(random: Random) -> tuple[object, ...]:
    """Mostly orders that rest; also repeated ids, orders that trade, cancels and replacements of new and old orders."""
    order_id = f"order-{random.randrange(5_000)}"
    side = random.choice([*Side])
    towards = -random.randint(1, 400) if random.random() < 0.85 else random.randint(0, 20)
    price_minor = 1_000 + (towards if side is Side.BUY else -towards)
    quantity = random.randint(1, 9)
    time_in_force = TimeInForce.GOOD_TIL_CANCELED if random.random() < 0.95 else TimeInForce.IMMEDIATE_OR_CANCEL
    return random.choices(
        [
            ("place", order_id, side, price_minor, quantity, time_in_force),
            ("rest", order_id, side, price_minor, quantity, 0),
            ("cancel", order_id),
            ("replace", order_id, price_minor, quantity),
        ],
        weights=(80, 10, 5, 5),
    )[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_deep_book_answers_as_the_sorted_list_does(seed: int) -> None:
    random, book, model = Random(seed), OrderBook(), SortedListBook()
    for _ in range(2_500):
        event = operation(random)
        assert outcome(book, event) == outcome(model, event), event
    assert len(book) > 1_200
    for side in Side:
        assert [*book.orders(side)] == [*model.orders(side)]
    for order_id in [order.order_id for order in model.open]:
        assert book.cancel(order_id) == model.cancel(order_id)
    assert len(book) == 0
