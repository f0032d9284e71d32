"""Takes deposits and withdrawals, and splits a bank that has become too busy."""

from __future__ import annotations

from typing import Any

from patterns.sequenced_log import NewEvent, PartitionClosedError, route
from patterns.sequenced_log.function import event_log

ledger = event_log()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Append ``orders`` (each with ``id``, ``kind``, ``guild``, ``amount``) to a ``bank``, or split it ``into`` others.

    Returns
    -------
    dict[str, Any]
        ``sequences``: the number of each order; or ``closed_at``.
    """
    if "into" in event:
        return {"closed_at": ledger.split(event["bank"], event["into"])}
    orders = [
        NewEvent({name: order[name] for name in ("kind", "guild", "amount")}, order["id"]) for order in event["orders"]
    ]
    bank: str = event["bank"]
    while True:
        try:
            appended = ledger.append(bank, orders)
        except PartitionClosedError as closed:
            bank = route(event["orders"][0]["guild"], closed.children)
        else:
            return {"bank": bank, "sequences": appended.sequences, "duplicates": appended.duplicates}
