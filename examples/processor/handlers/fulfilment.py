"""Fulfils orders: reserve the item, charge the wallet, deliver; if one cannot be done, undo the others."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from handlers.order import Order
from patterns.dynamodb.client import dynamodb_client
from patterns.processor import (
    Done,
    Processor,
    ProcessorSettings,
    StateCodec,
    Step,
    StepRejectedError,
    lambda_handler,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.processor import StepContext

_SHOP_TABLE = os.environ["SHOP_TABLE"]


def reserve(order: Order, _context: StepContext) -> Done[Order]:
    """Take one from the stock; none left rejects the order."""
    return Done(order, [_change(f"stock#{order.item}", -1)], if_refused="reject")


def give_back(order: Order, _context: StepContext) -> Done[Order]:
    """Put it back."""
    return Done(order, [_change(f"stock#{order.item}", 1)])


def charge(order: Order, _context: StepContext) -> Done[Order]:
    """Take the price from the wallet; too little gold rejects the order."""
    return Done(order, [_change(f"wallet#{order.player}", -order.price_minor)], if_refused="reject")


def refund(order: Order, _context: StepContext) -> Done[Order]:
    """Pay it back."""
    return Done(order, [_change(f"wallet#{order.player}", order.price_minor)])


def deliver(order: Order, context: StepContext) -> Done[Order]:
    """Call the game's mail, which keeps a parcel's id and delivers it once however often it is asked."""
    if order.player == "banned":
        raise StepRejectedError("the mail does not deliver to banned players")
    return Done(replace(order, parcel=context.idempotency_key))


def _change(name: str, amount: int) -> TransactWriteItemTypeDef:
    return {
        "Update": {
            "TableName": _SHOP_TABLE,
            "Key": {"name": {"S": name}},
            "UpdateExpression": "SET amount = amount + :change",
            "ConditionExpression": "amount >= :needed",
            "ExpressionAttributeValues": {":change": {"N": str(amount)}, ":needed": {"N": str(max(0, -amount))}},
        }
    }


handler = lambda_handler(
    Processor(
        dynamodb_client(),
        ProcessorSettings.from_environ(os.environ),
        StateCodec(Order),
        [
            Step(name="reserve", run=reserve, compensate=give_back),
            Step(name="charge", run=charge, compensate=refund),
            Step(name="deliver", run=deliver, timeout_ms=24 * 3600 * 1000),
        ],
    )
)
