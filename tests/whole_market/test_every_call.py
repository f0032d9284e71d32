"""One day with everything in it, and trouble at each call of each step in turn: in the end, everybody has the same."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.whole_market.proof import assert_finished, assert_sound, balances
from tests.whole_market.trading import A_MINUTE_MS, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.whole_market.trading import Step

_SETTLE: tuple[Step, ...] = (("match",), ("submit", 2), ("settle",), ("notify",), ("collect", 2))
DAY: tuple[Step, ...] = (
    ("deposit", "bob", "money", 30),
    ("withdraw", "ann", "copper", 5),
    ("place", "ann", "asks", 5, "20.00", "GTC"),
    ("place", "bob", "bids", 3, "20.05", "GTC"),
    *_SETTLE,
    ("place", "cy", "asks", 6, "20.10", "post only"),
    ("place", "bob", "asks", 2, "21.00", "GTD"),
    ("place", "bob", "bids", 4, "20.10", "IOC"),
    *_SETTLE,
    ("change", 2, 5, None),
    ("place", "ann", "bids", 9, "20.10", "FOK"),
    ("place", "ann", "bids", 4, "20.00", "GTC"),
    *_SETTLE,
    ("place", "ann", "asks", 4, "20.20", "GTC"),
    ("change", 6, 6, "20.15"),
    ("place", "cy", "bids", 3, "", "market"),
    *_SETTLE,
    ("place", "bob", "asks", 1, "", "market"),
    ("cancel", 7),
    ("wait", 2 * A_MINUTE_MS),
    ("expire",),
    ("cancel all", "ann", "bids"),
    *_SETTLE,
    ("sweep",),
    ("close minutes",),
)
MOST_CALLS = 18
"""Of any step."""
CASES = (
    # A crash before any other call leaves what a crash after the one before it leaves.
    ("crash before", 0),
    *(("crash after", call) for call in range(MOST_CALLS)),
)


@cache
def calm_day() -> Mapping[str, Mapping[str, int]]:
    """What everybody has after a day without trouble."""
    with opened(most_items=6, most_accounts=3) as trading:
        most_calls = max(trading.step(step) for step in DAY)
        assert most_calls <= MOST_CALLS
        trading.finish()
        assert_finished(trading)
        return balances(trading.market)


@pytest.mark.parametrize(("fault", "call"), CASES)
def test_trouble_at_any_call_changes_nothing(fault: str, call: int) -> None:
    expected = calm_day()
    with opened(most_items=6, most_accounts=3) as trading:
        for step in DAY:
            trading.step(step, {call: fault})
            assert_sound(trading.market)
            trading.again(step)
        trading.finish()
        assert_sound(trading.market, quiet=True)
        assert balances(trading.market) == expected
