"""A consumer's metrics, as lines of its function's log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from patterns.metric_lines import count_in

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "Patterns/SequencedLog"


def metric_line(now_ms: int, dimensions: Mapping[str, str], values: Mapping[str, int]) -> str:
    """Return a line that counts.

    Parameters
    ----------
    now_ms
        Epoch ms.
    dimensions
        Together they are one dimension set.
    values
        Metric name to count.
    """
    line = {**count_in(NAMESPACE, dimensions, values, now_ms), **dimensions, **values}
    return json.dumps(line, separators=(",", ":"))
