"""The versioned table this function was given by its environment."""

from __future__ import annotations

import os
from functools import cache

from patterns.dynamodb.client import dynamodb_client
from patterns.optimistic_locking import ConflictError, VersionedTable, VersionedTableEnvironment


def count_conflict(conflict: ConflictError) -> None:
    """One log line a conflict: a metric filter counts them."""
    print(f"conflict {dict(conflict.key)} expected {conflict.expected}")


@cache
def chests() -> VersionedTable:
    """Return the process's one table."""
    environment = VersionedTableEnvironment.from_environ(os.environ)
    return VersionedTable(
        dynamodb_client(),
        environment.table_name,
        environment.partition_key,
        environment.sort_key,
        on_conflict=count_conflict,
    )
