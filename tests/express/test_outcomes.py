"""Whatever the express lane loses, repeats, swaps or delays: every promise holds, and the outcome is the same."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from market.matching.rules import SelfTradePrevention
from tests.express.world import FATES, ExpressMarket
from tests.whole_market.proof import assert_every_promise, contents
from tests.whole_market.test_interleavings import asking, placing, rounds
from tests.whole_market.trading import A_MINUTE_MS, opened
from tests.whole_market.world import WholeMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.whole_market.trading import Step

LANES: Final = {
    "all arrive": ("straight",),
    "drop all": ("lost",),
    "drop half": ("straight", "lost"),
    "duplicate all": ("twice",),
    "reorder": ("swapped", "straight"),
    "behind the pipe": ("late",),
    "refuse all": ("refused",),
    "answer nothing": ("silent",),
    "lose all answers": ("answer lost",),
}

some_fates = st.sampled_from(sorted(LANES)).map(LANES.__getitem__) | st.lists(
    st.sampled_from(FATES), min_size=1, max_size=12
)


@settings(max_examples=3)
@given(
    days=st.lists(rounds, min_size=1, max_size=2),
    fates=some_fates,
    most_items=st.sampled_from([6, 100]),
    most_remembered=st.sampled_from([0, 2, 20_000]),
    prevention=st.sampled_from(SelfTradePrevention),
)
def test_every_promise_holds_whatever_becomes_of_the_express_lane(
    days: list[list[tuple[Any, Any]]],
    fates: Sequence[str],
    most_items: int,
    most_remembered: int,
    prevention: SelfTradePrevention,
) -> None:
    """Each order once, at the best price there was, also with trouble at any call and beside any other step."""
    for lane in (*map(LANES.__getitem__, ("drop all", "drop half", "duplicate all", "reorder")), fates):
        build = partial(ExpressMarket, fates=lane, most_remembered=most_remembered)
        with opened(most_items, prevention=prevention, build=build) as trading:
            assert_every_promise(trading, days)


requests = st.lists(st.one_of(placing, placing, placing, asking), min_size=6, max_size=20)


def _outcome(build: Callable[[SelfTradePrevention], WholeMarket], steps: Sequence[Step]) -> dict[str, Any]:
    """Do steps, each of which the matcher is done with before the next: then all lanes have one order of arrival."""
    with opened(build=build) as trading:
        trading.market.clock.step_ms = 0  # the same times, however often they are asked for
        for step in steps:
            trading.market.clock.now_ms += 1
            trading.step(step)
            trading.match()
        for _ in range(2):
            trading.wait(A_MINUTE_MS)
            trading.expire()
            trading.match()
        assert trading.market.stream.is_empty
        trading.submit()
        trading.settle()
        trading.collect()
        found = contents(trading.market)
        for item in chain.from_iterable(found.values()):
            item.pop("write_id", None)  # random
            hops = item.get("hops")
            if isinstance(hops, dict):
                cast("dict[str, int]", hops).pop("put_at_ms", None)  # the only sign of the lane
        return found


@settings(max_examples=3)
@given(steps=requests, fates=st.lists(st.sampled_from(FATES), min_size=2, max_size=12))
def test_with_the_same_order_of_arrival_the_outcome_is_that_without_an_express_lane(
    steps: Sequence[Step], fates: Sequence[str]
) -> None:
    expected = _outcome(WholeMarket, steps)
    for lane in (*LANES.values(), fates):
        assert _outcome(partial(ExpressMarket, fates=lane), steps) == expected, lane


@settings(max_examples=5)
@given(days=st.lists(rounds, min_size=1, max_size=2))
def test_the_express_lane_carries_what_the_pipes_carry(days: list[list[tuple[Any, Any]]]) -> None:
    """Each change once, also of what was repeated: an order is put by the request that stored it, and no other."""
    with opened(build=ExpressMarket) as trading:
        market = trading.market
        assert isinstance(market, ExpressMarket)
        for step, _ in chain.from_iterable(days):
            trading.step(step)
        trading.finish()
        assert sorted(map(_content, market.lanes.put)) == sorted(
            _content(record) for record in market.lanes.piped if not _is_the_matchers(record)
        )
        for record in market.lanes.put:
            image, trace = record["dynamodb"]["NewImage"], record["trace"]
            assert (record["eventSource"], record["key"]) == ("market:express", image["material"]["S"])
            assert {name: type(value) for name, value in trace.items()} == {
                "trace_id": str,
                "received_at_ms": int,
                "put_at_ms": int,
            }
            if record["eventName"] == "INSERT":
                assert image["trace_id"]["S"] == trace["trace_id"]


def _is_the_matchers(record: dict[str, Any]) -> bool:
    """Whether a record tells of an ask that the matcher has put into the book: the pipe tells asks by their table."""
    image = record["dynamodb"]["NewImage"]
    return "price_key" in image and "trace_id" not in image


def _content(record: dict[str, Any]) -> str:
    change = record["dynamodb"]
    return repr(
        (
            record["key"],
            record["eventName"],
            sorted(change["Keys"].items()),
            sorted(change["NewImage"].items()),
        )
    )
