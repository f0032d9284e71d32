"""Made-up mutations whose way is known, as clients with any clock would have seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.latency.samples import Run, Sample
from cli.latency.stages import HOPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WATCHERS = ("watcher 1", "watcher 2")

WAY_MS = (4.0, 3.0, 9.0, 6.0, 12.0, 15.0, 2.0)
"""From sent to each of the servers' stamps: client → gateway, and so on."""

EPOCH_MS = 1_795_000_000_000


def mutation(
    number: int,
    due_ms: float,
    *,
    sent_ms: float | None = None,
    skew_ms: float = 0.0,
    way_ms: Sequence[float] = WAY_MS,
    back_ms: float = 5.0,
    answer_ms: float = 3.0,
    missed_by: Iterable[str] = (),
) -> Sample:
    """One mutation's sample.

    `skew_ms` is how far the client's clock is behind; `way_ms` the true hops, `back_ms` from published to each
    receipt, 1 ms later for each further client; `answer_ms` from the put to the answer.
    """
    sent = due_ms if sent_ms is None else sent_ms
    true_ms = sent
    stamps: dict[str, int] = {}
    for name, hop_ms in zip(HOPS, way_ms, strict=True):
        true_ms += hop_ms
        stamps[name] = int(true_ms + skew_ms + EPOCH_MS)
    clients = (f"player {number % 3}", *WATCHERS)
    receipts = {client: true_ms + back_ms + late for late, client in enumerate(clients) if client not in missed_by}
    return Sample(
        trace_id=f"{number + 1:032x}",
        side="SELL" if number % 2 else "BUY",
        material="copper",
        player=clients[0],
        due_ms=due_ms,
        sent_ms=sent,
        answered_ms=sent + sum(way_ms[:3]) + answer_ms,
        order_id=f"order-{number}",
        refusal=None,
        failed=False,
        stamps=stamps,
        told_ms=receipts.get(clients[0]),
        receipts=receipts,
        own_client=clients[0],
    )


def run_of(samples: Iterable[Sample], *, minutes: float = 1) -> Run:
    """A run of these samples."""
    return Run(
        environment="simulated",
        started_at="2026-11-21T12:00:00Z",
        pattern="steady",
        rate_per_s=50,
        minutes=minutes,
        players=3,
        seed=1,
        watchers=WATCHERS,
        cpu_share=0.1,
        samples=tuple(samples),
    )
