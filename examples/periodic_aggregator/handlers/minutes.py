"""The buckets this function was given by its environment."""

from __future__ import annotations

import os
import random
import time
from functools import cache

from patterns.dynamodb.client import dynamodb_client
from patterns.periodic_aggregator import PeriodicAggregator, PeriodicAggregatorSettings, emf_metric


def now_ms() -> int:
    """Return the time in epoch ms."""
    return time.time_ns() // 1_000_000


@cache
def minutes() -> PeriodicAggregator:
    """Return the process's one periodic aggregator."""
    return PeriodicAggregatorSettings.from_environ(os.environ).aggregator(
        dynamodb_client(),
        clock=now_ms,
        sleep=time.sleep,
        random=random.random,
        metric=emf_metric("leaderboard", now_ms, service="scores"),
    )
