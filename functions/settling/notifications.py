"""The notifications table: one item for each order that is complete, under its player, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from functions.settling.gathering import gathered_order
from patterns.aggregator.firing import Outcome
from patterns.dynamodb.items import encode_item

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.settling.order_parts import CompleteOrder
    from patterns.aggregator.firing import Action, CompleteGroup
    from patterns.dynamodb.items import Item


def notify_of_gathered(table: str) -> Action:
    """Return the aggregator's action on a complete order: its notification, in the table of this name."""

    def notify(group: CompleteGroup) -> Outcome:
        return Outcome(writes=[notification_put(table, gathered_order(group))])

    return notify


def notification_put(table: str, order: CompleteOrder) -> TransactWriteItemTypeDef:
    """Return the action that notifies a player, to be committed together with what says that it happened.

    It has no condition of its own: key and content follow from the tape alone, so written once more it would change
    nothing.

    Parameters
    ----------
    table
        Name of the notifications table.
    order
        What the player learns.
    """
    item: Item = {
        "player": order.player,
        "notification_key": f"{order.completed_at_ms:013d}#{order.order_id}",
        "order_id": order.order_id,
        "side": order.side,
        "material": order.material,
        "status": order.status,
        "quantity": order.quantity,
        "filled": order.filled,
        "value_minor": order.value_minor,
        "fee_minor": order.fee_minor,
        "completed_at_ms": order.completed_at_ms,
    }
    if order.reason is not None:
        item["reason"] = order.reason
    return cast("TransactWriteItemTypeDef", {"Put": {"TableName": table, "Item": encode_item(item)}})
