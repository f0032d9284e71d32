"""A side of the book of which only the first pages were read: every level that is shown is whole."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from market.feed.seen_side import SeenSide
from market.keys import ask_price_key
from market.matching.order_book import DepthLevel
from market.tables import OpenAsk

NOW_MS = 1000


def ask(
    number: int, price_minor: int, remaining: int, expires_at_ms: int | None = None, immediate: bool | None = None
) -> OpenAsk:
    ask_id = f"{number:08x}-8694-739b-aea5-966c26f8ad91"
    return OpenAsk(
        material="copper",
        price_key=ask_price_key(price_minor, ask_id),
        ask_id=ask_id,
        seller="seller",
        price_minor=price_minor,
        quantity=remaining,
        remaining=remaining,
        placed_at_ms=1,
        expires_at_ms=expires_at_ms,
        immediate=immediate,
    )


ORDER = st.tuples(
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from([None, NOW_MS, NOW_MS + 1]),
    st.sampled_from([None, None, True]),
)
CHANGE = st.tuples(st.integers(0, 9), st.sampled_from(["close", "reduce"]))


@settings(max_examples=400)
@given(
    orders=st.lists(ORDER, max_size=25),
    joining=st.lists(ORDER, max_size=5),
    changes=st.lists(CHANGE, max_size=8),
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    most=st.integers(1, 7),
)
@example(orders=[(1, 1, None, None), (2, 1, None, None)], joining=[], changes=[(0, "close")], sizes=[1], most=7)
def test_levels_are_those_of_the_whole_book(
    orders: list[tuple[int, int, int | None, bool | None]],
    joining: list[tuple[int, int, int | None, bool | None]],
    changes: list[tuple[int, str]],
    sizes: list[int],
    most: int,
) -> None:
    book = {row.price_key: row for row in (ask(number, *order) for number, order in enumerate(orders))}
    side = SeenSide()
    stored, start = sorted(book), 0
    for size in sizes:
        page = stored[start : start + size]
        start += size
        side.see([book[key] for key in page], complete=start >= len(stored))
        if start >= len(stored):
            break
    for number, order in enumerate(joining, len(orders)):
        row = ask(number, *order)
        book[row.price_key] = row
        side.change(None, row)
    for position, change in changes:
        if position < len(book):
            before = book.pop(sorted(book)[position])
            if change == "close":
                side.change(before, None)
            else:
                book[before.price_key] = after = ask(
                    int(before.ask_id[:8], 16), before.price_minor, 10, before.expires_at_ms, before.immediate
                )
                side.change(before, after)
    truth: list[DepthLevel] = []
    for price_minor in range(1, 7):
        at = [
            row.remaining
            for row in book.values()
            if row.price_minor == price_minor and row.expires_at_ms != NOW_MS and not row.immediate
        ]
        if at:
            truth.append(DepthLevel(price_minor, sum(at), len(at)))
    levels, complete = side.levels(most, NOW_MS)
    assert levels == truth[: len(levels)]
    assert len(levels) <= most
    if complete:
        assert levels == truth
    elif start >= len(stored):
        assert len(levels) == most < len(truth)
