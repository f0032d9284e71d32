"""A seeded tape of orders for matching engines: an opening book, then limit orders, immediate-or-cancel and cancels."""

from __future__ import annotations

from random import Random

from benchmarks.peers.tape import BUY, CANCEL, IMMEDIATE_OR_CANCEL, LIMIT, SELL, Message
from market.matching.order_book import OrderBook, TimeInForce
from market.side import Side

MIDDLE = 1_000_000
LEVELS = 5
ORDERS_PER_LEVEL = 10
RESTING_ORDERS = 100
WALK_LIMIT = 10
OUT_OF_REACH = 1_000


def opening_book() -> list[Message]:
    """Five price levels a side around the middle, ten orders each: 100 resting orders, numbered from 0."""
    return _levels(LEVELS, first_distance=1, first_order=0)


def deep_opening_book() -> list[Message]:
    """Add 99 times as many orders and levels, too far away to trade, to the opening book: 10,000 resting orders.

    The added orders rest since before the opening book's. As those are numbered from 0, they have negative numbers.
    """
    added = 99 * LEVELS * 2 * ORDERS_PER_LEVEL
    return _levels(99 * LEVELS, first_distance=OUT_OF_REACH, first_order=-added) + opening_book()


def _levels(levels: int, first_distance: int, first_order: int) -> list[Message]:
    random = Random(1)
    messages: list[Message] = []
    for distance in range(first_distance, first_distance + levels):
        for side, price in ((BUY, MIDDLE - distance), (SELL, MIDDLE + distance)):
            for _ in range(ORDERS_PER_LEVEL):
                messages.append(Message(LIMIT, first_order + len(messages), side, price, random.randint(1, 100)))
    return messages


def trading_day(orders: int, seed: int) -> list[Message]:
    """Orders around a price that walks at most 10 ticks from the middle, and cancels of orders that still rest.

    Of the orders 70 % are priced not to trade with the middle, 15 % are limit orders priced to trade, 15 % are
    immediate-or-cancel. A cancel is the more likely the more orders rest, which holds the book near 100 of them. Which
    orders rest, the book under test says: a peer that disagrees shows it in its fills.

    Parameters
    ----------
    orders
        How many orders the tape places; cancels come on top.
    seed
        Same seed, same tape.
    """
    random = Random(seed)
    book = OrderBook()
    resting: list[int] = []
    for message in opening_book():
        book.rest(str(message.order), Side.BUY if message.side == BUY else Side.SELL, message.price, message.quantity)
        resting.append(message.order)
    messages: list[Message] = []
    first_order = len(resting)
    middle, number = MIDDLE, first_order
    while number < first_order + orders:
        if random.random() < 0.45 * len(book) / RESTING_ORDERS and resting:
            position = random.randrange(len(resting))
            resting[position], resting[-1] = resting[-1], resting[position]
            order = resting.pop()
            if str(order) in book:
                book.cancel(str(order))
                messages.append(Message(CANCEL, order))
            continue
        if random.random() < 0.05:
            middle = min(max(middle + random.choice((-1, 1)), MIDDLE - WALK_LIMIT), MIDDLE + WALK_LIMIT)
        draw = random.random()
        kind = IMMEDIATE_OR_CANCEL if draw < 0.15 else LIMIT
        towards = random.randint(0, 3) if draw < 0.3 else -1 - int(random.expovariate(1 / 6))
        side, price = (BUY, middle + towards) if random.random() < 0.5 else (SELL, middle - towards)
        quantity = random.randint(1, 100)
        messages.append(Message(kind, number, side, price, quantity))
        book.place(
            str(number),
            Side.BUY if side == BUY else Side.SELL,
            price,
            quantity,
            TimeInForce.IMMEDIATE_OR_CANCEL if kind == IMMEDIATE_OR_CANCEL else TimeInForce.GOOD_TIL_CANCELED,
        )
        resting.append(number)
        number += 1
    return messages
