"""Lambda handler that has every commit of the tape settled: it submits what the tape's stream brings."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from functions.clock import now_ms
from functions.environment import SettlementSubmitterEnvironment
from functions.observability import build_logger
from functions.settling.settlement import settlement_store
from functions.settling.submitting import submit_batch
from patterns.dynamodb.client import dynamodb_client
from patterns.processor.settings import ProcessorSettings

_environment = SettlementSubmitterEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_settlements = settlement_store(dynamodb_client(), ProcessorSettings.from_environ(os.environ), now_ms)
_threads = ThreadPoolExecutor(max_workers=8)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Submit one batch.

    Parameters
    ----------
    event
        Lambda event of the tape's change stream, filtered to new commits that touched orders.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the commits that could not be submitted for now.
    """
    report = submit_batch(event["Records"], _settlements, _threads.map)
    for place, error in report.errors.items():
        _logger.error("handed back", exc_info=error, extra={"stream_sequence_number": place})
    _logger.info("batch", extra={"submitted": report.submitted, "repeated": report.repeated})
    return {"batchItemFailures": [{"itemIdentifier": place} for place in report.errors]}
