"""Lambda handler that records every change of every table with a history: one function reads all their streams."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from functions.environment import HistoryRecorderEnvironment
from functions.history.attribution import attribute_account, attribute_ask, attribute_order, attribute_settlement
from functions.history.sources import ACCOUNTS, ASKS, BIDS, SELL_ORDERS, SETTLEMENTS, source_of
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client
from patterns.historic.environment import retention_of
from patterns.historic.recorder import Recorder

if TYPE_CHECKING:
    from patterns.historic.attribution import Attribution
    from patterns.historic.item_key import ItemKeys

_environment = HistoryRecorderEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_retention = retention_of(_environment.history_archive_bucket, _environment.history_hot_days)
# Items share nothing but the client: side by side, a batch takes as long as its busiest item.
_threads = ThreadPoolExecutor(max_workers=8)


def _recorder(keys: ItemKeys, attribution: Attribution) -> Recorder:
    return Recorder(dynamodb_client(), _environment.history_table, keys, attribution, retention=_retention)


_recorders = {
    BIDS: _recorder(BIDS, attribute_order),
    SELL_ORDERS: _recorder(SELL_ORDERS, attribute_order),
    ASKS: _recorder(ASKS, attribute_ask),
    ACCOUNTS: _recorder(ACCOUNTS, attribute_account),
    SETTLEMENTS: _recorder(SETTLEMENTS, attribute_settlement),
}


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Record one batch.

    Parameters
    ----------
    event
        Lambda event of a table's change stream: all its records are of one table.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the first record of each item that could not be recorded for now.
    """
    source = source_of(event["Records"][0])
    report = _recorders[source].record(event["Records"], _threads.map)
    for error in report.errors:
        _logger.error("handed back", exc_info=error)
    _logger.info(
        "batch",
        extra={
            "source": source.source,
            "recorded": report.recorded,
            "repeated": report.repeated,
            "recovered": report.recovered,
            "unlinked": report.unlinked,
            "failed": len(report.failed),
        },
    )
    return report.response()
