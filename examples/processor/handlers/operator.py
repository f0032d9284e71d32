"""The operator's tool: lists parked orders, lets them go on, or has them undone."""

from __future__ import annotations

import os
from typing import Any

from handlers.order import Order
from patterns.dynamodb.client import dynamodb_client
from patterns.processor import ProcessorSettings, StateCodec, TransactionStore

_orders = TransactionStore(dynamodb_client(), ProcessorSettings.from_environ(os.environ), StateCodec(Order))


def handler(event: dict[str, Any], _context: object) -> list[str]:
    """Do one thing and list what is parked.

    Parameters
    ----------
    event
        ``{"redrive": order id}``, ``{"abandon": order id, "reason": …}``, or ``{}``.
    """
    if "redrive" in event:
        _orders.redrive(event["redrive"])
    elif "abandon" in event:
        _orders.abandon(event["abandon"], event["reason"])
    return [parked.transaction_id for parked in _orders.parked()]
