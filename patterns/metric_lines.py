"""Metrics as log lines: CloudWatch reads them out of a function's log, no call and no permission is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def count_in(namespace: str, dimensions: Iterable[str], counts: Iterable[str], at_ms: int) -> dict[str, object]:
    """Return the field that makes a line of JSON count in metrics, the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    Parameters
    ----------
    namespace
        Of the metrics.
    dimensions
        Fields of the line; together they are one dimension set.
    counts
        Fields of the line with what to add; they are the metrics' names.
    at_ms
        Epoch ms.

    Examples
    --------
    >>> {**count_in("game", ["Table"], ["Late"], 7), "Table": "scores", "Late": 2}
    {'_aws': {'Timestamp': 7, 'CloudWatchMetrics': [{'Namespace': 'game', 'Dimensions': [['Table']], \
'Metrics': [{'Name': 'Late', 'Unit': 'Count'}]}]}, 'Table': 'scores', 'Late': 2}
    """
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in counts],
    }
    return {"_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]}}
