"""The versioned table this function was given by its environment."""

from __future__ import annotations

import os
import time
from functools import cache

from patterns.dynamodb.client import dynamodb_client
from patterns.optimistic_locking import VersionedTable, VersionedTableEnvironment, conflict_metric


def now_ms() -> int:
    """Return the time, epoch ms."""
    return time.time_ns() // 1_000_000


@cache
def chests() -> VersionedTable:
    """Return the process's one table."""
    environment = VersionedTableEnvironment.from_environ(os.environ)
    return VersionedTable(
        dynamodb_client(),
        environment.table_name,
        environment.partition_key,
        environment.sort_key,
        on_conflict=conflict_metric(environment.table_name, now_ms),
    )
