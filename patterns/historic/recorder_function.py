"""A Lambda handler that records signed writes; take your own where your items say in another way who changed them.

It logs one JSON line a batch, which is also where the figures of a metric filter come from.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from patterns.dynamodb.client import dynamodb_client
from patterns.historic.environment import HistoryEnvironment
from patterns.historic.recorder import BatchReport, Recorder

_environment = HistoryEnvironment.from_environ(os.environ)
_recorder = Recorder(
    dynamodb_client(),
    _environment.table_name,
    _environment.keys,
    _environment.signature,
    retention=_environment.retention,
)
# Items share nothing but the client: side by side, a batch takes as long as its busiest item.
_threads = ThreadPoolExecutor(max_workers=8)


def log_line(report: BatchReport) -> str:
    """Return the line of a batch: counts, and the errors' kinds; never an item's content."""
    figures: dict[str, Any] = {
        "message": "recorded",
        "recorded": report.recorded,
        "repeated": report.repeated,
        "recovered": report.recovered,
        "unlinked": report.unlinked,
        "failed": len(report.failed),
    }
    if report.errors:
        figures["errors"] = sorted({f"{type(error).__name__}: {error!s:.200}" for error in report.errors})
    return json.dumps(figures)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Record one batch of the source table's stream; the answer lists what to deliver again."""
    report = _recorder.record(event["Records"], _threads.map)
    print(log_line(report))
    return report.response()
