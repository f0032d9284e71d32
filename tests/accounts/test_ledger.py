"""Accounts in their table: what is written is what the changes say, never below zero, with a journal to match."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.accounts.journal import JournalEntry, journal_entries
from market.accounts.bookkeeping import (
    HOUSE,
    MONEY,
    AccountChange,
    InsufficientError,
    MaterialLine,
    TooManyOpenOrdersError,
)
from market.accounts.changes import deposit, placing_ask, placing_bid, settlement_slices
from market.side import Side
from tests.accounts.bank import opened
from tests.accounts.commits import MATERIAL, commits, order_id

if TYPE_CHECKING:
    from market.tape import TapeCommit
    from tests.accounts.bank import Bank


def test_an_account_nobody_touched_is_empty(bank: Bank) -> None:
    account = bank.ledger.account("ann")
    assert (account.available_minor, account.held_minor, account.lines) == (0, 0, {})


def test_a_bid_takes_from_several_lines_and_its_order_is_open(bank: Bank) -> None:
    bank.apply(deposit("ann", MONEY, 50), "deposit#1")
    for material, proceeds_minor in (("copper", 10), ("wheat", 30)):
        bank.apply([AccountChange(player="ann", material=material, proceeds_minor=proceeds_minor)], f"test#{material}")
    bank.apply(placing_bid(bank.ledger.account("ann"), "copper", 75, order_id(1)), "order#1", max_open_orders=1)
    account = bank.ledger.account("ann")
    assert account.wallet_minor == 0
    assert account.lines == {
        "copper": MaterialLine(held_minor=75, open_bids=(order_id(1),)),
        "wheat": MaterialLine(proceeds_minor=15),
    }


def test_who_asks_for_more_than_there_is_learns_what_there_is(bank: Bank) -> None:
    bank.apply(deposit("ann", "copper", 3), "deposit#1")
    before = bank.stored()
    changes = placing_ask("ann", "copper", 5, order_id(1))
    with pytest.raises(ClientError) as refused:
        bank.apply(changes, "order#1")
    shortage = bank.ledger.refusal(refused.value, changes)
    assert isinstance(shortage, InsufficientError)
    assert (shortage.asset, shortage.needed, shortage.available, shortage.missing) == ("copper", 5, 3, 2)
    assert bank.stored() == before


def test_open_orders_are_counted_by_side_and_material(bank: Bank) -> None:
    bank.apply(deposit("ann", "copper", 9), "deposit#1")
    for number in (1, 2):
        bank.apply(placing_ask("ann", "copper", 1, order_id(number)), f"order#{number}", max_open_orders=2)
    third = placing_ask("ann", "copper", 1, order_id(3))
    with pytest.raises(ClientError) as refused:
        bank.apply(third, "order#3", max_open_orders=2)
    too_many = bank.ledger.refusal(refused.value, third, max_open_orders=2)
    assert isinstance(too_many, TooManyOpenOrdersError)
    assert (too_many.material, too_many.most) == ("copper", 2)
    bank.apply([AccountChange(player="ann", material="copper", closed_asks=(order_id(1),))], "settlement#copper-1#0")
    bank.apply(third, "order#3", max_open_orders=2)
    assert bank.ledger.account("ann").lines["copper"].open_asks == (order_id(2), order_id(3))
    bank.apply(placing_bid(bank.ledger.account("ann"), "copper", 0, order_id(4)), "order#4", max_open_orders=2)


def test_other_refusals_are_nobodys_shortage(bank: Bank) -> None:
    changes = deposit("ann", MONEY, 5)
    entries = journal_entries(changes, "deposit#1", 1)
    assert not bank.ledger.is_written(entries[0])
    actions = bank.ledger.actions(changes, entries)
    bank.client.transact_write_items(TransactItems=actions)
    assert bank.ledger.is_written(entries[0])
    with pytest.raises(ClientError) as refused:  # the journal has the entry
        bank.client.transact_write_items(TransactItems=bank.ledger.actions(changes, entries))
    assert bank.ledger.refusal(refused.value, changes) is None
    assert bank.ledger.account("ann").available_minor == 5


def test_the_journal_is_read_newest_first_and_pages_hold_while_entries_arrive(bank: Bank) -> None:
    for number in range(1, 6):
        bank.apply(deposit("ann", MONEY, number), f"deposit#{number}")
    first, more = bank.ledger.newest_entries("ann", None, 2)
    bank.apply(deposit("ann", MONEY, 6), "deposit#6")
    assert more
    second, more = bank.ledger.newest_entries("ann", first[-1].entry_key, 3)
    assert not more
    causes = [entry.cause for entry in (*first, *second)]
    assert causes == [f"deposit#{number}" for number in (5, 4, 3, 2, 1)]


@settings(max_examples=12)
@given(commits(most_fills=6), st.integers(3, 6))
def test_a_settled_commit_leaves_accounts_and_journals_that_agree(commit: TapeCommit, most_accounts: int) -> None:
    with opened() as bank:
        players = sorted({order.player for order in commit.orders})
        for number, order in enumerate(commit.orders):
            if order.side is Side.SELL:
                bank.apply(deposit(order.player, MATERIAL, order.released or 1), f"deposit#{number}")
                bank.apply(placing_ask(order.player, MATERIAL, order.released, order.order_id), f"order#{number}")
            else:
                bank.apply(deposit(order.player, MONEY, order.released or 1), f"deposit#{number}")
                account = bank.ledger.account(order.player)
                bank.apply(placing_bid(account, MATERIAL, order.released, order.order_id), f"order#{number}")
        owned = total(bank, players)
        for number, changes in enumerate(settlement_slices(commit, most_accounts)):
            bank.apply(changes, f"settlement#copper-7#{number}")
        assert total(bank, players) == owned
        bank.require_sound(HOUSE, *players)
        for player in players:
            line = bank.ledger.account(player).lines[MATERIAL]
            still_open = {order.order_id for order in commit.orders if order.player == player and not order.closed}
            assert {*line.open_asks, *line.open_bids} == still_open
            assert (line.held, line.held_minor) == (0, 0)


def total(bank: Bank, players: list[str]) -> Counter[str]:
    """All money and goods of some players and the house."""
    sums: Counter[str] = Counter()
    for account in (bank.ledger.account(player) for player in (HOUSE, *players)):
        sums[MONEY] += account.available_minor + account.held_minor
        for material, line in account.lines.items():
            sums[material] += line.available + line.held
    return sums


def test_an_entry_comes_back_as_it_went_in(bank: Bank) -> None:
    changes = placing_ask("ann", "copper", 5, order_id(1))
    (entry,) = journal_entries(changes, f"order#{order_id(1)}", 1_795_248_000_007)
    assert entry == JournalEntry("ann", f"order#{order_id(1)}", 1_795_248_000_007, changes[0].postings)
    (_, put) = bank.ledger.actions(changes, [entry])
    bank.client.transact_write_items(TransactItems=[put])
    assert bank.ledger.newest_entries("ann", None, 1) == ((entry,), False)
    (stored,) = bank.stored()["journal"]
    assert stored["entry_key"] == f"1795248000007#order#{order_id(1)}"
