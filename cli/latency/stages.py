"""The way of a mutation, hop by hop: which stamps there are, and what lies between two of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from market.tracing import HOPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.latency.clocks import ClockOffset

DUE, SENT, RECEIVED = "due", "sent", "received"
WAY: Final = (DUE, SENT, *HOPS, RECEIVED)
"""Every stamp of the whole way: the client's own are on its own clock."""

_LABELS: Final = {
    (DUE, SENT): "due → sent",
    (SENT, "received_at_ms"): "client → gateway",
    ("received_at_ms", "placed_at_ms"): "gateway → API",
    ("placed_at_ms", "put_at_ms"): "API store",
    ("put_at_ms", "sequenced_at_ms"): "put → sequenced",
    ("placed_at_ms", "sequenced_at_ms"): "API store, change stream → sequenced",
    ("sequenced_at_ms", "matched_at_ms"): "sequenced → matched",
    ("matched_at_ms", "committed_at_ms"): "matched → committed",
    ("committed_at_ms", "published_at_ms"): "committed → published",
    ("matched_at_ms", "published_at_ms"): "matched → published (nothing to commit)",
    ("published_at_ms", RECEIVED): "published → received",
}
_STAMP_NAMES: Final = {
    "received_at_ms": "gateway",
    "placed_at_ms": "API",
    "put_at_ms": "put",
    "sequenced_at_ms": "sequenced",
    "matched_at_ms": "matched",
    "committed_at_ms": "committed",
    "published_at_ms": "published",
}

Hop = tuple[str, str]
"""Names of two stamps that follow each other: where the hop starts and where it ends."""


def hops_of(stamps: Mapping[str, float]) -> list[Hop]:
    """Return a way's hops: each known stamp and the next known one, so that they always add up to the whole."""
    return list(pairwise(name for name in WAY if name in stamps))


def label_of(hop: Hop) -> str:
    """Name a hop for people, also one that spans a missing stamp."""
    start, end = hop
    return _LABELS.get(hop) or f"{_STAMP_NAMES.get(start, start)} → {_STAMP_NAMES.get(end, end)}"


def in_order(hop: Hop) -> tuple[int, int]:
    """Return what sorts hops into the order of the way."""
    return WAY.index(hop[0]), WAY.index(hop[1])


def on_client_clock(stamps: Mapping[str, int], offset: ClockOffset) -> dict[str, float]:
    """Return servers' stamps on the client's clock; the differences between them stay what they are."""
    return {name: offset.on_client(stamps[name]) for name in HOPS if name in stamps}
