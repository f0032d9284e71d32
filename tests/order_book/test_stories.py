"""What a trader may rely on, told as short stories: a book, one event, the trades, and who stands next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from market.matching.order_book import Fill, OrderBook, TimeInForce
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IMMEDIATE_OR_CANCEL


@dataclass(frozen=True)
class Story:
    """`before` is placed in order; `event` happens; `fills` come of it and `after` stands, in priority."""

    title: str
    before: list[tuple[str, Side, int, int]]
    event: Callable[[OrderBook], object]
    answer: list[Fill] | int
    asks: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    bids: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])


TWO_ASKS = [("ann", SELL, 100, 5), ("bob", SELL, 100, 5)]
STORIES = [
    Story(
        "a buy that meets no ask stands",
        [("ann", SELL, 100, 5)],
        lambda book: book.place("zoe", BUY, 99, 3),
        [],
        asks=[("ann", 100, 5)],
        bids=[("zoe", 99, 3)],
    ),
    Story(
        "the trade is at the resting order's price, not at the taker's limit",
        [("ann", SELL, 100, 5)],
        lambda book: book.place("zoe", BUY, 130, 5),
        [Fill("ann", "zoe", 100, 5)],
    ),
    Story(
        "a seller who comes second gets the standing bid's price",
        [("zoe", BUY, 130, 5)],
        lambda book: book.place("ann", SELL, 100, 5),
        [Fill("zoe", "ann", 130, 5)],
    ),
    Story(
        "the better price goes first, whoever came first",
        [("ann", SELL, 101, 5), ("bob", SELL, 100, 5)],
        lambda book: book.place("zoe", BUY, 101, 6),
        [Fill("bob", "zoe", 100, 5), Fill("ann", "zoe", 101, 1)],
        asks=[("ann", 101, 4)],
    ),
    Story(
        "at one price the first to come goes first",
        TWO_ASKS,
        lambda book: book.place("zoe", BUY, 100, 7),
        [Fill("ann", "zoe", 100, 5), Fill("bob", "zoe", 100, 2)],
        asks=[("bob", 100, 3)],
    ),
    Story(
        "a partial fill keeps its place",
        TWO_ASKS,
        lambda book: book.place("yan", BUY, 100, 2) and book.place("zoe", BUY, 100, 4),
        [Fill("ann", "zoe", 100, 3), Fill("bob", "zoe", 100, 1)],
        asks=[("bob", 100, 4)],
    ),
    Story(
        "a neighbour's cancel costs nobody a place",
        [*TWO_ASKS, ("cid", SELL, 100, 5)],
        lambda book: book.cancel("ann"),
        5,
        asks=[("bob", 100, 5), ("cid", 100, 5)],
    ),
    Story(
        "a cancel withdraws only what is still open",
        TWO_ASKS,
        lambda book: book.place("zoe", BUY, 100, 2) and book.cancel("ann"),
        3,
        asks=[("bob", 100, 5)],
    ),
    Story(
        "what is left of a taker stands at its own limit",
        TWO_ASKS,
        lambda book: book.place("zoe", BUY, 105, 12),
        [Fill("ann", "zoe", 100, 5), Fill("bob", "zoe", 100, 5)],
        bids=[("zoe", 105, 2)],
    ),
    Story(
        "what is left of an immediate-or-cancel order is dropped",
        TWO_ASKS,
        lambda book: book.place("zoe", BUY, 105, 12, IOC),
        [Fill("ann", "zoe", 100, 5), Fill("bob", "zoe", 100, 5)],
    ),
    Story(
        "immediate-or-cancel keeps to its limit",
        [("yan", BUY, 99, 5)],
        lambda book: book.place("ann", SELL, 100, 5, IOC),
        [],
        bids=[("yan", 99, 5)],
    ),
    Story(
        "a smaller quantity at the same price keeps its place",
        TWO_ASKS,
        lambda book: book.replace("ann", 100, 4),
        [],
        asks=[("ann", 100, 4), ("bob", 100, 5)],
    ),
    Story(
        "the same quantity at the same price changes nothing",
        TWO_ASKS,
        lambda book: book.replace("ann", 100, 5),
        [],
        asks=[("ann", 100, 5), ("bob", 100, 5)],
    ),
    Story(
        "a larger quantity goes to the back",
        TWO_ASKS,
        lambda book: book.replace("ann", 100, 6),
        [],
        asks=[("bob", 100, 5), ("ann", 100, 6)],
    ),
    Story(
        "a new price goes to the back of that price",
        [("ann", SELL, 101, 5), ("bob", SELL, 100, 5)],
        lambda book: book.replace("ann", 100, 5),
        [],
        asks=[("bob", 100, 5), ("ann", 100, 5)],
    ),
    Story(
        "a replaced order that now crosses trades at once, at the resting price",
        [("ann", SELL, 100, 5), ("zoe", BUY, 98, 3)],
        lambda book: book.replace("zoe", 102, 6),
        [Fill("ann", "zoe", 100, 5)],
        bids=[("zoe", 102, 1)],
    ),
    Story(
        "the replaced quantity includes what is already filled",
        [("ann", SELL, 100, 10)],
        lambda book: book.place("zoe", BUY, 100, 4) and book.replace("ann", 100, 7),
        [],
        asks=[("ann", 100, 3)],
    ),
    Story(
        "an order that was loaded with an earlier fill counts it too",
        [],
        lambda book: book.rest("ann", SELL, 100, 6, filled=4) or book.replace("ann", 100, 7),
        [],
        asks=[("ann", 100, 3)],
    ),
    Story(
        "an id is free again once its order is closed",
        [("ann", SELL, 100, 5)],
        lambda book: book.place("zoe", BUY, 100, 5) and book.place("ann", SELL, 90, 1),
        [],
        asks=[("ann", 90, 1)],
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_story(story: Story) -> None:
    book = OrderBook()
    for order_id, side, price_minor, quantity in story.before:
        assert book.place(order_id, side, price_minor, quantity) == []
    assert story.event(book) == story.answer
    assert [(order.order_id, order.price_minor, order.remaining) for order in book.orders(SELL)] == story.asks
    assert [(order.order_id, order.price_minor, order.remaining) for order in book.orders(BUY)] == story.bids


def test_depth_sums_each_price_and_stops_at_the_wanted_levels() -> None:
    book = OrderBook()
    for number, (price_minor, quantity) in enumerate([(100, 5), (102, 1), (100, 7), (101, 2)]):
        book.place(f"ask-{number}", SELL, price_minor, quantity)
        book.place(f"bid-{number}", BUY, price_minor - 50, quantity)
    assert book.depth(SELL, 2) == [(100, 12, 2), (101, 2, 1)]
    assert book.depth(BUY, 2) == [(52, 1, 1), (51, 2, 1)]
    assert book.depth(BUY, 0) == []
