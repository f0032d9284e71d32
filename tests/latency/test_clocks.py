"""Skewed clocks: whatever a client's clock says, the figures are the same, and the stated bound of the error holds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.latency.clocks import ClockOffset, Exchange, estimate_offset
from cli.latency.figures import figures_of
from tests.latency.ways import mutation, run_of

YEAR_MS = 366 * 24 * 3_600_000


def ways(random: Random) -> list[tuple[float, ...]]:
    return [tuple(random.uniform(0.1, 80) for _ in range(7)) for _ in range(30)]


@given(st.integers(-YEAR_MS, YEAR_MS), st.integers(0, 99))
def test_no_figure_moves_with_the_clients_clock(skew_ms: int, seed: int) -> None:
    told = ways(Random(seed))
    true, skewed = (
        figures_of(run_of(mutation(number, number * 20, way_ms=way, skew_ms=skew) for number, way in enumerate(told)))
        for skew in (0, skew_ms)
    )
    assert skewed.whole == true.whole
    assert skewed.own == true.own
    assert skewed.share_under_goal == true.share_under_goal
    for moved, kept in zip(skewed.hops, true.hops, strict=True):
        assert moved.label == kept.label
        # A float near 1.8e12 resolves a quarter of a microsecond.
        assert abs(moved.latencies.p50_ms - kept.latencies.p50_ms) < 0.01
        assert abs(moved.latencies.max_ms - kept.latencies.max_ms) < 0.01


DELAYS = st.floats(0, 500)


@given(st.integers(-YEAR_MS, YEAR_MS), st.lists(st.tuples(DELAYS, DELAYS, DELAYS), min_size=1))
def test_the_true_offset_is_within_the_stated_error(offset_ms: int, delays: list[tuple[float, float, float]]) -> None:
    exchanges: list[Exchange] = []
    for number, (there, work, back) in enumerate(delays):
        sent = number * 1000.7
        first, last = sent + there + offset_ms, sent + there + work + offset_ms
        exchanges.append(Exchange(sent, sent + there + work + back, int(first // 1), int(last // 1)))
    estimated = estimate_offset(exchanges)
    assert estimated is not None
    assert abs(estimated.offset_ms - offset_ms) <= estimated.error_ms + 0.01
    smallest = min(there + back for there, _, back in delays)
    assert estimated.error_ms <= (smallest + 2) / 2 + 0.01


def test_a_stamp_is_taken_for_the_middle_of_its_millisecond() -> None:
    # A clock whose offset is known stamps ten moments of each millisecond: on average nothing is off.
    offset = ClockOffset(5_000.0, 0.0)
    moments = [number / 10 for number in range(1000)]
    errors = [offset.on_client(int(moment + 5_000)) - moment for moment in moments]
    assert sum(errors) / len(errors) == pytest.approx(0, abs=0.06)
    assert (offset.on_client(7_000), offset.on_server(2_000.5)) == (2_000.5, 7_000)


def test_a_slow_way_there_does_not_move_the_estimate_while_one_exchange_was_quick() -> None:
    quick = Exchange(1000.0, 1004.0, 51_002, 51_002)
    slow = Exchange(2000.0, 3000.0, 52_990, 52_990)
    assert estimate_offset([slow, quick, slow]) == estimate_offset([quick])


@given(st.floats(-300, 300), DELAYS, DELAYS)
def test_a_clock_that_drifts_during_the_run_widens_the_error(drift_ms: float, there: float, back: float) -> None:
    exchanges = [
        Exchange(sent, sent + there + back, first, first)
        for number in range(100)
        for sent in [number * 1000.0]
        for first in [int((sent + there + 5_000 + drift_ms * number / 99) // 1)]
    ]
    estimated = estimate_offset(exchanges)
    assert estimated is not None
    for true_ms in (5_000, 5_000 + drift_ms):
        # An exchange proves no more than that the offset was within its own round trip.
        assert abs(estimated.offset_ms - true_ms) <= estimated.error_ms + there + back + 1.01
    assert estimated.error_ms <= abs(drift_ms) + (there + back + 2) / 2 + 0.01


def test_an_exchange_that_no_offset_explains_tells_nothing() -> None:
    sound = Exchange(1000.0, 1004.0, 51_002, 51_002)
    # A server's clock was set forward by a second between its first and its last stamp.
    impossible = Exchange(2000.0, 2010.0, 52_005, 53_005)
    assert estimate_offset([impossible, sound]) == estimate_offset([sound])
    assert estimate_offset([impossible]) is None


def test_without_exchanges_nothing_is_estimated() -> None:
    assert estimate_offset([]) is None
