"""Lambda handler that records every change of a table's orders; one deployment a table."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from functions.environment import HistoryRecorderEnvironment
from functions.history.sources import attribute
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client
from patterns.historic.item_key import ItemKeys
from patterns.historic.recorder import Recorder

_environment = HistoryRecorderEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_keys = ItemKeys(_environment.history_source, _environment.history_hash_key, _environment.history_range_key)
_recorder = Recorder(dynamodb_client(), _environment.history_table, _keys, attribute)
# Orders share nothing but the client: side by side, a batch takes as long as its busiest order.
_threads = ThreadPoolExecutor(max_workers=8)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Record one batch.

    Parameters
    ----------
    event
        Lambda event of a table's change stream.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the first record of each order that could not be recorded for now.
    """
    report = _recorder.record(event["Records"], _threads.map)
    for error in report.errors:
        _logger.error("handed back", exc_info=error)
    _logger.info(
        "batch",
        extra={
            "source": _environment.history_source,
            "recorded": report.recorded,
            "repeated": report.repeated,
            "recovered": report.recovered,
            "unlinked": report.unlinked,
            "failed": len(report.failed),
        },
    )
    return report.response()
