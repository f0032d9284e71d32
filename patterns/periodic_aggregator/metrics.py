"""A metric as a line of a function's log, which CloudWatch reads (embedded metric format)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from patterns.metric_lines import count_in

if TYPE_CHECKING:
    from collections.abc import Callable


def emf_metric(namespace: str, clock: Callable[[], int], **dimensions: str) -> Callable[[str, int], None]:
    """Return a function that counts something by printing it.

    Parameters
    ----------
    namespace, dimensions
        Of the CloudWatch metric.
    clock
        Epoch ms.

    Examples
    --------
    >>> count = emf_metric("game", lambda: 7, service="scores")
    >>> count("LateRecords", 2)
    {"_aws": {"Timestamp": 7, "CloudWatchMetrics": [{"Namespace": "game", "Dimensions": [["service"]], \
"Metrics": [{"Name": "LateRecords", "Unit": "Count"}]}]}, "service": "scores", "LateRecords": 2}
    """

    def count(name: str, number: int) -> None:
        line = {**count_in(namespace, dimensions, [name], clock()), **dimensions, name: number}
        print(json.dumps(line), flush=True)

    return count
