"""One order's way through the market: the id it is followed by, and the times of its hops.

The id comes from the client's ``traceparent`` header, so that its own tracing goes on in ours; the format is W3C's,
https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HOPS: Final = (
    "received_at_ms",
    "placed_at_ms",
    "put_at_ms",
    "sequenced_at_ms",
    "matched_at_ms",
    "committed_at_ms",
    "published_at_ms",
)
"""Epoch milliseconds of an order's way, in order: API Gateway received the request, the API timed the order, the
express lane put it on the stream (never known of an order that came by the change stream), the stream took it, the
matcher received its batch, it began to write the commit, it began to publish it."""

TRACE_ID_PATTERN: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
"""A trace id. Match it against the whole text."""

# A later version may append fields; version 00 has none, and ff is no version.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?P<span_id>(?!0{16})[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?P<further>-.*)?"
)
_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8


class TraceParent(NamedTuple):
    """Which trace a request belongs to (32 lower-case hex digits), and the caller's span in it (16)."""

    trace_id: str
    span_id: str


class Origin(NamedTuple):
    """Where a request came from: the trace it belongs to, and when API Gateway received it, epoch ms."""

    trace_id: str
    received_at_ms: int


def parse_traceparent(header: str) -> TraceParent | None:
    """Read a ``traceparent`` header.

    Parameters
    ----------
    header
        The header's value as it came.

    Returns
    -------
    TraceParent | None
        None if it is malformed: whoever reads it starts a trace of their own, as W3C asks.
    """
    matched = _TRACEPARENT.fullmatch(header)
    if matched is None or (matched["version"] == "00" and matched["further"] is not None):
        return None
    return TraceParent(matched["trace_id"], matched["span_id"])


def format_traceparent(trace_id: str, span_id: str) -> str:
    """Write a ``traceparent`` header, or a ``traceresponse``, of a trace that is recorded."""
    return f"00-{trace_id}-{span_id}-01"


def new_trace_id(entropy: Callable[[int], bytes]) -> str:
    """Return a trace id of random bytes, e.g. of `os.urandom`."""
    return _hexadecimal(entropy, _TRACE_ID_BYTES)


def new_span_id(entropy: Callable[[int], bytes]) -> str:
    """Return a span id of random bytes, e.g. of `os.urandom`."""
    return _hexadecimal(entropy, _SPAN_ID_BYTES)


def _hexadecimal(entropy: Callable[[int], bytes], size: int) -> str:
    number = int.from_bytes(entropy(size), "big") or 1  # all zeros means "no id"
    return f"{number:0{2 * size}x}"
