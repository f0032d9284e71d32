"""Holding, depositing and withdrawing: exactly what is asked for moves, from as few lines as will do."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.accounts.bookkeeping import (
    MONEY,
    Account,
    Book,
    InsufficientError,
    MaterialLine,
    postings_by_player,
)
from market.accounts.changes import deposit, placing_ask, placing_bid, withdrawal
from tests.accounts.commits import order_id

if TYPE_CHECKING:
    from market.accounts.bookkeeping import Slice

_MATERIALS = ("copper", "iron", "salt", "wheat", "wool")
_amounts = st.integers(0, 20)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Draw an account with money in any places."""
    lines = {
        material: MaterialLine(available=draw(_amounts), proceeds_minor=draw(_amounts))
        for material in _MATERIALS
        if draw(st.booleans())
    }
    return Account("ann", draw(_amounts), lines)


def fewest_lines(account: Account, near: str | None, need_minor: int) -> int:
    """How many lines besides `near` must give for the wallet to be able to pay, found by trying all choices."""
    others = [line.proceeds_minor for material, line in account.lines.items() if material != near]
    missing = need_minor - account.wallet_minor
    if near is not None and near in account.lines:
        missing -= account.lines[near].proceeds_minor
    return next(
        count
        for count in range(len(others) + 1)
        if any(sum(choice) >= missing for choice in combinations(others, count))
    )


def require_taken(account: Account, changes: Slice, need_minor: int, near: str | None) -> None:
    """Check that an account gives an amount of money, the wallet first."""
    assert len({change.material for change in changes}) == len(changes)
    assert sum(change.available_minor + change.proceeds_minor for change in changes) == -need_minor
    from_wallet = -sum(change.available_minor for change in changes)
    assert from_wallet == min(need_minor, account.wallet_minor)
    swept = [change for change in changes if change.proceeds_minor]
    for change in swept:
        assert 0 < -change.proceeds_minor <= account.lines[change.material or ""].proceeds_minor
    assert len([change for change in swept if change.material != near]) == fewest_lines(account, near, need_minor)


@given(accounts(), st.sampled_from(_MATERIALS), st.integers(0, 120))
def test_a_bid_holds_what_it_needs_or_says_what_is_missing(account: Account, material: str, need_minor: int) -> None:
    if need_minor > account.available_minor:
        with pytest.raises(InsufficientError) as raised:
            placing_bid(account, material, need_minor, order_id(1))
        shortage = raised.value
        assert (shortage.asset, shortage.needed, shortage.available) == (MONEY, need_minor, account.available_minor)
        assert shortage.missing == need_minor - account.available_minor
        return
    changes = placing_bid(account, material, need_minor, order_id(1))
    require_taken(account, changes, need_minor, material)
    own, *others = changes
    assert (own.material, own.held_minor, own.opened_bids) == (material, need_minor, (order_id(1),))
    assert not any(change.held_minor or change.opened_bids for change in others)
    for postings in postings_by_player(changes).values():
        assert sum(posting.amount for posting in postings) == 0
        assert {posting.account for posting in postings} == {Book.AVAILABLE, Book.HELD}


@given(accounts(), st.integers(1, 120))
def test_money_withdrawn_is_looked_for_in_all_places(account: Account, amount: int) -> None:
    if amount > account.available_minor:
        with pytest.raises(InsufficientError):
            withdrawal(account, MONEY, amount)
        return
    changes = withdrawal(account, MONEY, amount)
    require_taken(account, changes, amount, None)
    require_transfer(changes, MONEY, -amount)


@given(accounts(), st.sampled_from(_MATERIALS), st.integers(1, 30))
def test_goods_withdrawn_are_there(account: Account, material: str, amount: int) -> None:
    if amount > account.available(material):
        with pytest.raises(InsufficientError) as shortage:
            withdrawal(account, material, amount)
        assert (shortage.value.asset, shortage.value.available) == (material, account.available(material))
        return
    (change,) = withdrawal(account, material, amount)
    assert (change.material, change.available) == (material, -amount)
    require_transfer((change,), material, -amount)


@given(st.sampled_from([MONEY, *_MATERIALS]), st.integers(1, 10**12))
def test_a_deposit_comes_from_the_game(asset: str, amount: int) -> None:
    changes = deposit("ann", asset, amount)
    require_transfer(changes, asset, amount)
    (change,) = changes
    assert (change.material, change.available_minor, change.available) == (
        (None, amount, 0) if asset == MONEY else (asset, 0, amount)
    )


def require_transfer(changes: Slice, asset: str, amount: int) -> None:
    """Check the two sides of a movement between a player and the game."""
    (postings,) = postings_by_player(changes).values()
    booked = Counter({(posting.account, posting.asset): posting.amount for posting in postings})
    assert booked == {(Book.AVAILABLE, asset): amount, (Book.GAME, asset): -amount}


def test_an_ask_holds_its_goods_without_anything_being_read() -> None:
    (change,) = placing_ask("ann", "copper", 5, order_id(1))
    assert (change.available, change.held, change.opened_asks) == (-5, 5, (order_id(1),))
    assert [(posting.account, posting.amount) for posting in change.postings] == [
        (Book.AVAILABLE, -5),
        (Book.HELD, 5),
    ]
