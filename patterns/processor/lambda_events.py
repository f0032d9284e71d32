"""Lambda events of a processor's function: the table's stream, and the schedule of the sweep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from patterns.dynamodb.transient import LOST_ANSWERS
from patterns.metric_lines import count_in
from patterns.processor.transaction import KEY, WAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patterns.processor.processor import Processor, SweepReport

S = TypeVar("S")

METRIC_NAMESPACE = "Patterns/Processor"

WAKE_FILTER = json.dumps({"dynamodb": {"NewImage": {WAKE: {"S": [{"exists": True}]}}}})
"""Event filter of the stream subscription: new, handed over and re-driven transactions only.

The claim takes the mark away and no progress write has it, so the processor's own writes invoke nothing.
"""


class LambdaContext(Protocol):
    """What is needed of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the invocation."""
        ...


def lambda_handler(
    processor: Processor[S], emit: Callable[[str], None] = print
) -> Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]:
    """Make the function's handler: stream batches are processed, anything else is the schedule's call to sweep.

    Parameters
    ----------
    processor
        Made once, when the function starts.
    emit
        Writes a line of the function's log: a metric in CloudWatch's embedded format, one a sweep.

    Returns
    -------
    Callable
        ``handler(event, context)``. For a stream batch it returns ``batchItemFailures``: the records whose transaction
        could not be claimed because DynamoDB was in trouble.
    """

    def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        remaining_ms = context.get_remaining_time_in_millis
        if "Records" in event:
            return {"batchItemFailures": _work_batch(processor, event["Records"], remaining_ms)}
        report = processor.sweep(remaining_ms)
        emit(_metrics(report, processor.settings.table, processor.store.clock()))
        return {"claimed": report.claimed, "complete": report.complete, "parked": report.parked}

    return handler


def _work_batch(
    processor: Processor[S], records: list[Mapping[str, Any]], remaining_ms: Callable[[], int]
) -> list[dict[str, str]]:
    failures: list[dict[str, str]] = []
    for number, record in enumerate(records):
        change = record["dynamodb"]
        failure = {"itemIdentifier": change["SequenceNumber"]}
        if number > 0 and not processor.has_time(remaining_ms):
            # Everything from here on is delivered again, to an invocation with all its time.
            failures.append(failure)
            break
        try:
            processor.run(change["Keys"][KEY]["S"], remaining_ms)
        except (ClientError, *LOST_ANSWERS):
            failures.append(failure)
    return failures


def _metrics(report: SweepReport, table: str, at_ms: int) -> str:
    counts = {"Parked": report.parked, "Claimed": report.claimed}
    return json.dumps({**count_in(METRIC_NAMESPACE, ["Table"], counts, at_ms), "Table": table, **counts})
