"""For operators: ``{"overdue_s": 60}``, ``{"unfired_s": 60}``, ``{"fire": customer}`` or ``{"state_of": customer}``."""

from __future__ import annotations

from typing import Any

from handlers.groups import groups
from handlers.mail_recommendations import mail_recommendations


def handler(event: dict[str, Any], _context: Any) -> Any:
    """List what waits for longer than so many seconds; fire a group whose cause of failure is mended; tell of one."""
    if "overdue_s" in event:
        return [group.group_id for group in groups().overdue(event["overdue_s"] * 1000)]
    if "unfired_s" in event:
        return [group.group_id for group in groups().unfired(event["unfired_s"] * 1000)]
    if "fire" in event:
        return groups().fire(event["fire"], mail_recommendations, owner="operator")
    progress = groups().progress(event["state_of"])
    return progress and {"state": progress.state, "records": progress.records, "outcome": progress.outcome}
