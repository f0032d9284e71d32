"""A click: ``{"session": …, "click_id": …, "page": …}``. A click sent twice is one click."""

from __future__ import annotations

from typing import Any

from handlers.groups import groups


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Count the click for its session."""
    added = groups().add(event["session"], event["click_id"], {"page": event["page"]})
    print(f"click {event['click_id']}: {added}")
    return {"added": added}
