"""What happens to a customer: ``{"customer": …, "event_id": …, "kind": "login" or "recommendations", "data": {…}}``."""

from __future__ import annotations

from typing import Any

from handlers.groups import groups


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Add the event to what is known of its customer."""
    added = groups().add(event["customer"], event["event_id"], event["data"], kind=event["kind"])
    print(f"event {event['event_id']}: {added}")
    return {"added": added}
