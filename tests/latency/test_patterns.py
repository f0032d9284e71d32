"""When mutations are due: the mean rate is kept, and each pattern moves as it says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.latency.patterns import BURST_FACTOR, BURST_PERIOD_S, Pattern, due_times_ms


@given(st.sampled_from(Pattern), st.floats(0.5, 200), st.floats(1, 60))
def test_every_pattern_keeps_the_mean_rate_within_the_run(pattern: Pattern, rate: float, duration_s: float) -> None:
    due = due_times_ms(pattern, rate_per_s=rate, duration_s=duration_s)
    assert len(due) == max(1, round(rate * duration_s))
    assert all(earlier <= later for earlier, later in pairwise(due))
    assert due[0] >= 0
    assert due[-1] <= duration_s * 1000


def in_stretches(pattern: Pattern, stretches: int, rate: float = 50, duration_s: float = 120) -> list[float]:
    """Rate of each stretch, as a multiple of the mean."""
    due = due_times_ms(pattern, rate_per_s=rate, duration_s=duration_s)
    length_ms = duration_s * 1000 / stretches
    counts = [0] * stretches
    for moment in due:
        counts[min(stretches - 1, int(moment // length_ms))] += 1
    return [count * stretches / len(due) for count in counts]


def test_steady_is_the_same_all_the_time() -> None:
    assert in_stretches(Pattern.STEADY, 120) == [1.0] * 120


def test_bursts_are_short_and_return() -> None:
    rates = in_stretches(Pattern.BURST, 240)
    bursts = [number for number, rate in enumerate(rates) if rate > BURST_FACTOR - 1]
    assert len(bursts) == 24
    per_period = int(BURST_PERIOD_S * 2)
    assert {number % per_period for number in bursts} == {bursts[0] % per_period, bursts[1] % per_period}
    assert all(rate < 1 for number, rate in enumerate(rates) if number not in bursts)


@pytest.mark.parametrize("pattern", Pattern)
def test_the_highest_rate_is_the_one_a_pattern_tells(pattern: Pattern) -> None:
    assert max(in_stretches(pattern, 600, rate=500)) == pytest.approx(pattern.peak_factor, rel=0.05)


def test_an_auction_ends_at_its_highest_rate() -> None:
    rates = in_stretches(Pattern.AUCTION_CLOSE, 12)
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.5, abs=0.05)
    assert rates[-1] > 2
