"""Whatever players, streams and schedules do, in any order, with trouble at any call: every promise holds."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from market.matching.rules import SelfTradePrevention
from tests.whole_market.proof import assert_every_promise
from tests.whole_market.trading import A_MINUTE_MS, PLAYERS, opened
from tests.whole_market.world import MATERIALS

players = st.sampled_from(PLAYERS)
sides = st.sampled_from(["asks", "bids"])
prices = st.sampled_from(["20.00", "20.05", "20.10"])
quantities = st.integers(1, 9)
places_among = st.integers(0, 30)
few = st.integers(0, 3)

placing = st.tuples(
    st.just("place"),
    players,
    sides,
    quantities,
    prices,
    st.sampled_from(["GTC", "GTC", "GTC", "GTD", "IOC", "FOK", "market", "post only"]),
    st.sampled_from(["copper", "copper", "copper", "wheat"]),
)
matching = st.tuples(
    st.just("match"), st.sampled_from(["asks", "bids", "sell-orders"]), st.sampled_from([1, 99]), few, few | st.just(99)
)
asking = st.one_of(
    st.tuples(st.just("cancel"), places_among),
    st.tuples(st.just("cancel all"), players, sides),
    st.tuples(st.just("change"), places_among, st.none() | quantities, st.none() | prices),
    st.tuples(st.just("repeat"), places_among),
    st.tuples(st.just("deposit"), players, st.sampled_from(["money", *MATERIALS]), st.integers(1, 30)),
    st.tuples(st.just("withdraw"), players, st.sampled_from(["money", *MATERIALS]), st.integers(1, 150)),
)
settling = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("settle")),
    st.tuples(st.just("notify")),
)
others = st.one_of(
    settling,
    st.tuples(st.just("sweep")),
    st.tuples(st.just("expire")),
    st.tuples(st.just("wait"), st.just(A_MINUTE_MS)),
    st.tuples(st.just("collect"), st.integers(1, 4)),
    st.tuples(st.just("close minutes")),
)
at_the_same_time = st.one_of(placing, matching, asking, settling)
"""What somebody else may do between two calls of a step; none of it takes long."""
faults = st.sampled_from(["crash before", "crash after", "lost answer", "throttle", "conflict"])
troubles = st.dictionaries(st.integers(0, 8), st.one_of(faults, faults, at_the_same_time), max_size=3)
"""By number of call; there may be none."""
rounds = st.tuples(
    *(st.tuples(step, troubles) for step in (*[placing] * 5, asking, matching, matching, settling, others))
).flatmap(st.permutations)
"""A few steps of each kind, in any order: chosen freely, most would find nothing to do."""


@settings(max_examples=8)
@given(
    days=st.lists(rounds, min_size=2, max_size=4),
    most_items=st.sampled_from([6, 12, 100]),
    most_accounts=st.sampled_from([3, 48]),
    prevention=st.sampled_from(SelfTradePrevention),
)
def test_every_promise_holds_whatever_happens(
    days: list[list[tuple[Any, Any]]], most_items: int, most_accounts: int, prevention: SelfTradePrevention
) -> None:
    with opened(most_items, most_accounts, prevention) as trading:
        assert_every_promise(trading, days)
