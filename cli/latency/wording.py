"""A run's figures in words, the same on the screen and in the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.latency.figures import GOAL_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency.clocks import ClockOffset
    from cli.latency.figures import Figures
    from cli.latency.samples import Run

_MOST_ALIKE = 8
_FEWEST_FOR_P99 = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about a run, and whether it is as it should be."""

    text: str
    sound: bool = True


def latency_text(value_ms: float) -> str:
    """Return milliseconds to one decimal below 10; `never` if infinite, a dash if there is none."""
    if math.isnan(value_ms):
        return "–"
    if math.isinf(value_ms):
        return "never"
    return f"{value_ms:.1f}" if abs(value_ms) < 10 else f"{value_ms:,.0f}"


def share_text(share: float) -> str:
    """Return a share as a percentage, never rounded up to all."""
    # A share such as 0.57 is a little less than 57 %, as a float.
    return f"{math.floor(round(share * 10_000, 6)) / 100:.2f} %"


def duration_text(minutes: float) -> str:
    """Return a duration in minutes, or in seconds if that is no whole number of minutes."""
    return f"{minutes:g} min" if float(minutes).is_integer() else f"{minutes * 60:.0f} s"


def clock_sentence(clock: ClockOffset | None) -> str:
    """Say how far hops between client and server may be off."""
    if clock is None:
        return "No servers' stamps tell how clocks stand to each other: hops that join client and server are left out."
    return (
        f"Whole ways are on this client's monotonic clock, hops between servers on the servers'. Hops between client "
        f"and server use an offset estimated from the smallest round trip: ± {clock.error_ms:.1f} ms, drift included."
    )


def findings_of(run: Run, figures: Figures) -> list[Finding]:
    """Say what was sent, what arrived, and what clients noticed."""
    detection = run.detection
    found = [
        Finding(
            f"{share_text(figures.share_under_goal)} of {figures.counted:,} mutations were with every client in under "
            f"{GOAL_MS} ms; {figures.lost:,} were lost",
            sound=figures.lost == 0,
        ),
        Finding(
            f"sent {len(run.samples):,} at {figures.achieved_per_s:.1f}/s of {run.rate_per_s:g}/s asked for, with "
            f"{run.cpu_share:.0%} of one core"
        ),
    ]
    if 0 < figures.counted < _FEWEST_FOR_P99:
        found.append(Finding(f"of fewer than {_FEWEST_FOR_P99} mutations p99 is the maximum"))
    if run.ended_early is not None:
        found.append(Finding(f"ended early, {run.unsent:,} were not sent: {run.ended_early}", sound=False))
    if figures.failed:
        found.append(
            Finding(
                f"{figures.failed:,} of them the market neither took nor refused by its rules: these are infinitely "
                "late, too",
                sound=False,
            )
        )
    if figures.unanswered:
        found.append(Finding(f"{figures.unanswered:,} requests got no answer", sound=False))
    found += _first([f"{times:,} × {reason}" for reason, times in figures.refusals])
    found.append(
        Finding(
            f"{run.players + len(run.watchers):,} clients received {detection.messages:,} messages and noticed "
            f"{detection.duplicates:,} duplicates and {detection.gaps:,} gaps"
        )
    )
    found += _first([f"unnoticed: {fault}" for fault in detection.undetected])
    if not detection.undetected:
        found.append(Finding("nothing was lost or repeated that a client could not notice"))
    return found + _first(run.troubles)


def _first(lines: Sequence[str]) -> list[Finding]:
    """Return findings that are not sound; of many, the first ones and how many more there are."""
    told = [Finding(line, sound=False) for line in lines[:_MOST_ALIKE]]
    if len(lines) > _MOST_ALIKE:
        told.append(Finding(f"… and {len(lines) - _MOST_ALIKE:,} more of that kind", sound=False))
    return told


def parameters_of(run: Run) -> list[tuple[str, str]]:
    """Return the run's circumstances, each with its name."""
    return [
        ("environment", run.environment),
        ("started", run.started_at),
        ("pattern", run.pattern),
        ("rate", f"{run.rate_per_s:g} mutations/s for {duration_text(run.minutes)}"),
        ("clients", f"{run.players} players on their own channels, {len(run.watchers)} watchers of every material"),
        ("seed", str(run.seed)),
    ]
