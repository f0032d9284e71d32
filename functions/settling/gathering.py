"""Orders that take several commits: their parts, gathered by the aggregator until the order is complete.

A group is an order, a record is one commit's part of it. The amounts of all records are summed up in the group's
totals, so that completeness is decided without reading records; what the last word on the order is lies in the record
of the commit that closed it. Commits may be settled in any order, the closing one first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from functions.settling.order_parts import CompleteOrder
from patterns.aggregator.group import NewRecord
from patterns.dynamodb.items import read_int, read_str

if TYPE_CHECKING:
    from functions.settling.order_parts import OrderPart
    from market.tape import TapeCommit
    from patterns.aggregator.firing import CompleteGroup
    from patterns.aggregator.group import Progress
    from patterns.dynamodb.items import Item


def part_record(commit: TapeCommit, part: OrderPart, commit_id: str) -> NewRecord:
    """Return a commit's part of an order as a record of the order's group."""
    amounts = {
        "filled": part.filled,
        "done": part.done,
        "value_minor": part.value_minor,
        "fee_minor": part.fee_minor,
    }
    record: Item = {}
    if part.closed is not None:
        amounts |= {"closed": 1, "quantity": part.closed.quantity}
        record = {
            "player": part.player,
            "side": str(part.side),
            "material": commit.material,
            "status": part.closed.status,
            "reason": part.closed.reason,
            "completed_at_ms": commit.committed_at_ms,
        }
    return NewRecord(commit_id, record, amounts={name: amount for name, amount in amounts.items() if amount})


def is_complete(order: Progress) -> bool:
    """Tell whether an order is closed and all commits that did something of it are in."""
    totals = order.totals
    return totals.get("closed", 0) > 0 and totals.get("done", 0) == totals.get("quantity", 0)


def gathered_order(group: CompleteGroup) -> CompleteOrder:
    """Return the order that a complete group is."""
    closing = next(entry.record for entry in group.records() if entry.record)
    totals = group.progress.totals
    return CompleteOrder(
        order_id=group.group_id,
        player=read_str(closing, "player"),
        side=read_str(closing, "side"),
        material=read_str(closing, "material"),
        status=read_str(closing, "status"),
        reason=cast("str | None", closing["reason"]),
        quantity=totals.get("quantity", 0),
        filled=totals.get("filled", 0),
        value_minor=totals.get("value_minor", 0),
        fee_minor=totals.get("fee_minor", 0),
        completed_at_ms=read_int(closing, "completed_at_ms"),
    )
