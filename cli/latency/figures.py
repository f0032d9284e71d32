"""From a run's samples to its figures. Pure: the same samples give the same figures.

A latency starts when the mutation was *due*, not when it was sent: if the market or this client stalls, what had to
wait for it is late too, instead of missing from the figures ("coordinated omission", Gil Tene, "How NOT to Measure
Latency", 2015). A mutation that a client never heard of is infinitely late and counts in every percentile and share,
and so does one that the market failed to take: no answer, an error, too many requests. Only what the market refuses by
its rules is left out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.latency.stages import DUE, RECEIVED, SENT, WAY, Hop, hops_of, in_order, label_of, on_client_clock
from cli.latency.statistics import Bin, Spell, Summary, bin_edges, histogram, over_time, share_under, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency.clocks import ClockOffset
    from cli.latency.samples import Run, Sample

GOAL_MS: Final = 300
"""From the client's request to every client's receipt."""

LAST_CLIENT = "published → last client"

_MOST_SPELLS = 120
_SHORTEST_SPELL_MS = 1_000.0
_BINS = 40


@dataclass(frozen=True, slots=True)
class HopFigures:
    """A hop's latencies.

    Attributes
    ----------
    label
        Its name for people.
    latencies
        Of the mutations that are known to have taken it.
    start_p50_ms
        Median of when it started, since the mutation was due.
    """

    label: str
    latencies: Summary
    start_p50_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A run's figures.

    Attributes
    ----------
    whole, own
        From due to the last client's receipt, and to that of the mutation's player.
    answer
        From due to the answer of the request.
    share_under_goal
        Share of the counted mutations that were with every client in less than `GOAL_MS`, 0..1.
    counted
        Mutations that every client should have heard of.
    lost
        Those of them that the market took, and that some client never heard of.
    failed
        Those of them that the market neither took nor refused by its rules.
    refusals
        Reason → how often.
    unanswered
        Requests without an answer.
    achieved_per_s
        Requests sent by the time the last one was, a second.
    hops
        In the order of the way.
    clock
        None if no stamps tell: then hops that join client and server are left out.
    spells, bins
        Whole way over time and its histogram.
    """

    whole: Summary
    own: Summary
    answer: Summary
    share_under_goal: float
    counted: int
    lost: int
    failed: int
    refusals: tuple[tuple[str, int], ...]
    unanswered: int
    achieved_per_s: float
    hops: tuple[HopFigures, ...]
    clock: ClockOffset | None
    spells: tuple[Spell, ...]
    bins: tuple[Bin, ...]


def figures_of(run: Run) -> Figures:
    """Return the figures of a run."""
    counted = [sample for sample in run.samples if sample.counts]
    whole = [sample.whole_ms(run.watchers) for sample in counted]
    arrived = [latency for latency in whole if math.isfinite(latency)]
    clock = run.clock_offset()
    points = [(sample.due_ms, latency) for sample, latency in zip(counted, whole, strict=True)]
    spell_ms = max(_SHORTEST_SPELL_MS, run.minutes * 60_000 / _MOST_SPELLS)
    # One slow straggler must not squeeze everything else into the first bar: the last bar is open.
    edges = sorted({*bin_edges(max(2 * GOAL_MS, summarize(arrived).p99_ms if arrived else 0), _BINS), float(GOAL_MS)})
    return Figures(
        whole=summarize(whole),
        own=summarize(sample.own_ms for sample in counted),
        answer=summarize(
            (math.inf if sample.answered_ms is None else sample.answered_ms) - sample.due_ms for sample in run.samples
        ),
        share_under_goal=share_under(whole, GOAL_MS),
        counted=len(counted),
        lost=sum(sample.taken and math.isinf(late) for sample, late in zip(counted, whole, strict=True)),
        failed=sum(not sample.taken for sample in counted),
        refusals=tuple(Counter(sample.refusal for sample in run.samples if sample.refusal).most_common()),
        unanswered=sum(sample.answered_ms is None for sample in run.samples),
        achieved_per_s=_rate(run.samples),
        hops=tuple(_hops(counted, run.watchers, clock)),
        clock=clock,
        spells=tuple(over_time(points, spell_ms)),
        bins=tuple(histogram(whole, edges)),
    )


def _rate(samples: Sequence[Sample]) -> float:
    if len(samples) < 2:
        return 0.0
    sent = sorted(sample.sent_ms for sample in samples)
    return (len(sent) - 1) * 1000 / max(sent[-1] - sent[0], 1e-9)


def _hops(samples: Sequence[Sample], watchers: Sequence[str], clock: ClockOffset | None) -> list[HopFigures]:
    latencies: defaultdict[Hop, list[float]] = defaultdict(list)
    starts: defaultdict[Hop, list[float]] = defaultdict(list)
    to_last: list[tuple[float, float]] = []
    for sample in samples:
        stamps = way_of(sample, clock)
        for start, end in hops_of(stamps):
            latencies[start, end].append(stamps[end] - stamps[start])
            starts[start, end].append(stamps[start] - sample.due_ms)
        if watchers and "published_at_ms" in stamps:
            whole_ms = sample.whole_ms(watchers)
            published_ms = stamps["published_at_ms"] - sample.due_ms
            to_last.append((published_ms, whole_ms - published_ms))
    hops = [
        HopFigures(label_of(hop), summarize(latencies[hop]), summarize(starts[hop]).p50_ms)
        for hop in sorted(latencies, key=in_order)
    ]
    if to_last:
        after, latency = zip(*to_last, strict=True)
        hops.append(HopFigures(LAST_CLIENT, summarize(latency), summarize(after).p50_ms))
    return hops


def way_of(sample: Sample, clock: ClockOffset | None) -> dict[str, float]:
    """Return when a mutation passed each stamp, as far as known, in the order of the way and on the client's clock.

    Parameters
    ----------
    sample
        The mutation.
    clock
        None if unknown: then only the client's own stamps are returned.
    """
    known = {DUE: sample.due_ms, SENT: sample.sent_ms}
    if clock is not None:
        known |= on_client_clock(sample.stamps, clock)
    if sample.received_ms is not None:
        known[RECEIVED] = sample.received_ms
    return {name: known[name] for name in WAY if name in known}
