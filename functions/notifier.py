"""Lambda handler that notifies a player of an order that took several commits, once all of them are settled."""

from __future__ import annotations

import os
from time import sleep
from typing import Any

from functions.clock import now_ms
from functions.environment import NotifierEnvironment
from functions.observability import build_logger
from functions.settling.gathering import is_complete
from functions.settling.notifications import notify_of_gathered
from patterns.aggregator.firing import complete_groups
from patterns.aggregator.settings import AggregatorSettings
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import JITTER

_environment = NotifierEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_orders = AggregatorSettings.from_environ(os.environ, is_complete).aggregator(
    dynamodb_client(), clock=now_ms, sleep=sleep, random=JITTER
)
_notify = notify_of_gathered(_environment.notifications_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Notify of the complete orders of one batch.

    Parameters
    ----------
    event
        Lambda event of the groups' change stream, filtered to completions.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the orders whose players could not be notified for now.
    """
    return complete_groups(event, _orders, _notify, _log)


def _log(order_id: str, error: Exception) -> None:
    _logger.error("handed back", exc_info=error, extra={"order_id": order_id})
