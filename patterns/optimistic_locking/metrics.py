"""Conflicts as a metric: a log line each, which CloudWatch reads; no call and no permission is needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from patterns.metric_lines import count_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.optimistic_locking.errors import ConflictError

NAMESPACE = "Patterns/OptimisticLocking"
"""Of the metric ``Conflicts``."""


def conflict_metric(table_name: str, clock: Callable[[], int]) -> Callable[[ConflictError], None]:
    """Return what a `VersionedTable` calls with its conflicts, so that CloudWatch counts them.

    Prints a line in the embedded metric format: namespace ``Patterns/OptimisticLocking``, metric ``Conflicts``,
    dimension ``Table``. The item's key is in the line, but is no dimension: find hot items in the log.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    Parameters
    ----------
    table_name
        The dimension's value.
    clock
        Epoch ms.
    """

    def count(conflict: ConflictError) -> None:
        line = {
            **count_in(NAMESPACE, ["Table"], ["Conflicts"], clock()),
            "Table": table_name,
            "Conflicts": 1,
            "key": str(dict(conflict.key)),
        }
        print(json.dumps(line), flush=True)

    return count
