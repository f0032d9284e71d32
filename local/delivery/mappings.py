"""What is delivered where: event source mappings and pipes, as the engine runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from local.delivery.filters import EventPattern
    from local.delivery.schedules import Schedule

LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Largest payload of a synchronous invocation (AWS Lambda Developer Guide, "Lambda quotas")."""

PUT_RECORDS_BYTES = 5 * 1024 * 1024
PUT_RECORDS_ENTRIES = 500
"""Limits of one PutRecords call (Amazon Kinesis Data Streams Service API Reference, "PutRecords")."""


@dataclass(frozen=True, slots=True)
class Source:
    """The stream a mapping or pipe reads.

    Attributes
    ----------
    kind : str
        `dynamodb` or `kinesis`.
    arn : str
        The ARN as configured: a stream's, or an enhanced-fan-out consumer's.
    stream_arn : str
        The stream's ARN.
    starting_position : str
        TRIM_HORIZON, LATEST or AT_TIMESTAMP: where a shard without checkpoint starts.
    starting_timestamp_ms : int
        Epoch milliseconds, for AT_TIMESTAMP.
    """

    kind: Literal["dynamodb", "kinesis"]
    arn: str
    stream_arn: str
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    starting_timestamp_ms: int = 0

    @property
    def region(self) -> str:
        """The stream's region."""
        return self.stream_arn.split(":")[3]

    @property
    def enhanced_fan_out(self) -> bool:
        """Whether records are pushed to a consumer of its own rather than polled."""
        return self.arn != self.stream_arn


@dataclass(frozen=True, slots=True)
class Batching:
    """How records of a shard become batches, and what happens to one that fails.

    Attributes
    ----------
    batch_size : int
        Most records in a batch.
    batch_bytes : int
        Most bytes in a batch.
    window_ms : int
        How long to gather a batch that is not full.
    parallelization : int
        Concurrent batches a shard; records of one key are never in two of them.
    bisect : bool
        Halve a batch that fails.
    maximum_retries : int
        -1 for ever; else attempts after the first.
    maximum_age_ms : int
        -1 for ever; else records older than this are discarded.
    patterns : tuple[EventPattern, ...]
        A record passes if one matches, or there is none.
    """

    batch_size: int
    batch_bytes: int = LAMBDA_PAYLOAD_BYTES
    window_ms: int = 0
    parallelization: int = 1
    bisect: bool = False
    maximum_retries: int = -1
    maximum_age_ms: int = -1
    patterns: tuple[EventPattern, ...] = ()


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """A stream that invokes a function.

    Attributes
    ----------
    mapping_id : str
        Physical id; checkpoints belong to it.
    name : str
        The resource's name in the program.
    source, batching
        What is read, and how.
    function : str
        Function ARN (or name) to invoke.
    role_arn : str
        The function's execution role, shown in Kinesis events.
    report_item_failures : bool
        Whether the response is read for `batchItemFailures`.
    failure_queue_arn : str | None
        SQS queue told about discarded records.
    """

    mapping_id: str
    name: str
    source: Source
    batching: Batching
    function: str
    role_arn: str = ""
    report_item_failures: bool = False
    failure_queue_arn: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Pipe:
    """A stream that is put into a Kinesis stream.

    Attributes
    ----------
    mapping_id : str
        Physical id; checkpoints belong to it.
    name : str
        The resource's name in the program.
    arn : str
        The pipe's ARN, shown in dead-letter messages.
    source, batching
        What is read, and how.
    target_stream_arn : str
        The Kinesis stream.
    partition_key : str
        A literal, or a JSON path into the event such as `$.dynamodb.NewImage.material.S`.
    role_arn : str
        The pipe's role.
    failure_queue_arn : str | None
        SQS dead-letter queue.
    """

    mapping_id: str
    name: str
    arn: str
    source: Source
    batching: Batching
    target_stream_arn: str
    partition_key: str
    role_arn: str = ""
    failure_queue_arn: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything the engine executes."""

    mappings: tuple[EventSourceMapping, ...] = ()
    pipes: tuple[Pipe, ...] = ()
    schedules: tuple[Schedule, ...] = ()

    @property
    def functions_behind(self) -> frozenset[str]:
        """Names of the functions that nobody waits for: schedules and tables' change streams invoke them."""
        behind = [mapping.function for mapping in self.mappings if mapping.source.kind == "dynamodb"]
        behind += [schedule.function for schedule in self.schedules]
        return frozenset(_function_name(function) for function in behind)


def _function_name(function: str) -> str:
    """Return a function's name, given that or its ARN with or without an alias."""
    return function.split(":")[6] if function.startswith("arn:") else function
