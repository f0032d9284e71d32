"""Quantile functions: through their data, never falling, within their ends."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.latency_model.distributions import Latency, between
from cli.latency_model.hops import Basis, hop_figures, transaction_figures


@st.composite
def latencies(draw: st.DrawFn) -> Latency:
    percents = sorted(draw(st.sets(st.integers(1, 99), min_size=2, max_size=6)))
    steps = draw(st.lists(st.floats(1, 3), min_size=len(percents), max_size=len(percents)))
    milliseconds = [draw(st.floats(0.1, 100))]
    for step in steps[1:]:
        milliseconds.append(milliseconds[-1] * step)
    lowest = draw(st.sampled_from([0.0, milliseconds[0]]))
    highest = draw(st.sampled_from([math.inf, milliseconds[-1]]))
    return Latency(dict(zip(map(float, percents), milliseconds, strict=True)), lowest, highest)


@given(latencies(), st.lists(st.floats(0.001, 99.999), min_size=2))
def test_a_quantile_function_goes_through_its_data_and_never_falls(latency: Latency, percents: list[float]) -> None:
    for percent, milliseconds in latency.percentiles.items():
        assert latency.quantile(percent) == pytest.approx(milliseconds)
    drawn = [latency.quantile(percent) for percent in sorted(percents)]
    assert all(earlier <= later * (1 + 1e-12) for earlier, later in pairwise(drawn))
    assert all(latency.lowest_ms <= value <= latency.highest_ms for value in drawn)


@given(latencies(), st.floats(0.5, 8), st.floats(0.1, 99.9))
def test_code_that_has_less_of_a_core_takes_longer_at_every_percentile(
    latency: Latency, factor: float, percent: float
) -> None:
    assert latency.times(factor).quantile(percent) == pytest.approx(factor * latency.quantile(percent))


@pytest.mark.parametrize(
    ("percentiles", "lowest_ms", "complaint"),
    [
        ({50.0: 10.0}, 0.0, "two at least"),
        ({50.0: 10.0, 10.0: 20.0}, 0.0, "must ascend"),
        ({0.0: 10.0, 50.0: 20.0}, 0.0, "between 0 and 100"),
        ({50.0: 10.0, 100.0: 20.0}, 0.0, "between 0 and 100"),
        ({50.0: 10.0, 99.0: 9.0}, 0.0, "ascend with their percentiles"),
        ({50.0: 0.0, 99.0: 9.0}, 0.0, "above 0"),
        ({50.0: 10.0, 99.0: 20.0}, 11.0, "must be within"),
    ],
)
def test_points_that_are_no_quantile_function_are_refused(
    percentiles: dict[float, float], lowest_ms: float, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Latency(percentiles, lowest_ms)


@pytest.mark.parametrize(
    ("key", "published"),
    [
        # bitesizedserverless.com, "Serverless Messaging: Latency Compared", table "Latency test results"
        ("kinesis_fan_out", {10: 28.8, 50: 49.4, 90: 67.5, 99: 109}),
        ("kinesis_polled", {10: 267, 50: 627, 90: 965, 99: 1580}),
        ("table_stream_polled", {10: 118, 50: 213, 90: 341, 99: 552}),
        # github.com/alexdebrie/dynamodb-performance-testing, put-batch-transaction-performance, "Results"
        ("transaction_5", {50: 25.3, 90: 30.7, 95: 36.4, 99: 92.5}),
        ("transaction_25", {50: 32.1, 90: 40.5, 95: 47.2, 99: 97.5}),
    ],
)
def test_the_published_figures_come_back(key: str, published: dict[int, float]) -> None:
    figures = hop_figures()[key]
    assert figures.basis is Basis.PUBLISHED
    assert figures.year is not None
    assert {percent: figures.latency.quantile(percent) for percent in published} == pytest.approx(published)


def test_bounded_figures_keep_the_bound_that_their_source_gives() -> None:
    bounded = {
        key: figures.latency.percentiles for key, figures in hop_figures().items() if figures.basis is Basis.BOUNDED
    }
    assert bounded.keys() == {"http_api", "one_way_fixed", "invoke", "cold_start", "batch_window"}
    assert bounded["http_api"][99] <= 10
    assert bounded["one_way_fixed"][80] <= 20 / 2, "half of a round trip"
    assert bounded["invoke"][50] < 25, "a part of the whole call"
    assert 100 <= bounded["cold_start"][50] <= bounded["cold_start"][99] <= 1000
    assert {*bounded["batch_window"].values()} == {1000}


def test_every_distribution_says_what_it_covers_and_where_it_is_from() -> None:
    assert [key for key, figures in hop_figures().items() if len(figures.what) < 20 or len(figures.source) < 20] == []


def test_a_transaction_takes_longer_the_more_items_it_has() -> None:
    transactions = [transaction_figures(items).latency for items in (1, 5, 15, 25, 100)]
    assert [latency.quantile(99) for latency in transactions] == pytest.approx([92.5, 92.5, 95, 97.5, 116.25])
    assert [latency.lowest_ms for latency in transactions] == pytest.approx([19.4, 19.4, 21.45, 23.5, 38.875])
    assert [latency.highest_ms for latency in transactions] == pytest.approx([218, 218, 238, 258, 408])


def test_only_distributions_of_the_same_percentiles_are_interpolated() -> None:
    with pytest.raises(ValueError, match="percentiles differ"):
        between(Latency({50.0: 1.0, 99.0: 2.0}), Latency({50.0: 1.0, 90.0: 2.0}), 0.5)
