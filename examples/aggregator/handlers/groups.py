"""The aggregator this function was given by its environment."""

from __future__ import annotations

import os
import random
import time
from functools import cache

from patterns.aggregator import Aggregator, AggregatorSettings
from patterns.dynamodb.client import dynamodb_client


@cache
def groups() -> Aggregator:
    """Return the process's one aggregator."""
    return AggregatorSettings.from_environ(os.environ).aggregator(
        dynamodb_client(), clock=lambda: time.time_ns() // 1_000_000, sleep=time.sleep, random=random.random
    )
