"""What a commit does to accounts: every amount has another side, however the commit is cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.accounts.bookkeeping import HOUSE, Book
from market.accounts.changes import UnbalancedCommitError, settlement_slices
from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill
from tests.accounts.commits import MATERIAL, commits, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.accounts.bookkeeping import AccountChange

AMOUNTS = ("available", "held", "held_minor", "proceeds_minor")
_sizes = st.integers(3, 8)


def totals(changes: Iterable[AccountChange]) -> Counter[tuple[str, str]]:
    """Sum the changes up by player and amount."""
    sums: Counter[tuple[str, str]] = Counter()
    for change in changes:
        for name in AMOUNTS:
            sums[change.player, name] += getattr(change, name)
    return Counter({key: amount for key, amount in sums.items() if amount})


@given(commits(), _sizes)
def test_every_slice_balances_and_is_small_enough(commit: TapeCommit, most_accounts: int) -> None:
    for slice_ in settlement_slices(commit, most_accounts):
        players = [change.player for change in slice_]
        assert len(players) == len(set(players)) <= most_accounts
        clearing: Counter[str] = Counter()
        for change in slice_:
            entry: Counter[str] = Counter()
            for posting in change.postings:
                assert posting.amount != 0
                entry[posting.asset] += posting.amount
                if posting.account is Book.CLEARING:
                    clearing[posting.asset] += posting.amount
            assert not any(entry.values())
            assert change.available_minor == 0
        assert not any(clearing.values())


@given(commits(), _sizes)
def test_the_slices_together_are_the_commit_whatever_their_size(commit: TapeCommit, most_accounts: int) -> None:
    slices = settlement_slices(commit, most_accounts)
    assert slices == settlement_slices(commit, most_accounts)
    expected: Counter[tuple[str, str]] = Counter()
    for fill in commit.fills:
        value_minor = fill.price_minor * fill.quantity
        expected[fill.buyer, "available"] += fill.quantity
        expected[fill.seller, "proceeds_minor"] += value_minor - fill.seller_fee_minor
        expected[HOUSE, "proceeds_minor"] += fill.buyer_fee_minor + fill.seller_fee_minor
    for order in commit.orders:
        held, back = ("held_minor", "proceeds_minor") if order.side is Side.BUY else ("held", "available")
        expected[order.player, held] -= order.released
        spent = sum(
            fill.price_minor * fill.quantity + fill.buyer_fee_minor if order.side is Side.BUY else fill.quantity
            for fill in commit.fills
            if order.order_id in (fill.bid_id, fill.ask_id)
        )
        expected[order.player, back] += order.released - spent
    changes = [change for slice_ in slices for change in slice_]
    assert totals(changes) == Counter({key: amount for key, amount in expected.items() if amount})
    closed = [(change.player, order) for change in changes for order in (*change.closed_asks, *change.closed_bids)]
    assert sorted(closed) == sorted((order.player, order.order_id) for order in commit.orders if order.closed)


@given(commits(), _sizes)
def test_whoever_holds_what_the_orders_release_never_goes_below_zero(commit: TapeCommit, most_accounts: int) -> None:
    books: Counter[tuple[str, str]] = Counter()
    for order in commit.orders:
        books[order.player, "held_minor" if order.side is Side.BUY else "held"] += order.released
    for slice_ in settlement_slices(commit, most_accounts):
        for change in slice_:
            for name in AMOUNTS:
                books[change.player, name] += getattr(change, name)
                assert books[change.player, name] >= 0
    assert not any(amount for (_, name), amount in books.items() if name.startswith("held"))


def test_a_trade_as_told() -> None:
    """Ann bids 4 at 13 with 1 % fee and gets 3 at 12.50; Bob's ask of 3 sells out; Cid's ask is canceled."""
    closed = Closing("FILLED", None, 3, 0)
    canceled = Closing("CANCELED", "requested", 2, 2)
    fill = TradeFill(1, order_id(1), "ann", order_id(2), "bob", 1250, 3, Side.BUY, 37, 18)
    orders = (
        TapeOrder(order_id(1), "ann", Side.BUY, 5252 - 1313, None),
        TapeOrder(order_id(2), "bob", Side.SELL, 3, closed),
        TapeOrder(order_id(3), "cid", Side.SELL, 2, canceled),
    )
    (slice_,) = settlement_slices(TapeCommit(MATERIAL, 1, 2, 1, (fill,), orders))
    told = {
        change.player: {name: getattr(change, name) for name in AMOUNTS if getattr(change, name)} for change in slice_
    }
    assert told == {
        "ann": {"available": 3, "held_minor": -3939, "proceeds_minor": 3939 - 3787},
        "bob": {"held": -3, "proceeds_minor": 3732},
        HOUSE: {"proceeds_minor": 55},
        "cid": {"available": 2, "held": -2},
    }
    assert {change.player: change.closed_asks for change in slice_ if change.closed_asks} == {
        "bob": (order_id(2),),
        "cid": (order_id(3),),
    }


def test_a_commit_that_touched_no_order_settles_nothing() -> None:
    assert settlement_slices(TapeCommit(MATERIAL, 1, 2, 1, ())) == ()


@given(commits().filter(lambda commit: bool(commit.fills)), st.data())
def test_a_commit_that_contradicts_itself_is_refused_whole(commit: TapeCommit, data: st.DataObject) -> None:
    traded = {order for fill in commit.fills for order in (fill.bid_id, fill.ask_id)}
    broken = data.draw(st.sampled_from([order for order in commit.orders if order.order_id in traded]))
    others = tuple(order for order in commit.orders if order is not broken)
    for orders in (others, (*others, broken._replace(released=0))):
        with pytest.raises(UnbalancedCommitError, match=broken.order_id):
            settlement_slices(replace(commit, orders=orders))


def test_fewer_accounts_than_a_fill_has_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        settlement_slices(TapeCommit(MATERIAL, 1, 2, 1, ()), 2)
