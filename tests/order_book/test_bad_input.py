"""What the book refuses: a clear error that names the value, and a book as it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from market.matching.order_book import DuplicateOrderError, OrderBook, UnknownOrderError
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable

BUY, SELL = Side.BUY, Side.SELL


def wrong(value: object) -> Any:
    return value


REFUSED: list[tuple[Callable[[OrderBook], object], type[Exception], str]] = [
    (lambda book: book.place("new", BUY, 100, 0), ValueError, "quantity must be an int of at least 1, not 0"),
    (lambda book: book.place("new", BUY, 100, -1), ValueError, "quantity .* not -1"),
    (lambda book: book.place("new", BUY, 100, wrong(1.0)), TypeError, "quantity .* not 1.0"),
    (lambda book: book.place("new", BUY, 100, wrong(True)), TypeError, "quantity .* not True"),
    (lambda book: book.place("new", BUY, 100, wrong("5")), TypeError, "quantity .* not '5'"),
    (lambda book: book.place("new", BUY, 0, 5), ValueError, "price_minor must be an int of at least 1, not 0"),
    (lambda book: book.place("new", BUY, -100, 5), ValueError, "price_minor .* not -100"),
    (lambda book: book.place("new", BUY, wrong(100.5), 5), TypeError, "price_minor .* not 100.5"),
    (lambda book: book.place("new", wrong("BUY"), 100, 5), TypeError, "side must be a Side, not 'BUY'"),
    (lambda book: book.place("new", BUY, 100, 5, wrong("IOC")), TypeError, "time_in_force .* not 'IOC'"),
    (lambda book: book.place("ask", SELL, 100, 5), DuplicateOrderError, "order 'ask' already rests"),
    (lambda book: book.place("bid", SELL, 1, 5), DuplicateOrderError, "order 'bid' already rests"),
    (lambda book: book.rest("ask", SELL, 120, 5), DuplicateOrderError, "order 'ask' already rests"),
    (lambda book: book.rest("new", SELL, 120, 0), ValueError, "remaining .* not 0"),
    (lambda book: book.rest("new", SELL, 120, 5, filled=-1), ValueError, "filled must be an int of at least 0, not -1"),
    (lambda book: book.rest("new", BUY, 110, 5), ValueError, "BUY at 110 crosses the opposite best price 110"),
    (lambda book: book.rest("new", SELL, 90, 5), ValueError, "SELL at 90 crosses the opposite best price 90"),
    (lambda book: book.cancel("new"), UnknownOrderError, "order 'new' does not rest"),
    (lambda book: book.cancel("filled"), UnknownOrderError, "order 'filled' does not rest"),
    (lambda book: book.replace("new", 100, 5), UnknownOrderError, "order 'new' does not rest"),
    (lambda book: book.replace("ask", 110, 4), ValueError, "quantity 4 of order 'ask' must be above the 4 already"),
    (lambda book: book.replace("ask", 111, 3), ValueError, "quantity 3 of order 'ask' must be above the 4 already"),
    (lambda book: book.replace("ask", 110, 0), ValueError, "quantity .* not 0"),
    (lambda book: book.replace("ask", 0, 9), ValueError, "price_minor .* not 0"),
    (lambda book: book.depth(wrong("BUY"), 1), TypeError, "side must be a Side, not 'BUY'"),
]


@pytest.mark.parametrize(("operation", "error", "message"), REFUSED)
def test_refused_without_a_trace(
    operation: Callable[[OrderBook], object], error: type[Exception], message: str
) -> None:
    book = OrderBook()
    book.place("ask", SELL, 110, 10)
    book.place("filled", BUY, 110, 4)
    book.place("bid", BUY, 90, 7)
    before = [[*book.orders(side)] for side in Side]
    with pytest.raises(error, match=message):
        operation(book)
    assert [[*book.orders(side)] for side in Side] == before
