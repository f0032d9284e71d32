"""Closes a chest's books: ``{"chest": …, "day": …, "auditor": …, "lease_ms": …, "pause_s": …}``; a pause is a trial."""

from __future__ import annotations

import time
from typing import Any

from handlers.bank import chests, now_ms
from patterns.optimistic_locking import LeaseHeldError, LeaseTable, TransactionConflictError


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Audit under a lease; say ``busy`` if somebody else does, ``late`` if somebody else has taken over."""
    table = chests()
    leases = LeaseTable(table.client, table.table_name, table.partition_key, now_ms)
    lock = {"chest": f"audit/{event['chest']}"}
    try:
        lease = leases.acquire(lock, event["auditor"], event["lease_ms"])
    except LeaseHeldError as held:
        print(f"busy: {held}")
        return {"result": "busy", "holder": held.holder}
    time.sleep(event.get("pause_s", 0))  # stands for work that takes longer than its lease
    chest = table.get({"chest": event["chest"]})
    assert chest is not None, "only chests with a deposit are audited"
    record = {"chest": f"books/{event['chest']}/{event['day']}", "gold": chest.item["gold"], "by": event["auditor"]}
    try:
        table.transact(
            [
                table.create_action(record),
                table.check_action({"chest": event["chest"]}, chest.version),
                leases.condition_check(lock, lease.token),
            ]
        )
    except TransactionConflictError as refusal:
        print(f"late: {refusal}")
        return {"result": "late", "token": lease.token}
    leases.release(lease)
    return {"result": "audited", "token": lease.token}
