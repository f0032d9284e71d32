"""A market that works as promised is never accused, whatever the timing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from market.invariants import asset_totals, check_invariants
from market.matching.rules import SelfTradePrevention
from market.side import Side
from tests.invariants.histories import Action, histories, play
from tests.invariants.market_model import FEES, MarketModel


def assert_sound(model: MarketModel, *, quiet: bool) -> None:
    verdict = check_invariants(
        model.tables(), quiet=quiet, stored_by_ms=model.stored_by_ms, fees=FEES, accounts=model.accounts()
    )
    assert [str(violation) for violation in verdict.violations] == []


@settings(max_examples=200)
@given(actions=histories, prevention=st.sampled_from(SelfTradePrevention))
def test_no_valid_history_breaks_an_invariant_at_any_moment(
    actions: list[Action], prevention: SelfTradePrevention
) -> None:
    model = MarketModel(prevention)
    before = asset_totals(model.tables(), model.accounts())
    play(actions, model)
    assert_sound(model, quiet=False)

    model.come_to_rest()
    assert_sound(model, quiet=True)
    after = asset_totals(model.tables(), model.accounts())
    assert [totals.in_settlement for totals in after] == [0] * len(after)
    assert all(totals.total == totals.deposited for totals in (*before, *after))


def test_totals_say_where_everything_is_while_commits_wait_to_be_settled() -> None:
    model = play(
        [
            ("place", Side.SELL, "GTC", "ann", "copper", 100, 10, 0, 0),
            ("place", Side.BUY, "GTC", "bob", "copper", 100, 4, 0, 0),
            ("cancel", 1),
            ("match", "copper", 9, None),
        ]
    )
    copper = next(totals for totals in asset_totals(model.tables(), model.accounts()) if totals.asset == "copper")
    assert (copper.available, copper.held, copper.in_settlement) == (290, 0, 10)

    model.come_to_rest()
    money, copper, _ = asset_totals(model.tables(), model.accounts())
    assert (copper.available, copper.held, copper.in_settlement, copper.house) == (300, 0, 0, 0)
    assert (money.available, money.held, money.house) == (15_000 - 12 - 28, 0, 12 + 28)
