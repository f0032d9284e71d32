"""A session has passed ten clicks: tell sales, once."""

from __future__ import annotations

from typing import Any

from handlers.groups import groups
from handlers.outbox import message
from patterns.aggregator import CompleteGroup, Outcome, complete_groups


def tell_sales(session: CompleteGroup) -> Outcome:
    """Write the message that names the session and the pages seen."""
    pages = sorted({str(click.record["page"]) for click in session.records()})
    write = message(f"engaged-{session.group_id}", {"session": session.group_id, "pages": [*pages]})
    return Outcome({"pages": len(pages)}, [write])


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Act on the complete sessions of the event."""
    print(f"{len(event['Records'])} complete sessions")
    return complete_groups(event, groups(), tell_sales, lambda group_id, error: print(f"{group_id}: {error!r}"))
