"""How every function logs: one JSON line an event, ids only.

Never log a token, a request body or a whole record: the keys of a line are chosen one by one where it is written.
A line's figures (status, duration, fills) are fields of their own, so CloudWatch metric filters and Logs Insights count
them without a second, metrics-only line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.logging import Logger

from patterns.metric_lines import count_in

if TYPE_CHECKING:
    from functions.environment import FunctionEnvironment


METRICS_NAMESPACE: Final = "CommoditiesMarket"
"""CloudWatch namespace of what `counted` counts."""


def build_logger(environment: FunctionEnvironment) -> Logger:
    """Return the function's logger.

    Parameters
    ----------
    environment
        Names the service and the level; the environment's name is on every line.

    Returns
    -------
    Logger
        Writes JSON lines to stdout with UTC times in RFC 3339.
    """
    logger = Logger(
        service=environment.powertools_service_name,
        level=environment.powertools_log_level,
        use_rfc3339=True,
        utc=True,
        serialize_stacktrace=False,  # the stack once, as text, not a second time frame by frame
        location=None,  # pyright: ignore[reportArgumentType]  # None drops the key: the message says where
    )
    logger.append_keys(environment=environment.environment)
    return logger


def counted(metric: str, count: int, now_ms: int) -> dict[str, object]:
    """Return fields that make a log line count in a metric, for what an alarm has to see without delay.

    CloudWatch reads the metric out of the line, its embedded metric format, by service and environment:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

    Parameters
    ----------
    metric, count
        Name of the metric, and what to add to it.
    now_ms
        Epoch milliseconds.

    Returns
    -------
    dict[str, object]
        For a logger of `build_logger`, whose lines have the dimensions.
    """
    return {metric: count, **count_in(METRICS_NAMESPACE, ["service", "environment"], [metric], now_ms)}
