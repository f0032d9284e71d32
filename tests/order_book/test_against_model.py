"""Random sequences of every operation: the order book answers and stands exactly as the sorted list does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from market.matching.order_book import DuplicateOrderError, Fill, OrderBook, TimeInForce, UnknownOrderError
from market.side import Side
from tests.order_book.sorted_list_book import RefusedError, SortedListBook

IDS = [f"order-{number}" for number in range(12)]
ids = st.sampled_from(IDS)
sides = st.sampled_from(Side)
prices = st.integers(1, 8)
quantities = st.integers(1, 9)

# Few ids and prices, so that orders meet, repeat each other's ids, and cancels find something.
operations = st.lists(
    st.one_of(
        st.tuples(st.just("place"), ids, sides, prices, quantities, st.sampled_from(TimeInForce)),
        st.tuples(st.just("rest"), ids, sides, prices, quantities, st.integers(0, 3)),
        st.tuples(st.just("cancel"), ids),
        st.tuples(st.just("replace"), ids, prices, quantities),
    ),
    max_size=60,
)


def outcome(book: OrderBook | SortedListBook, operation: tuple[object, ...]) -> list[Fill] | int | str | None:
    """Return what an operation answers, or that it was refused."""
    name, order_id, *arguments = operation
    if name == "rest" and isinstance(book, OrderBook):
        *arguments, filled = arguments
        keywords = {"filled": filled}
    else:
        keywords = {}
    try:
        return getattr(book, str(name))(order_id, *arguments, **keywords)
    except (DuplicateOrderError, UnknownOrderError, ValueError, RefusedError):
        return "refused"


def standing(book: OrderBook | SortedListBook) -> object:
    """Return all that a user sees of a book at rest."""
    return (
        [[*book.orders(side)] for side in Side],
        [[tuple(level) for level in book.depth(side, levels)] for side in Side for levels in (0, 2, 100)],
        [book.remaining(order_id) for order_id in IDS],
    )


@settings(max_examples=500)
@given(operations)
def test_answers_and_stands_as_the_sorted_list_does(sequence: list[tuple[object, ...]]) -> None:
    book, model = OrderBook(), SortedListBook()
    for operation in sequence:
        assert outcome(book, operation) == outcome(model, operation), operation
        assert standing(book) == standing(model), operation
        bids, asks = (model.in_priority(side) for side in (Side.BUY, Side.SELL))
        assert book.best_bid == (bids[0].price_minor if bids else None)
        assert book.best_ask == (asks[0].price_minor if asks else None)
        assert len(book) == len(model.open)
        assert [order_id in book for order_id in IDS] == [model.remaining(order_id) > 0 for order_id in IDS]


@settings(max_examples=300)
@given(operations)
def test_is_never_crossed_and_loses_no_quantity(sequence: list[tuple[object, ...]]) -> None:
    book = OrderBook()
    expected_open = 0
    for operation in sequence:
        totals = {order.order_id: order.quantity for side in Side for order in book.orders(side)}
        answer = outcome(book, operation)
        if answer == "refused":
            continue
        traded = sum(fill.quantity for fill in answer) if isinstance(answer, list) else 0
        expected_open -= 2 * traded
        match operation:
            case ("place", _, _, _, int(quantity), time_in_force):
                expected_open += quantity
                if time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
                    expected_open -= quantity - traded
            case ("rest", _, _, _, int(remaining), _):
                expected_open += remaining
            case ("replace", str(order_id), _, int(quantity)):
                expected_open += quantity - totals[order_id]
            case _:
                assert isinstance(answer, int)
                expected_open -= answer
        assert expected_open == sum(order.remaining for side in Side for order in book.orders(side))
        assert book.best_bid is None or book.best_ask is None or book.best_bid < book.best_ask
