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
    other = replace(refused, refusal="refused (409): another")
    figures = figures_of(run_of([mutation(0, 0), other, refused, refused]))
    assert figures.refusals == (("refused (409): no goods", 2), ("refused (409): another", 1)), (
        "the most frequent first"
    )
    assert (figures.counted, figures.lost, figures.failed, figures.share_under_goal) == (1, 0, 0, 1.0)


def test_what_the_market_failed_to_take_is_infinitely_late_and_not_lost() -> None:
    failed = replace(mutation(1, 20), order_id=None, receipts={}, told_ms=None, stamps={}, failed=True)
    error = replace(failed, refusal="refused (503): busy")
    unanswered = replace(failed, answered_ms=None)
    seen = replace(mutation(3, 60), order_id=None, answered_ms=None, failed=True)
    half_seen = replace(seen, receipts={"player 0": 80.0})
    figures = figures_of(run_of([mutation(0, 0), error, unanswered, seen, half_seen]))
    assert (figures.counted, figures.failed, figures.unanswered, figures.lost) == (5, 2, 3, 1)
    assert figures.share_under_goal == 0.4
    assert figures.whole.p50_ms == figures.answer.max_ms == math.inf
    assert (figures.answer.count, figures.answer.p50_ms) == (5, math.inf)
    assert figures.refusals == (("refused (503): busy", 1),)


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


def test_a_message_that_is_quicker_than_the_answer_tells_more_of_the_clocks() -> None:
    clock = figures_of(run_of([mutation(0, 0, answer_ms=500)])).clock
    assert clock is not None
    assert clock.error_ms <= 6


def test_the_time_that_servers_worked_is_no_doubt_about_the_clocks() -> None:
    busy = replace(mutation(0, 0, way_ms=(4, 3, 900, 6, 12, 15, 2)), told_ms=None)
    clock = figures_of(run_of([busy])).clock
    assert clock is not None
    assert clock.error_ms <= 5


def test_mutations_that_are_sent_late_move_their_hops_and_lengthen_none() -> None:
    run = run_of(mutation(number, number * 20, sent_ms=number * 20 + 100) for number in range(101))
    figures = figures_of(run)
    assert figures.achieved_per_s == pytest.approx(50)
    hops = {hop.label: (hop.start_p50_ms, hop.latencies.p50_ms) for hop in figures.hops}
    published_ms = 100 + sum(WAY_MS)
    assert hops["due → sent"] == (0, 100)
    assert hops["client → gateway"] == (100, pytest.approx(WAY_MS[0], abs=4))
    assert hops["sequenced → matched"] == (pytest.approx(100 + sum(WAY_MS[:4]), abs=5), WAY_MS[4])
    assert hops[LAST_CLIENT] == (pytest.approx(published_ms, abs=5), pytest.approx(7, abs=5))
    assert figures.whole.p50_ms == pytest.approx(published_ms + 7)


def test_the_last_hop_ends_with_the_message_that_told_the_stamps() -> None:
    # The player had heard of the order before, from the one that it traded with.
    heard = replace(mutation(0, 0), receipts={**mutation(0, 0).receipts, "player 0": 20.0})
    hops = {hop.label: hop.latencies.p50_ms for hop in figures_of(run_of([heard])).hops}
    assert hops["published → received"] == pytest.approx(5.0, abs=4)
    assert figures_of(run_of([heard])).own.p50_ms == 20.0


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


@pytest.mark.parametrize(("minutes", "spell_ms"), [(0.5, 1_000), (2, 1_000), (50, 25_000)])
def test_a_long_run_is_plotted_in_longer_stretches(minutes: float, spell_ms: float) -> None:
    mutations = [mutation(number, number * minutes * 600) for number in range(100)]
    starts = [spell.start_ms for spell in figures_of(run_of(mutations, minutes=minutes)).spells]
    assert len(starts) <= 120
    assert all(start % spell_ms == 0 for start in starts)


def test_no_bar_of_the_distribution_reaches_across_the_goal() -> None:
    for back_ms in (5, 20_000):
        bins = figures_of(run_of(mutation(number, number * 20, back_ms=back_ms) for number in range(50))).bins
        assert not any(bar.from_ms < GOAL_MS < bar.to_ms for bar in bins)
        assert sum(bar.count for bar in bins) == 50
        assert bins[-1].from_ms >= 2 * GOAL_MS, "runs that are fast look fast"
