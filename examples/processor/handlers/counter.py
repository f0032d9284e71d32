"""The shop's counter: takes an order, and says where it is."""

from __future__ import annotations

import os
from typing import Any

from handlers.order import Order
from patterns.dynamodb.client import dynamodb_client
from patterns.processor import ProcessorSettings, StateCodec, SubmissionConflictError, TransactionStore

_orders = TransactionStore(dynamodb_client(), ProcessorSettings.from_environ(os.environ), StateCodec(Order))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one customer.

    Parameters
    ----------
    event
        ``{"buy": order id, "player": …, "item": …, "price_minor": …}`` or ``{"where_is": order id}``.

    Returns
    -------
    dict[str, Any]
        Status, current step, and what happened when (epoch ms).
    """
    if "buy" in event:
        order = Order(event["player"], event["item"], event["price_minor"])
        try:
            transaction = _orders.submit(event["buy"], order).transaction
        except SubmissionConflictError as error:
            return {"error": str(error)}
    else:
        transaction = _orders.get(event["where_is"])
    return {
        "status": transaction.status.value,
        "step": transaction.step,
        "reason": transaction.error,
        "history": [[entry.event, entry.step, entry.at_ms] for entry in transaction.history],
    }
