"""Times in answers."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_utc(time_ms: int) -> str:
    """Write epoch milliseconds as ISO 8601 in UTC, e.g. ``2026-11-21T08:00:00.007Z``."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
