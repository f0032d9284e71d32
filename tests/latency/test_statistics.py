"""The figures: nearest rank, nothing invented, nothing left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.latency.statistics import bin_edges, histogram, over_time, percentile, share_under, summarize

LATENCIES = st.lists(st.floats(0, 1e6) | st.just(math.inf), min_size=1)


@pytest.mark.parametrize(("percent", "expected"), [(0, 15), (5, 15), (30, 20), (40, 20), (50, 35), (99, 50), (100, 50)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    # The worked example of https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method
    assert percentile([15, 20, 35, 40, 50], percent) == expected


@given(LATENCIES, st.integers(0, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], percent: int) -> None:
    rising = sorted(values)
    found = percentile(rising, percent)
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert found == rising[0] or sum(value < found for value in values) * 100 < percent * len(values)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_a_percentile_that_does_not_exist_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        percentile(values, percent)


@given(LATENCIES, st.randoms())
def test_figures_do_not_depend_on_the_order(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    summary = summarize(shuffled)
    assert summary == summarize(values)
    assert summary.count == len(values)
    assert min(values) <= summary.p50_ms <= summary.p90_ms <= summary.p99_ms <= summary.max_ms == max(values)


def test_no_latencies_have_no_figures() -> None:
    assert summarize([]).count == 0
    assert math.isnan(summarize([]).p99_ms)
    assert share_under([], 300) == 0


def test_what_never_arrived_counts_in_every_figure() -> None:
    values = [10.0] * 97 + [math.inf] * 3
    assert summarize(values).p90_ms == 10
    assert summarize(values).p99_ms == math.inf
    assert share_under(values, 300) == 0.97
    assert share_under([299.9, 300.0, 300.1, math.inf], 300) == 0.25


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1, 1e6), st.integers(1, 60))
def test_a_histogram_counts_every_value_once_in_its_bin(values: list[float], largest: float, bins: int) -> None:
    edges = bin_edges(largest, bins)
    bars = histogram(values, edges)
    assert sum(bar.count for bar in bars) == len(values)
    for bar in bars:
        assert bar.count == sum(bar.from_ms <= value < bar.to_ms for value in values)
    assert edges[-1] >= largest
    assert len(edges) <= bins + 2


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e4))), st.floats(10, 1e4))
def test_stretches_of_time_hold_every_point_once(points: list[tuple[float, float]], spell_ms: float) -> None:
    spells = over_time(points, spell_ms)
    assert sum(spell.latencies.count for spell in spells) == len(points)
    assert [spell.start_ms for spell in spells] == sorted({int(due // spell_ms) * spell_ms for due, _ in points})
