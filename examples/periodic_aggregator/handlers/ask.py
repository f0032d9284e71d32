"""Questions: ``{"level": …, "start_ms": …}`` about a minute; ``{"unprocessed_since_s": 300}`` about what is overdue."""

from __future__ import annotations

from typing import Any

from handlers.minutes import minutes, now_ms


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Tell where a minute stands, or which ones should have been processed so long ago."""
    if "unprocessed_since_s" in event:
        due = minutes().open_buckets(now_ms() - event["unprocessed_since_s"] * 1000)
        return {"due": sorted({(bucket.key, bucket.start_ms) for bucket in due})}
    level, start_ms = event["level"], event["start_ms"]
    return {
        "state": minutes().state(level, start_ms),
        "result": minutes().result(level, start_ms),
        "scores": sum(1 for _ in minutes().records(level, start_ms)),
    }
