"""Whatever players do in whichever order: trouble on the way changes nothing, and everything that was held adds up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.matching.engine import SelfTradePrevention
from tests.matching.accounting import CLOSED, assert_accounted
from tests.matching.market_on_moto import transactions_of
from tests.matching.trading import A_MINUTE_MS, Trading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matching.market_on_moto import MarketOnMoto

PRICES = st.integers(8, 12)
QUANTITIES = st.integers(1, 6)
PLAYERS = st.sampled_from(["ann", "bob", "cy"])
ORDER = (PRICES, QUANTITIES, PLAYERS)
SIDES = st.sampled_from(["ask", "bid"])
NUMBERS = st.integers(0, 30)

ACTIONS = st.one_of(
    st.tuples(st.just("ask"), *ORDER),
    st.tuples(st.just("bid"), *ORDER),
    st.tuples(st.sampled_from(["ask until", "bid until"]), st.just(A_MINUTE_MS), *ORDER),
    st.tuples(st.just("take"), SIDES, st.sampled_from(["IOC", "FOK"]), *ORDER),
    st.tuples(st.just("post"), SIDES, *ORDER),
    st.tuples(st.just("buy for"), st.integers(1, 80), QUANTITIES),
    st.tuples(st.just("sell at market"), QUANTITIES),
    st.tuples(st.just("cancel"), NUMBERS),
    st.tuples(st.just("reduce"), NUMBERS, QUANTITIES),
    st.tuples(st.just("replace"), NUMBERS, PRICES, QUANTITIES),
    st.tuples(st.just("expire"), NUMBERS),
    st.tuples(st.just("wait"), st.just(A_MINUTE_MS)),
)
TROUBLES = st.sampled_from(["crash before", "crash after", "lost answer", "throttle", "conflict"])
BATCHES = st.tuples(
    st.lists(ACTIONS, min_size=1, max_size=8),
    st.dictionaries(st.integers(0, 12), TROUBLES, max_size=3),  # by number of call
    st.none() | st.integers(0, 8),  # call before which it is paused while another invocation does the same work
    st.lists(NUMBERS, max_size=3),  # earlier records that it repeats
)


def act(trading: Trading, action: tuple[Any, ...]) -> None:
    """Do what the API lets a player do: what is asked of an order names one that the tables show as open."""
    verb, *arguments = action
    if verb in ("cancel", "reduce", "replace", "expire"):
        if not trading.orders:
            return
        number = arguments[0] % len(trading.orders) + 1
        state = trading.states()[number]
        if state.status in CLOSED:
            return
        if verb == "reduce" and not state.filled < arguments[1] < state.quantity:
            return
        if verb == "replace" and (number in trading.immediate or arguments[2] <= state.filled):
            return
        arguments[0] = number
    trading.step(verb, *arguments)


@settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    batches=st.lists(BATCHES, min_size=1, max_size=4),
    most_items=st.sampled_from([5, 7, 12, 100]),
    prevention=st.sampled_from(SelfTradePrevention),
)
def test_trouble_changes_nothing_and_everything_held_adds_up(
    open_market: Callable[[], MarketOnMoto],
    batches: list[tuple[list[tuple[Any, ...]], dict[int, str], int | None, list[int]]],
    most_items: int,
    prevention: SelfTradePrevention,
) -> None:
    def play(*, calm: bool) -> Trading:
        market = open_market()
        market.self_trade_prevention = prevention
        if not calm:
            market.after_call = lambda name: assert_accounted(market) if name == "transact_write_items" else None
        trading = Trading(market)
        for actions, troubles, paused_before, repeated in batches:
            before = len(market.records)
            for action in actions:
                act(trading, action)
            batch = market.records[before:]
            if calm:
                market.deliver_until_handled(batch)
                continue
            batch = [*batch, *(market.records[number] for number in repeated if number < len(market.records))]
            if paused_before is None:
                market.deliver_until_handled(batch, troubles)
            else:
                other = partial(market.deliver_until_handled, batch, troubles)
                market.deliver(batch, {paused_before: other})
                market.deliver_until_handled(batch)
        return trading

    with transactions_of(most_items):
        calm = play(calm=True)
        assert_accounted(calm.market)
        expected = (calm.states(), calm.fills())
        troubled = play(calm=False)
        assert (troubled.states(), troubled.fills()) == expected
        assert "PENDING" not in {state.status for state in expected[0].values()}
        before = troubled.market.tables()
        troubled.market.deliver_until_handled(troubled.market.records)
        assert troubled.market.tables() == before
        assert troubled.market.parked == []
