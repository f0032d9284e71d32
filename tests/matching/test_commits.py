"""How commits are cut: never too large, only between orders, each item once, nothing lost."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.endings import Ending
from market.fees import NO_FEES, Fees
from market.keys import ask_price_key, bid_price_key
from market.matching.commits import cut_commits
from market.matching.engine import match
from market.matching.steps import Placement
from market.matching.turns import Arrival
from market.side import Side
from market.tables import Bid, OpenAsk, StandingBid
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill, decode_commit, encode_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.matching.changes import Commit
    from market.matching.steps import Step


def order_id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def ask(number: int, price_minor: int, remaining: int) -> OpenAsk:
    return OpenAsk(
        material="copper",
        price_key=ask_price_key(price_minor, order_id(number)),
        ask_id=order_id(number),
        seller=f"seller-{number % 3}",
        price_minor=price_minor,
        quantity=remaining + 1,
        remaining=remaining,
        placed_at_ms=number,
    )


def standing(number: int, price_minor: int, remaining: int) -> StandingBid:
    return StandingBid(
        material="copper",
        price_key=bid_price_key(price_minor, order_id(number)),
        bid_id=order_id(number),
        buyer=f"buyer-{number % 3}",
        price_minor=price_minor,
        quantity=remaining + 1,
        remaining=remaining,
        placed_at_ms=number,
    )


def arriving(number: int, price_minor: int, quantity: int) -> Bid:
    return Bid(
        buyer=f"buyer-{number % 3}",
        bid_id=order_id(number),
        material="copper",
        price_minor=price_minor,
        quantity=quantity,
        filled=0,
        status="PENDING",
        placed_at_ms=number,
        sequenced_at_ms=number,
    )


def matched(asks: Iterable[OpenAsk], standing_bids: Iterable[StandingBid], bids: Iterable[Bid]) -> Iterator[Step]:
    return match(asks, standing_bids, map(Arrival, bids), received_at_ms=1, fees=Fees(10, 20))


TERMS = st.tuples(st.integers(1, 9), st.integers(1, 40))


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[OpenAsk], list[StandingBid], list[Bid]]:
    asks = [ask(n, *terms) for n, terms in enumerate(draw(st.lists(TERMS, max_size=60)))]
    stand = [standing(1000 + n, *terms) for n, terms in enumerate(draw(st.lists(TERMS, max_size=30)))]
    bids = [arriving(2000 + n, *terms) for n, terms in enumerate(draw(st.lists(TERMS, max_size=40)))]
    return sorted(asks, key=lambda a: a.price_key), sorted(stand, key=lambda b: b.price_key), bids


def touched(commit: Commit) -> list[tuple[str, str]]:
    return [
        *(("ask", change.before.ask_id) for change in commit.asks if change.before),
        *(("bid", change.bid_id) for change in commit.bids),
        *(("standing", (change.before or change.after or never()).bid_id) for change in commit.standing_bids),
    ]


def never() -> StandingBid:
    raise AssertionError("a change from nothing to nothing")


@settings(max_examples=150, derandomize=True)
@given(batch=batches(), most_items=st.sampled_from([5, 6, 7, 20, 100]))
def test_commits_are_small_complete_and_cut_between_orders(
    batch: tuple[list[OpenAsk], list[StandingBid], list[Bid]], most_items: int
) -> None:
    asks, stand, bids = batch
    commits = list(cut_commits("copper", 7, matched(asks, stand, bids), most_items=most_items))
    assert [commit.sequence for commit in commits] == list(range(8, 8 + len(commits)))
    assert [bid for commit in commits for bid in commit.arrivals] == bids

    fills = [fill for commit in commits for fill in commit.fills]
    (uncut,) = list(cut_commits("copper", 0, matched(asks, stand, bids), most_items=10**6)) or [None]
    assert [fill._replace(n=0) for fill in fills] == [fill._replace(n=0) for fill in (uncut.fills if uncut else ())]

    remaining = {a.ask_id: a.remaining for a in asks}
    filled = {b.bid_id: 1 for b in stand} | {b.bid_id: 0 for b in bids}
    open_bids = {b.bid_id: b.remaining for b in stand}
    for commit in commits:
        assert commit.items <= most_items
        assert max(Counter(touched(commit)).values()) == 1
        for change in commit.asks:
            assert change.before
            assert change.before.remaining == remaining[change.before.ask_id]
            remaining[change.before.ask_id] = change.after.remaining if change.after else 0
        for change in commit.bids:
            assert change.filled_before == filled[change.bid_id]
            filled[change.bid_id] = change.filled
        for change in commit.standing_bids:
            bid_id = (change.before or change.after or never()).bid_id
            assert (change.before.remaining if change.before else None) == open_bids.pop(bid_id, None)
            if change.after:
                open_bids[bid_id] = change.after.remaining

    takers = Counter[str]()
    for commit in commits:
        taking = [change.after for change in commit.standing_bids if change.after and change.after.taking]
        assert len(taking) <= 1
        takers.update({fill.bid_id if fill.taker_side == "BUY" else fill.ask_id for fill in commit.fills})
    for before, after in pairwise(commits):
        unfinished = {c.after.bid_id for c in before.standing_bids if c.after and c.after.taking}
        if unfinished:  # only a sweep that fills a whole transaction is cut, and it goes on at once
            assert before.items >= most_items - 1
            assert unfinished <= {change.bid_id for change in after.bids}
    for taker, parts in takers.items():
        makers = sum(taker in (fill.bid_id, fill.ask_id) for fill in fills)
        assert parts == 1 or makers > (most_items - 2) // 2

    sums = Counter[str]()
    for fill in fills:
        sums[fill.ask_id] += fill.quantity
        sums[fill.bid_id] += fill.quantity
    assert all(remaining[a.ask_id] == a.remaining - sums[a.ask_id] for a in asks)
    assert all(filled[b.bid_id] == sums[b.bid_id] for b in bids)


@settings(max_examples=100, derandomize=True)
@given(batch=batches())
def test_a_book_is_read_no_deeper_than_one_order_beyond_what_trades(
    batch: tuple[list[OpenAsk], list[StandingBid], list[Bid]],
) -> None:
    asks, _, bids = batch
    read: list[OpenAsk] = []

    def lazily() -> Iterator[OpenAsk]:
        for each in asks:
            read.append(each)
            yield each

    traded = {
        trade.maker for step in matched(lazily(), [], bids) if isinstance(step, Placement) for trade in step.trades
    }
    assert len(read) <= len(traded) + 1


PLAYERS = st.sampled_from(["seller-1", "ünïcode", "0190163d-8694-739b-aea5-966c26f8ad91", "x" * 300])


AMOUNTS = st.integers(0, 10**24)
FILLS = st.tuples(
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 999_999_999_999),
    st.integers(1, 10**12),
    st.sampled_from(Side),
    AMOUNTS | st.just(0),
    AMOUNTS | st.just(0),
)


@st.composite
def closings(draw: st.DrawFn) -> tuple[Ending, int, int]:
    """Draw how an order ended, what it traded in earlier commits, and what of it was withdrawn."""
    ending = draw(st.sampled_from(Ending))
    withdrawn = 0 if ending is Ending.FILLED else draw(st.integers(0, 10**12))
    return ending, draw(st.integers(0, 10**12)), withdrawn


RELEASES = st.dictionaries(st.integers(0, 19), st.tuples(st.sampled_from(Side), AMOUNTS, st.none() | closings()))
RATES = st.builds(Fees, st.integers(0, 1000), st.integers(0, 1000)) | st.just(NO_FEES)


@settings(max_examples=150, derandomize=True)
@given(
    rows=st.lists(FILLS),
    releases=RELEASES,
    players=st.lists(PLAYERS, min_size=20, max_size=20),
    rates=RATES,
)
def test_a_commit_on_tape_reads_back_as_it_was(
    rows: list[tuple[int, int, int, int, Side, int, int]],
    releases: dict[int, tuple[Side, int, tuple[Ending, int, int] | None]],
    players: list[str],
    rates: Fees,
) -> None:
    fills = tuple(
        TradeFill(n, order_id(b), players[b], order_id(10 + a), players[10 + a], price, quantity, side, *fees)
        for n, (b, a, price, quantity, side, *fees) in enumerate(rows, 1)
    )

    def closing(n: int, ending: Ending, traded_before: int, withdrawn: int) -> Closing:
        traded = sum(fill.quantity for fill in fills if order_id(n) in (fill.bid_id, fill.ask_id))
        return Closing(ending.status, ending.reason, traded_before + traded + withdrawn, withdrawn)

    orders = tuple(
        TapeOrder(order_id(n), players[n], side, released, closing(n, *closed) if closed else None)
        for n, (side, released, closed) in releases.items()
    )
    commit = TapeCommit("copper", 12, 1_763_712_000_001, 1_763_712_000_000, fills, orders, rates if fills else NO_FEES)
    item = encode_commit(commit)
    assert decode_commit(item) == commit
    assert ("orders" in item) == bool(fills or orders)


def test_fees_at_the_rates_take_no_room() -> None:
    fills = (TradeFill(1, order_id(1), "b", order_id(2), "s", 1000, 50, Side.BUY, 100, 50),)
    item = encode_commit(TapeCommit("copper", 12, 1, 1, fills, rates=Fees(maker_bps=10, taker_bps=20)))
    assert "fees" not in item


@pytest.mark.parametrize("closed", [Closing("FILLED", None, 5, 1), Closing("FILLED", None, 4, 0)])
def test_a_closing_that_disagrees_with_its_fills_is_refused(closed: Closing) -> None:
    fills = (TradeFill(1, order_id(1), "b", order_id(2), "s", 1000, 5, Side.BUY),)
    order = TapeOrder(order_id(1), "b", Side.BUY, 5000, closed)
    with pytest.raises(ValueError, match="order"):
        encode_commit(TapeCommit("copper", 12, 1, 1, fills, (order,)))


def test_the_codes_of_endings_on_tapes_never_change() -> None:
    assert [(ending.status, ending.reason) for ending in Ending] == [
        ("FILLED", None),
        ("CANCELED", "requested"),
        ("CANCELED", "replaced"),
        ("CANCELED", "no_match"),
        ("CANCELED", "budget_spent"),
        ("CANCELED", "self_trade"),
        ("CANCELED", "too_many_makers"),
        ("EXPIRED", "expired"),
        ("REJECTED", "would_take"),
        ("REJECTED", "replaced_order_closed"),
        ("REJECTED", "insufficient_hold"),
    ]
