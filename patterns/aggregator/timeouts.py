"""The function behind the component's schedule: completes the groups that waited too long."""

from __future__ import annotations

import os
import time
from typing import Any

from patterns.aggregator.settings import AggregatorSettings
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.retries import JITTER


def handler(_event: Any, _context: Any) -> dict[str, int]:
    """Complete overdue groups; their number is the answer, and the log line of the invocation.

    A run takes 1,000 groups at most, the next one goes on. It may run twice at a time, late or not at all for a while.
    """
    groups = AggregatorSettings.from_environ(os.environ).aggregator(
        dynamodb_client(), clock=lambda: time.time_ns() // 1_000_000, sleep=time.sleep, random=JITTER
    )
    answer = {"completed_by_timeout": groups.complete_overdue()}
    print(answer)
    return answer
