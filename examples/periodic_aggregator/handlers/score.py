"""A score: ``{"level": …, "score_id": …, "player": …, "points": …, "at_ms": …}``. A score sent twice is one score."""

from __future__ import annotations

from typing import Any

from handlers.minutes import minutes


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Put the score into the minute it was made in."""
    record = {"player": event["player"], "points": event["points"]}
    collected = minutes().add(event["level"], event["score_id"], record, at_ms=event["at_ms"])
    print(f"score {event['score_id']}: {collected.placed}")
    return {"placed": collected.placed, "start_ms": collected.start_ms}
