"""Lambda handler that closes the minutes whose time has come: their candles, and those they are part of."""

from __future__ import annotations

import os
from dataclasses import asdict
from time import sleep
from typing import TYPE_CHECKING, Any

from functions.clock import now_ms
from functions.environment import CandlesEnvironment
from functions.market_data.closing import CandleWriter
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import JITTER
from patterns.periodic_aggregator.settings import PeriodicAggregatorSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_environment = CandlesEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_client = dynamodb_client()
_minutes = PeriodicAggregatorSettings.from_environ(os.environ).aggregator(
    _client, clock=now_ms, sleep=sleep, random=JITTER
)
_writer = CandleWriter(_client, _environment.candles_table)


def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Close what is due; a firing that comes twice closes nothing twice.

    Parameters
    ----------
    event
        Of the schedule: ``execution_id`` names the firing.
    context
        Tells the time left.
    """
    report = _writer.close_due(_minutes, owner=event["execution_id"], remaining_ms=context.get_remaining_time_in_millis)
    _logger.info("closed", extra=asdict(report))
