"""A market is at rest when there is nothing left to do; one that is stuck is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli import resting
from cli.failures import UnsoundMarketError
from cli.resting import Picture, unfinished, wait_until_quiet
from market.accounts.rows import AccountTables, SettlementRow
from market.side import Side
from market.tables import Bid
from market.whole_tables import MarketTables
from tests.invariants.histories import play
from tests.invariants.market_model import MarketModel

NOTHING = MarketTables(asks=(), sell_orders=(), bids=(), standing_bids=(), tape=())
NO_ACCOUNTS = AccountTables(lines=(), journal=(), settlements=(), notifications=())
PENDING = Bid(
    buyer="b",
    bid_id="bid-1",
    material="copper",
    price_minor=5,
    quantity=1,
    filled=0,
    status="PENDING",
    placed_at_ms=1,
)
EMPTY = Picture(NOTHING, NO_ACCOUNTS)
STUCK = Picture(replace(NOTHING, bids=(PENDING,)), NO_ACCOUNTS)


def test_waiting_ends_with_the_first_picture_that_is_at_rest_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "_POLL_S", 0.01)
    pictures = iter([STUCK, STUCK, EMPTY, EMPTY])
    assert wait_until_quiet(lambda: next(pictures)) == EMPTY


def test_a_market_that_is_stuck_is_a_clear_failure() -> None:
    with pytest.raises(UnsoundMarketError, match="bid-1"):
        wait_until_quiet(lambda: STUCK, limit_s=0.01)


def test_what_is_not_settled_not_told_or_past_its_time_is_still_to_be_done() -> None:
    model = MarketModel()

    def left(now_ms: int = 0) -> list[str]:
        return unfinished(Picture(model.tables(), model.accounts()), now_ms)

    play(
        [
            ("place", Side.SELL, "GTD", "ann", "copper", 100, 10, 50, 0),
            ("place", Side.BUY, "GTC", "bob", "copper", 90, 4, 0, 0),
        ],
        model,
    )
    assert left()
    model.step(("match", "copper", 9, None))
    assert left() == []
    assert len(left(now_ms=10**9)) == 1
    model.step(("cancel", 0))
    model.step(("match", "copper", 9, None))
    assert any("settled" in each for each in left())
    model.come_to_rest()
    assert left() == []
    told = model.notifications.pop()
    assert len(left()) == 1
    model.notifications.append(told)
    parked = SettlementRow(transaction_id="copper-1", status="PARKED")
    accounts = replace(model.accounts(), settlements=(parked,))
    assert unfinished(Picture(model.tables(), accounts), 0)
