"""Lambda handler that collects the tape's trades into minutes, and tells the live feed of commits once more."""

from __future__ import annotations

import os
from time import sleep
from typing import Any

from functions.clock import now_ms
from functions.environment import CandlesCollectorEnvironment
from functions.feed.feed import live_feed
from functions.market_data.collecting import collect_batch
from functions.market_data.telling import tell_commits
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import JITTER
from patterns.periodic_aggregator.metrics import emf_metric
from patterns.periodic_aggregator.settings import PeriodicAggregatorSettings

_environment = CandlesCollectorEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_minutes = PeriodicAggregatorSettings.from_environ(os.environ).aggregator(
    dynamodb_client(),
    clock=now_ms,
    sleep=sleep,
    random=JITTER,
    metric=emf_metric("market", now_ms, service=_environment.powertools_service_name),
)
_feed = live_feed(_environment.feed_http_host, os.environ, now_ms, _logger)
_tell = None if _feed is None else tell_commits(_feed, _environment.currency_digits)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Collect one batch.

    Parameters
    ----------
    event
        Lambda event of the tape's change stream, filtered to new commits; without a live feed only those that traded.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the commits that could not be collected for now.
    """
    report = collect_batch(event["Records"], _minutes, _tell)
    for place, error in report.errors.items():
        _logger.error("handed back", exc_info=error, extra={"stream_sequence_number": place})
    _logger.info("batch", extra={"placed": report.placed})
    return {"batchItemFailures": [{"itemIdentifier": place} for place in report.errors]}
