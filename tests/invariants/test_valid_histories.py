"""A market that works as promised is never accused, whatever the timing."""

from __future__ import annotations

from hypothesis import given, settings

from market.invariants import check_invariants
from tests.invariants.market_model import Batch, Place, histories, play


@settings(max_examples=300, deadline=None)
@given(histories)
def test_no_valid_history_breaks_an_invariant_at_any_moment(actions: list[Place | Batch]) -> None:
    model = play(actions)
    verdict = check_invariants(model.tables(), stored_by_ms=model.stored_by_ms())
    assert [str(violation) for violation in verdict.violations] == []

    model.come_to_rest()
    verdict = check_invariants(model.tables(), quiet=True, stored_by_ms=model.stored_by_ms())
    assert [str(violation) for violation in verdict.violations] == []
    assert verdict.pending_bid_ids == ()
