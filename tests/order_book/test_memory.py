"""Memory follows the open orders: what is filled or canceled leaves nothing behind."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest

from market.matching.order_book import OrderBook
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def fill_at_ever_new_prices(book: OrderBook, number: int) -> None:
    book.place(f"ask-{number}", Side.SELL, number + 1, 3)
    book.place(f"bid-{number}", Side.BUY, number + 1, 3)


def cancel_behind_an_order_that_stays(book: OrderBook, number: int) -> None:
    if number == 0:
        book.place("stays", Side.SELL, 100, 1)
    book.place(f"ask-{number}", Side.SELL, 100, 3)
    book.cancel(f"ask-{number}")


def replace_to_the_back_over_and_over(book: OrderBook, number: int) -> None:
    if number == 0:
        book.place("other", Side.BUY, 100, 1)
        book.place("mine", Side.BUY, 100, 1)
    book.replace("mine", 100 - number % 2, 1 + number)


def trade_with_a_queue_that_is_never_empty(book: OrderBook, number: int) -> None:
    book.place(f"ask-{number}", Side.SELL, 100, 3)
    if number:
        book.place(f"bid-{number}", Side.BUY, 100, 3)


def random_cancels_far_from_the_best_price(book: OrderBook, number: int) -> None:
    random = Random(number)
    book.place(f"ask-{number}", Side.SELL, random.randint(1, 10**12), 1)
    if number >= 10:
        book.cancel(f"ask-{number - 10}")


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """Return a function that tells how many bytes are allocated now."""

    def bytes_now() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    yield bytes_now
    tracemalloc.stop()


@pytest.mark.parametrize(
    "step",
    [
        fill_at_ever_new_prices,
        cancel_behind_an_order_that_stays,
        replace_to_the_back_over_and_over,
        trade_with_a_queue_that_is_never_empty,
        random_cancels_far_from_the_best_price,
    ],
)
def test_closed_orders_are_forgotten(step: Callable[[OrderBook, int], None], traced: Callable[[], int]) -> None:
    before = traced()
    book = OrderBook()
    for number in range(10_000):
        step(book, number)
    assert len(book) <= 10
    assert traced() - before < 10_000, "a byte or more is kept for each of the 10,000 orders that came and went"
