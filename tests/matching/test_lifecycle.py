"""How orders live and end: told as tables of what players place and ask for, delivered one batch after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from market.matching.engine import SelfTradePrevention
from tests.matching.accounting import assert_accounted
from tests.matching.trading import A_MINUTE_MS, DELIVER, Trading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.matching.market_on_moto import MarketOnMoto


@dataclass(frozen=True)
class Story:
    """Orders are named by their place among the orders, from 1; fills are (bid, ask, price, quantity)."""

    name: str
    steps: Sequence[tuple[Any, ...]]
    fills: Sequence[tuple[int, int, int, int]]
    states: dict[int, tuple[str, str | None, int, int]]
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_TAKER


STORIES = [
    Story(
        "an immediate-or-cancel order takes what there is, and never rests",
        [
            ("ask", 100, 3),
            ("take", "bid", "IOC", 100, 5),
            DELIVER,
            ("bid", 90, 2),
            ("take", "ask", "IOC", 90, 6),
            DELIVER,
        ],
        [(2, 1, 100, 3), (3, 4, 90, 2)],
        {
            1: ("FILLED", None, 3, 3),
            2: ("CANCELED", "no_match", 3, 5),
            3: ("FILLED", None, 2, 2),
            4: ("CANCELED", "no_match", 2, 6),
        },
    ),
    Story(
        "a fill-or-kill order trades all or nothing",
        [
            ("ask", 100, 3),
            ("take", "bid", "FOK", 100, 4),
            ("take", "bid", "FOK", 100, 3),
            DELIVER,
            ("bid", 90, 2),
            ("take", "ask", "FOK", 90, 3),
            ("take", "ask", "FOK", 80, 2),
            DELIVER,
        ],
        [(3, 1, 100, 3), (4, 6, 90, 2)],
        {
            1: ("FILLED", None, 3, 3),
            2: ("CANCELED", "no_match", 0, 4),
            3: ("FILLED", None, 3, 3),
            4: ("FILLED", None, 2, 2),
            5: ("CANCELED", "no_match", 0, 3),
            6: ("FILLED", None, 2, 2),
        },
    ),
    Story(
        "a post-only order rests or is rejected",
        [
            ("ask", 100, 3),
            ("post", "bid", 100, 1),
            ("post", "bid", 99, 1),
            DELIVER,
            ("post", "ask", 99, 1),
            ("post", "ask", 100, 1),
            DELIVER,
        ],
        [],
        {
            1: ("NEW", None, 0, 3),
            2: ("REJECTED", "would_take", 0, 1),
            3: ("NEW", None, 0, 1),
            4: ("REJECTED", "would_take", 0, 1),
            5: ("NEW", None, 0, 1),
        },
    ),
    Story(
        "a market bid buys until its money is spent, a market ask sells to whoever bids",
        [
            ("ask", 100, 2),
            ("ask", 200, 9),
            ("buy_for", 650, 9),
            DELIVER,
            ("bid", 50, 2),
            ("bid", 40, 2),
            DELIVER,
            ("sell_at_market", 5),
            DELIVER,
        ],
        [(3, 1, 100, 2), (3, 2, 200, 2), (4, 6, 50, 2), (5, 6, 40, 2)],
        {
            1: ("FILLED", None, 2, 2),
            2: ("PARTIALLY_FILLED", None, 2, 9),
            3: ("CANCELED", "budget_spent", 4, 9),
            4: ("FILLED", None, 2, 2),
            5: ("FILLED", None, 2, 2),
            6: ("CANCELED", "no_match", 4, 5),
        },
    ),
    Story(
        "a canceled order keeps what it traded and trades no more",
        [
            ("ask", 100, 5),
            ("bid", 100, 2),
            ("bid", 90, 4),
            DELIVER,
            ("cancel", 1),
            ("cancel", 3),
            ("bid", 100, 1),
            DELIVER,
            ("ask", 80, 1),
            DELIVER,
        ],
        [(2, 1, 100, 2), (4, 5, 100, 1)],
        {
            1: ("CANCELED", "requested", 2, 5),
            2: ("FILLED", None, 2, 2),
            3: ("CANCELED", "requested", 0, 4),
            4: ("FILLED", None, 1, 1),
            5: ("FILLED", None, 1, 1),
        },
    ),
    Story(
        "an order that is placed and canceled in one batch takes its turn first",
        [("ask", 100, 5), ("bid", 100, 7), ("cancel", 2), ("bid", 90, 1), ("cancel", 3), DELIVER],
        [(2, 1, 100, 5)],
        {1: ("FILLED", None, 5, 5), 2: ("CANCELED", "requested", 5, 7), 3: ("CANCELED", "requested", 0, 1)},
    ),
    Story(
        "a reduced order keeps its place",
        [
            ("ask", 100, 5),
            ("ask", 100, 5),
            ("bid", 100, 1),
            DELIVER,
            ("reduce", 1, 3),
            DELIVER,
            ("bid", 100, 3),
            DELIVER,
        ],
        [(3, 1, 100, 1), (4, 1, 100, 2), (4, 2, 100, 1)],
        {
            1: ("FILLED", None, 3, 3),
            2: ("PARTIALLY_FILLED", None, 1, 5),
            3: ("FILLED", None, 1, 1),
            4: ("FILLED", None, 3, 3),
        },
    ),
    Story(
        "a bid is reduced, at once or on its way, and again",
        [("bid", 100, 9), ("reduce", 1, 7), DELIVER, ("reduce", 1, 4), DELIVER, ("ask", 100, 9), DELIVER],
        [(1, 2, 100, 4)],
        {1: ("FILLED", None, 4, 4), 2: ("PARTIALLY_FILLED", None, 4, 9)},
    ),
    Story(
        "what is asked of an order that closed meanwhile changes nothing",
        [("ask", 100, 2), ("bid", 100, 2), ("cancel", 1), DELIVER, ("cancel", 1), ("reduce", 2, 1), DELIVER],
        [(2, 1, 100, 2)],
        {1: ("FILLED", None, 2, 2), 2: ("FILLED", None, 2, 2)},
    ),
    Story(
        "an order reduced to less than it traded meanwhile closes with what it traded",
        [("ask", 100, 5), ("bid", 100, 3), ("reduce", 1, 2), DELIVER],
        [(2, 1, 100, 3)],
        {1: ("CANCELED", "requested", 3, 5), 2: ("FILLED", None, 3, 3)},
    ),
    Story(
        "a replaced order gives its place up, and its hold to the new one",
        [
            ("bid", 100, 5),
            ("ask", 100, 2),
            DELIVER,
            ("replace", 1, 110, 6),
            ("ask", 105, 1),
            DELIVER,
            ("ask", 120, 4),
            DELIVER,
            ("replace", 5, 90, 4),
            ("bid", 90, 9),
            DELIVER,
        ],
        [(1, 2, 100, 2), (3, 4, 105, 1), (3, 6, 110, 3), (7, 6, 90, 1)],
        {
            1: ("CANCELED", "replaced", 2, 5),
            2: ("FILLED", None, 2, 2),
            3: ("FILLED", None, 4, 4),
            4: ("FILLED", None, 1, 1),
            5: ("CANCELED", "replaced", 0, 4),
            6: ("FILLED", None, 4, 4),
            7: ("PARTIALLY_FILLED", None, 1, 9),
        },
    ),
    Story(
        "a replacement wants less by what the replaced order traded on the way",
        [("bid", 100, 5), DELIVER, ("replace", 1, 90, 5), ("ask", 100, 2), DELIVER],
        [(1, 3, 100, 2)],
        {1: ("CANCELED", "replaced", 2, 5), 2: ("NEW", None, 0, 3), 3: ("FILLED", None, 2, 2)},
    ),
    Story(
        "an order deep in the book is replaced without the book being read down to it",
        [
            ("bid", 100, 1),
            ("bid", 90, 5),
            ("ask", 200, 1),
            ("ask", 210, 5),
            DELIVER,
            ("replace", 2, 91, 6),
            ("replace", 4, 209, 4),
            DELIVER,
        ],
        [],
        {
            1: ("NEW", None, 0, 1),
            2: ("CANCELED", "replaced", 0, 5),
            3: ("NEW", None, 0, 1),
            4: ("CANCELED", "replaced", 0, 5),
            5: ("NEW", None, 0, 6),
            6: ("NEW", None, 0, 4),
        },
    ),
    Story(
        "an order is not replaced after it closed",
        [("bid", 100, 5), DELIVER, ("cancel", 1), ("replace", 1, 110, 6), DELIVER],
        [],
        {1: ("CANCELED", "requested", 0, 5), 2: ("REJECTED", "replaced_order_closed", 0, 6)},
    ),
    Story(
        "an order whose time is over never trades, and closes when it is reached or named",
        [
            ("ask_until", A_MINUTE_MS, 100, 2),
            ("bid_until", A_MINUTE_MS, 80, 2),
            ("bid_until", A_MINUTE_MS, 70, 2),
            DELIVER,
            ("wait", A_MINUTE_MS),
            ("bid", 100, 1),
            DELIVER,
            ("expire", 2, 3),
            DELIVER,
        ],
        [],
        {
            1: ("EXPIRED", "expired", 0, 2),
            2: ("EXPIRED", "expired", 0, 2),
            3: ("EXPIRED", "expired", 0, 2),
            4: ("NEW", None, 0, 1),
        },
    ),
    Story(
        "the expirer alone ends nothing before its time",
        [("ask_until", A_MINUTE_MS, 100, 2), DELIVER, ("expire", 1), DELIVER],
        [],
        {1: ("NEW", None, 0, 2)},
    ),
    Story(
        "two orders of one player do not trade: what arrives is canceled",
        [("ask", 100, 2, "both"), ("bid", 100, 5, "both"), DELIVER],
        [],
        {1: ("NEW", None, 0, 2), 2: ("CANCELED", "self_trade", 0, 5)},
    ),
    Story(
        "two orders of one player do not trade: what rests is canceled",
        [("ask", 100, 2, "both"), ("ask", 100, 1), ("bid", 100, 5, "both"), DELIVER],
        [(3, 2, 100, 1)],
        {1: ("CANCELED", "self_trade", 0, 2), 2: ("FILLED", None, 1, 1), 3: ("PARTIALLY_FILLED", None, 1, 5)},
        SelfTradePrevention.CANCEL_MAKER,
    ),
    Story(
        "two orders of one player do not trade: both are canceled",
        [("ask", 100, 2, "both"), ("bid", 100, 5, "both"), DELIVER],
        [],
        {1: ("CANCELED", "self_trade", 0, 2), 2: ("CANCELED", "self_trade", 0, 5)},
        SelfTradePrevention.CANCEL_BOTH,
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(market: MarketOnMoto, story: Story) -> None:
    trading = Trading(market)
    market.self_trade_prevention = story.self_trade_prevention
    for step in story.steps:
        trading.step(*step)
        if step == DELIVER:
            assert_accounted(market)
    assert trading.fills() == list(story.fills)
    assert trading.states() == story.states
