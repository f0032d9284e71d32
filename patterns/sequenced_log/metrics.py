"""Metrics as log lines: CloudWatch reads them out of the function's log, no call and no permission is needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "Patterns/SequencedLog"


def metric_line(now_ms: int, dimensions: Mapping[str, str], values: Mapping[str, int]) -> str:
    """Return a line in CloudWatch's embedded metric format.

    Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".

    Parameters
    ----------
    now_ms
        Epoch ms.
    dimensions
        Together they are one dimension set.
    values
        Metric name to count.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    line = {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]}, **dimensions, **values}
    return json.dumps(line, separators=(",", ":"))
