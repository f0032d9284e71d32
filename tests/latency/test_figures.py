"""From samples to figures: a stall is in them, a loss is in them, hops add up to the way."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.latency.figures import GOAL_MS, LAST_CLIENT, figures_of, way_of
from cli.latency.patterns import Pattern, due_times_ms
from cli.latency.stages import hops_of
from cli.latency.statistics import summarize
from tests.latency.ways import WATCHERS, WAY_MS, mutation, run_of

if TYPE_CHECKING:
    from cli.latency.samples import Sample

STALL_START_MS, STALL_END_MS = 20_000.0, 22_000.0
CONNECTIONS = 8


def stalled_market() -> list[Sample]:
    """A minute at 50/s against a market that answers nothing for two seconds, over a bounded number of connections."""
    free_at = [0.0] * CONNECTIONS
    samples: list[Sample] = []
    for number, due in enumerate(due_times_ms(Pattern.STEADY, rate_per_s=50, duration_s=60)):
        connection = free_at.index(min(free_at))
        sent = max(due, free_at[connection])
        started = STALL_END_MS if STALL_START_MS <= sent < STALL_END_MS else sent
        there = started - sent + WAY_MS[0]
        samples.append(mutation(number, due, sent_ms=sent, way_ms=(there, *WAY_MS[1:])))
        free_at[connection] = samples[-1].answered_ms or math.inf
    return samples


def test_a_stalled_market_shows_in_the_figures_although_little_is_sent_meanwhile() -> None:
    samples = stalled_market()
    figures = figures_of(run_of(samples))
    due_in_the_stall = sum(STALL_START_MS <= sample.due_ms < STALL_END_MS for sample in samples)
    late = sum(sample.whole_ms(WATCHERS) >= GOAL_MS for sample in samples)
    # What one would see by starting the clock at sending: only those that hang on the few connections are late.
    from_sending = [sample.whole_ms(WATCHERS) - (sample.sent_ms - sample.due_ms) for sample in samples]
    assert sum(latency >= GOAL_MS for latency in from_sending) == CONNECTIONS
    assert summarize(from_sending).p99_ms < GOAL_MS
    assert late >= due_in_the_stall * 0.8
    assert figures.whole.p99_ms > 1000
    assert figures.share_under_goal == pytest.approx(1 - late / len(samples))
    assert max(figures.spells, key=lambda spell: spell.latencies.p50_ms).start_ms == STALL_START_MS
    waiting = next(hop for hop in figures.hops if hop.label == "due → sent")
    assert waiting.latencies.p99_ms > 1000


def test_a_mutation_that_one_client_never_heard_of_is_lost_and_infinitely_late() -> None:
    samples = [mutation(number, number * 20) for number in range(98)]
    samples.append(mutation(98, 2000, missed_by=[WATCHERS[1]]))
    samples.append(mutation(99, 2020, missed_by=["player 0"]))
    figures = figures_of(run_of(samples))
    assert (figures.counted, figures.lost) == (100, 2)
    assert figures.whole.max_ms == figures.whole.p99_ms == math.inf
    assert figures.share_under_goal == 0.98
    assert figures.own.p90_ms < GOAL_MS


def test_refused_mutations_are_counted_by_reason_and_in_no_latency() -> None:
    refused = replace(
        mutation(1, 20), order_id=None, refusal="refused (409): no goods", receipts={}, told_ms=None, stamps={}
    )
    unanswered = replace(mutation(2, 40), order_id=None, answered_ms=None, receipts={}, told_ms=None, stamps={})
    seen = replace(mutation(3, 60), order_id=None, answered_ms=None)
    figures = figures_of(run_of([mutation(0, 0), refused, unanswered, seen]))
    assert figures.refusals == (("refused (409): no goods", 1),)
    assert figures.unanswered == 2
    assert figures.counted == 2
    assert figures.lost == 0


def test_hops_add_up_to_the_way_whatever_stamps_are_missing() -> None:
    complete = mutation(0, 0)
    for left_out in [
        (),
        ("put_at_ms",),
        ("committed_at_ms",),
        ("received_at_ms", "sequenced_at_ms"),
        tuple(complete.stamps),
    ]:
        stamps = {name: value for name, value in complete.stamps.items() if name not in left_out}
        sample = replace(complete, stamps=stamps)
        way = way_of(sample, run_of([complete]).clock_offset())
        assert sum(way[end] - way[start] for start, end in hops_of(way)) == pytest.approx(sample.own_ms)


def test_each_hop_has_the_figures_it_was_made_with() -> None:
    hops = {hop.label: hop for hop in figures_of(run_of(mutation(number, number * 20) for number in range(50))).hops}
    expected = dict(
        zip(
            [
                "client → gateway",
                "gateway → API",
                "API store",
                "put → sequenced",
                "sequenced → matched",
                "matched → committed",
                "committed → published",
                "published → received",
                LAST_CLIENT,
            ],
            [*WAY_MS, 5.0, 7.0],
            strict=True,
        )
    )
    for label, latency_ms in expected.items():
        # Between client and server as good as half the smallest round trip: 7 ms here.
        assert hops[label].latencies.p50_ms == pytest.approx(
            latency_ms, abs=4 if "client" in label or "received" in label else 1
        )
    assert list(hops) == ["due → sent", *expected]


def test_without_servers_stamps_the_whole_way_is_known_all_the_same() -> None:
    figures = figures_of(run_of(replace(mutation(number, number * 20), stamps={}) for number in range(5)))
    assert figures.clock is None
    assert figures.whole.p50_ms == figures_of(run_of(mutation(number, number * 20) for number in range(5))).whole.p50_ms
    assert [hop.label for hop in figures.hops] == ["due → sent", "sent → received"]


def test_a_run_without_mutations_has_figures() -> None:
    figures = figures_of(run_of([]))
    assert (figures.counted, figures.lost, figures.share_under_goal) == (0, 0, 0)


def test_no_bar_of_the_distribution_reaches_across_the_goal() -> None:
    for back_ms in (5, 20_000):
        bins = figures_of(run_of(mutation(number, number * 20, back_ms=back_ms) for number in range(50))).bins
        assert not any(bar.from_ms < GOAL_MS < bar.to_ms for bar in bins)
        assert sum(bar.count for bar in bins) == 50
