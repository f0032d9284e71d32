"""A recorder of one's own, as the page shows it: here a crew's captain is who changes it."""

from __future__ import annotations

import os
from typing import Any

from patterns.dynamodb.client import dynamodb_client
from patterns.historic import Change, HistoryEnvironment, Recorder, Signature


def attribution(change: Change) -> Signature:
    """Take the captain for who did it; of a deletion, the captain there was."""
    image = change.after or change.before or {}
    return Signature(actor=image.get("captain", {}).get("S"), reason="orders")


_environment = HistoryEnvironment.from_environ(os.environ)
_recorder = Recorder(
    dynamodb_client(), _environment.table_name, _environment.keys, attribution, retention=_environment.retention
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Record a batch; the answer lists what to deliver again."""
    return _recorder.record(event["Records"]).response()
