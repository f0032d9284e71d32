"""A consumer as a Lambda function: called by new events, by itself when its time was up, by a schedule, by operators.

The stream triggers it within a second. The schedule is the net below: it finds what nobody works on although it should
be done (a trigger given up, a function that died with the lease) and measures the lag.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from logging import getLogger
from time import sleep, time_ns
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from patterns.dynamodb.client import dynamodb_client, shared_session
from patterns.dynamodb.retries import JITTER, Retries
from patterns.sequenced_log.checkpoints import Checkpoints
from patterns.sequenced_log.consumer import Consumer, Outcome, RunReport
from patterns.sequenced_log.environment import LogEnvironment
from patterns.sequenced_log.errors import GapError, InvalidInputError
from patterns.sequenced_log.event_log import EventLog
from patterns.sequenced_log.events import KeyNames
from patterns.sequenced_log.metrics import metric_line
from patterns.sequenced_log.partitions import Partitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.sequenced_log.consumer import Handler, Lag

MARGIN_MS = 3_000
"""Time kept back at the end of an invocation for the event in hand, the checkpoint and the handing over."""

_SWEPT_AT_ONCE = 100
_MOST_LISTED = 1_000  # with reasons of 1,000 characters well below the 6 MB that an answer may have

_logger = getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerFunction:
    """What the Lambda service calls; see `consumer_function`.

    Parameters
    ----------
    consumer
        Does the work.
    invoke_again
        Starts another invocation of this function with an event, without waiting for it.
    emit
        Takes a line for the log.
    sweepers
        Into how many invocations a sweep is divided.
    """

    consumer: Consumer
    invoke_again: Callable[[Mapping[str, Any]], None]
    emit: Callable[[str], None]
    sweepers: int = 1
    margin_ms: int = MARGIN_MS

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, Any]]]:
        """Handle an invocation.

        Parameters
        ----------
        event
            Records of the events table's stream; ``{"partition": name}`` to go on; ``{"sweep": {"instance": i,
            "instances": n}}``, or anything else for a whole sweep. From an operator ``{"parked": {}}``, of one
            partition ``{"parked": {"partition": name}}``; ``{"redrive": {"partition": name, "sequence": n}}``;
            ``{"replay": {"partition": name, "after": n}}``, which runs at once.
        context
            Lambda's; tells the remaining time.

        Returns
        -------
        dict
            ``batchItemFailures``, for stream records; ``parked``, the first 1,000, if that was asked.

        Raises
        ------
        ExceptionGroup
            Not for stream records: what the failed runs raised.
        InvalidInputError, GapError
            What `Consumer.redrive` and `Consumer.replay` say to an operator, and to one whose words are none of these.
        """
        deadline_ms = self.consumer.checkpoints.clock() + context.get_remaining_time_in_millis() - self.margin_ms
        if "Records" in event:
            return self._triggered(event["Records"], deadline_ms)
        if "parked" in event:
            asked = _asked(event, "parked", optional=("partition",))
            parked = islice(self.consumer.checkpoints.parked(**asked), _MOST_LISTED)
            return {"parked": [asdict(each) for each in parked]}
        if "redrive" in event:
            self.consumer.redrive(**_asked(event, "redrive", "partition", "sequence"))
            return {}
        if "replay" in event:
            asked = _asked(event, "replay", "partition", "after")
            self.consumer.replay(**asked)
            errors = self._run_all({asked["partition"]: 0}, deadline_ms)
        elif "partition" in event:
            errors = self._run_all({event["partition"]: 0}, deadline_ms)
        elif self.sweepers > 1 and "sweep" not in event:
            for instance in range(self.sweepers):
                self.invoke_again({"sweep": {"instance": instance, "instances": self.sweepers}})
            return {"batchItemFailures": []}
        else:
            errors = self._sweep(deadline_ms, **event.get("sweep", {"instance": 0, "instances": 1}))
        if errors:
            raise ExceptionGroup("runs failed", [*errors.values()])
        return {"batchItemFailures": []}

    def _triggered(self, records: Sequence[Mapping[str, Any]], deadline_ms: int) -> dict[str, list[dict[str, str]]]:
        keys = self.consumer.log.keys
        wanted: dict[str, int] = {}
        first_record: dict[str, str] = {}
        for record in records:
            change = record["dynamodb"]
            partition = change["Keys"][keys.partition]["S"]
            length = int(change.get("NewImage", {}).get("length", {"N": "1"})["N"])
            last = int(change["Keys"][keys.sequence]["N"]) + length - 1
            wanted[partition] = max(last, wanted.get(partition, 0))
            first_record.setdefault(partition, change["SequenceNumber"])
        errors = self._run_all(wanted, deadline_ms)
        failed = [first_record[partition] for partition in errors if partition in first_record]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    def _sweep(self, deadline_ms: int, instance: int, instances: int) -> dict[str, Exception]:
        registry = self.consumer.log.partitions
        assigned = [partition.name for partition in registry.assigned(instance, instances)] if registry else []
        lags: list[Lag] = []
        measured = 0
        while measured < len(assigned) and self.consumer.checkpoints.clock() < deadline_ms:
            lags += self.consumer.lags(assigned[measured : measured + _SWEPT_AT_ONCE])
            measured += _SWEPT_AT_ONCE
        self._emit(
            {
                "Lag": max((lag.events for lag in lags), default=0),
                "LaggingPartitions": sum(lag.events > 0 for lag in lags),
                "UnsweptPartitions": max(len(assigned) - measured, 0),
            }
        )
        return self._run_all({lag.partition: lag.head for lag in lags if lag.events and not lag.active}, deadline_ms)

    def _run_all(self, wanted: Mapping[str, int], deadline_ms: int) -> dict[str, Exception]:
        """Run each partition and the children of those that are done; return what went wrong, by partition."""
        waiting = dict(wanted)
        errors: dict[str, Exception] = {}
        while waiting:
            partition = next(iter(waiting))
            number = waiting.pop(partition)
            try:
                if self.consumer.checkpoints.clock() >= deadline_ms:
                    self.invoke_again({"partition": partition})
                    continue
                report = self.consumer.run(partition, deadline_ms=deadline_ms, wanted=number)
                self._report([report])
                if report.outcome is Outcome.OUT_OF_TIME:
                    self.invoke_again({"partition": partition})
                waiting |= dict.fromkeys(report.children, 0)
            except Exception as error:  # the other partitions are not to blame
                errors[partition] = error
                _logger.exception("partition %s", partition)
                self._emit({"Gaps" if isinstance(error, GapError) else "FailedRuns": 1})
        return errors

    def _report(self, reports: Iterable[RunReport]) -> None:
        for report in reports:
            self._emit(
                {
                    "Handled": report.handled,
                    "FailedAttempts": report.failures,
                    "Parked": report.parked,
                    "LeasesLost": int(report.outcome is Outcome.LEASE_LOST),
                    "HandedOver": int(report.outcome is Outcome.OUT_OF_TIME),
                }
            )

    def _emit(self, values: Mapping[str, int]) -> None:
        now_ms = self.consumer.checkpoints.clock()
        dimensions = {"Table": self.consumer.log.table_name, "Consumer": self.consumer.checkpoints.consumer}
        self.emit(metric_line(now_ms, dimensions, values))


def event_log(environ: Mapping[str, str] = os.environ) -> EventLog:
    """Return the log that the variables describe, for functions that append.

    Parameters
    ----------
    environ
        Environment of the process, with the variables of the component's ``appender_variables``.

    Raises
    ------
    InvalidInputError
        A variable is missing or malformed.
    """
    return _event_log(LogEnvironment.from_environ(environ), dynamodb_client())


def _asked(event: Mapping[str, Any], order: str, *needed: str, optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return what an operator's order names."""
    given: Mapping[str, Any] | None = event[order] if isinstance(event[order], dict) else None
    if given is None or not {*needed} <= given.keys() <= {*needed, *optional}:
        rule = f"must be an object with {' and '.join(needed)}" if needed else f"may name {' and '.join(optional)}"
        raise InvalidInputError(order, event[order], rule)
    return dict(given)


def consumer_function(handle: Handler, environ: Mapping[str, str] = os.environ) -> ConsumerFunction:
    """Return the Lambda handler of a consumer; everything else is in the variables the component set.

    Parameters
    ----------
    handle
        See `Handler`.
    environ
        Environment of the process.

    Raises
    ------
    InvalidInputError
        A variable is missing or malformed.
    """
    environment = LogEnvironment.from_environ(environ)
    client = dynamodb_client()
    log = _event_log(environment, client)
    return ConsumerFunction(
        consumer=Consumer(
            log=log,
            checkpoints=Checkpoints(
                client=client,
                table_name=environment.consumers_table,
                consumer=environment.consumer,
                clock=_now_ms,
                retries=log.retries,
                lease_ms=environment.lease_ms,
            ),
            handle=handle,
            new_holder=_new_token,
            retries=Retries(sleep=sleep, random=JITTER, attempts=environment.max_attempts, first_wait_ms=100),
            checkpoint_every=environment.checkpoint_every,
        ),
        invoke_again=lambda event: _invoke(environ["AWS_LAMBDA_FUNCTION_NAME"], event),
        emit=print,
        sweepers=environment.sweepers,
    )


def _event_log(environment: LogEnvironment, client: DynamoDBClient) -> EventLog:
    retries = Retries(sleep=sleep, random=JITTER)
    return EventLog(
        client=client,
        table_name=environment.events_table,
        clock=_now_ms,
        new_token=_new_token,
        retries=retries,
        partitions=Partitions(
            client=client,
            table_name=environment.partitions_table,
            log=environment.log,
            clock=_now_ms,
            retries=retries,
        ),
        keys=KeyNames(environment.partition_key, environment.sequence_key),
    )


def _now_ms() -> int:
    return time_ns() // 1_000_000


def _new_token() -> str:
    return uuid4().hex


def _invoke(function_name: str, event: Mapping[str, Any]) -> None:
    _lambda_client().invoke(FunctionName=function_name, InvocationType="Event", Payload=json.dumps(event).encode())


@cache
def _lambda_client() -> Any:
    return cast("Any", shared_session()).create_client("lambda")
