"""Recommendations and a login are both there: mail the recommendations. After a week without a login: do not."""

from __future__ import annotations

from typing import Any

from handlers.groups import groups
from handlers.outbox import message
from patterns.aggregator import CompleteGroup, Outcome, complete_groups


def mail_recommendations(customer: CompleteGroup) -> Outcome:
    """Write the mail, unless the customer waited for it too long."""
    if customer.progress.completed_by == "timeout":
        return Outcome({"mailed": False})
    (goods,) = [event.record["goods"] for event in customer.records() if event.kind == "recommendations"][:1]
    mail = message(f"recommendations-{customer.group_id}", {"to": customer.group_id, "goods": goods})
    return Outcome({"mailed": True}, [mail])


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Act on the complete customers of the event."""
    print(f"{len(event['Records'])} customers to mail")
    return complete_groups(
        event, groups(), mail_recommendations, lambda group_id, error: print(f"{group_id}: {error!r}")
    )
