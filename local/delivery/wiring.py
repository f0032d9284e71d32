"""Reads event source mappings, pipes and schedules from a Pulumi-shaped state.

A property the engine does not execute is an error that names the resource and the property: settings are never silently
ignored. Limits and defaults: AWS Lambda Developer Guide, "Lambda parameters for Amazon Kinesis Data Streams / DynamoDB
event source mappings"; Amazon EventBridge Pipes Reference, "PipeSourceDynamoDBStreamParameters",
"PipeSourceKinesisStreamParameters"; EventBridge User Guide, "Amazon EventBridge Pipes batching and concurrency".
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from local.delivery.expressions import ExpressionError, parse_expression
from local.delivery.filters import MAX_FILTERS, EventPattern, PatternError, compile_pattern
from local.delivery.mappings import (
    LAMBDA_PAYLOAD_BYTES,
    PUT_RECORDS_BYTES,
    PUT_RECORDS_ENTRIES,
    Batching,
    EventSourceMapping,
    Pipe,
    Source,
    Wiring,
)
from local.delivery.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FUNCTION = "aws:lambda/function:Function"
EVENT_SOURCE_MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
PIPE = "aws:pipes/pipe:Pipe"
SCHEDULE = "aws:scheduler/schedule:Schedule"
STREAM_CONSUMER = "aws:kinesis/streamConsumer:StreamConsumer"

_WITHOUT_EFFECT_ON_DELIVERY = {"region", "tags", "tagsAll", "__defaults"}
_MAPPING_PROPERTIES = {
    "batchSize",
    "bisectBatchOnFunctionError",
    "destinationConfig",
    "enabled",
    "eventSourceArn",
    "filterCriteria",
    "functionName",
    "functionResponseTypes",
    "kmsKeyArn",
    "maximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds",
    "maximumRetryAttempts",
    "metricsConfig",
    "parallelizationFactor",
    "startingPosition",
    "startingPositionTimestamp",
    "useResourceTimeoutForPropagation",
}
_PIPE_PROPERTIES = {
    "description",
    "desiredState",
    "kmsKeyIdentifier",
    "logConfiguration",
    "name",
    "namePrefix",
    "roleArn",
    "source",
    "sourceParameters",
    "target",
    "targetParameters",
}
_SCHEDULE_PROPERTIES = {
    "description",
    "endDate",
    "flexibleTimeWindow",
    "groupName",
    "name",
    "scheduleExpression",
    "scheduleExpressionTimezone",
    "startDate",
    "state",
    "target",
}
_PIPE_STREAM_PROPERTIES = {
    "batchSize",
    "deadLetterConfig",
    "maximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds",
    "maximumRetryAttempts",
    "onPartialBatchItemFailure",
    "parallelizationFactor",
    "startingPosition",
    "startingPositionTimestamp",
}
_DYNAMODB_STREAM = re.compile(r"arn:aws[\w-]*:dynamodb:[\w-]+:\d{12}:table/[^/]+/stream/.+")
_KINESIS_STREAM = re.compile(r"(arn:aws[\w-]*:kinesis:[\w-]+:\d{12}:stream/[^/]+)(/consumer/.+)?")
_QUEUE = re.compile(r"arn:aws[\w-]*:sqs:[\w-]+:\d{12}:.+")
_JSON_PATH = re.compile(r"\$(\.\w+|\[\d+\]|\['[^']+'\])+")


class WiringError(ValueError):
    """A resource that cannot be executed as it is written; the text names resource, property and reason."""


def load_wiring(resources: Iterable[Mapping[str, object]]) -> Wiring:
    """Read event source mappings, pipes and schedules from the `resources` of a stack export.

    Parameters
    ----------
    resources : Iterable[Mapping[str, object]]
        Objects with `urn`, `type`, `id`, `inputs` and `outputs`, property names in the provider's camelCase.

    Raises
    ------
    WiringError
        A property is missing, invalid, or not supported.
    """
    states = [_Resource(resource) for resource in resources]
    roles: dict[str, str] = {}
    functions: dict[str, str] = {}
    for state in states:
        if state.type == FUNCTION:
            arn = state.arn or ""
            for alias in {arn, str(state.outputs.get("name") or state.inputs.get("name") or state.physical_id)}:
                roles[alias] = str(state.inputs.get("role") or "")
                functions[alias] = arn or alias
    consumers = {state.arn for state in states if state.type == STREAM_CONSUMER}
    mappings: list[EventSourceMapping] = []
    for state in states:
        if state.type == EVENT_SOURCE_MAPPING:
            mapping = _read_mapping(state, roles, functions)
            if mapping.source.enhanced_fan_out and mapping.source.arn not in consumers:
                raise state.error("eventSourceArn", f"no StreamConsumer of this stack has the ARN {mapping.source.arn}")
            mappings.append(mapping)
    pipes = [_read_pipe(state) for state in states if state.type == PIPE]
    schedules = [_read_schedule(state, set(functions)) for state in states if state.type == SCHEDULE]
    return Wiring(tuple(mappings), tuple(pipes), tuple(schedules))


class _Resource:
    def __init__(self, resource: Mapping[str, object]) -> None:
        self.urn = str(resource["urn"])
        self.type = str(resource["type"])
        self.physical_id = str(resource.get("id") or self.urn)
        self.inputs = cast("dict[str, object]", resource.get("inputs") or {})
        self.outputs = cast("dict[str, object]", resource.get("outputs") or {})
        self.name = self.urn.rsplit("::", 1)[-1]

    @property
    def arn(self) -> str | None:
        arn = self.outputs.get("arn")
        return arn if isinstance(arn, str) else None

    def error(self, name: str, reason: str) -> WiringError:
        return WiringError(f"{self.type} {self.name!r}, property {name}: {reason}")


class _Properties:
    """Typed, checked access to one object of a resource's properties."""

    def __init__(self, resource: _Resource, path: str, values: Mapping[str, object], supported: set[str]) -> None:
        self._resource = resource
        self._prefix = f"{path}." if path else ""
        self._values = {name: value for name, value in values.items() if value not in (None, [], {}, "")}
        for name in sorted(self._values.keys() - supported - _WITHOUT_EFFECT_ON_DELIVERY):
            if self._values[name] != 0:
                raise self.error(name, "not supported by local delivery")

    def error(self, name: str, reason: str) -> WiringError:
        return self._resource.error(f"{self._prefix}{name}", reason)

    def get(self, name: str) -> object:
        return self._values.get(name)

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self.error(name, f"must be a string, not {value!r}" if name in self._values else "is missing")
        return value

    def integer(self, name: str, default: int, lowest: int, highest: int) -> int:
        value = self._values.get(name, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # numbers of a state file are JSON numbers
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise self.error(name, f"must be a whole number from {lowest} to {highest}, not {value!r}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self.error(name, f"must be true or false, not {value!r}")
        return value

    def nested(self, name: str, supported: set[str]) -> _Properties:
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise self.error(name, f"must be an object, not {value!r}")
        return _Properties(self._resource, f"{self._prefix}{name}", cast("dict[str, object]", value), supported)


def _read_mapping(resource: _Resource, roles: Mapping[str, str], functions: Mapping[str, str]) -> EventSourceMapping:
    properties = _Properties(resource, "", resource.inputs, _MAPPING_PROPERTIES)
    function = properties.text("functionName")
    response_types = cast("list[object]", properties.get("functionResponseTypes") or [])
    if response_types not in ([], ["ReportBatchItemFailures"]):
        raise properties.error("functionResponseTypes", f'must be ["ReportBatchItemFailures"], not {response_types!r}')
    failure = properties.nested("destinationConfig", {"onFailure"}).nested("onFailure", {"destinationArn"})
    source = _read_source(properties, "eventSourceArn", properties)
    patterns = _read_patterns(properties)
    for pattern in patterns:
        if source.kind == "kinesis" and pattern.fields - {"data"}:
            raise properties.error("filterCriteria", f"Kinesis mappings filter on data only: {pattern.text}")
    return EventSourceMapping(
        mapping_id=resource.physical_id,
        name=resource.name,
        source=source,
        batching=_read_batching(
            properties,
            default_size=100,
            largest_size=10_000,
            batch_bytes=LAMBDA_PAYLOAD_BYTES,
            bisect=properties.flag("bisectBatchOnFunctionError", default=False),
            patterns=patterns,
        ),
        function=functions.get(function, function),
        role_arn=roles.get(function, ""),
        report_item_failures=bool(response_types),
        failure_queue_arn=_read_queue(failure, "destinationArn"),
        enabled=properties.flag("enabled", default=True),
    )


def _read_pipe(resource: _Resource) -> Pipe:
    properties = _Properties(resource, "", resource.inputs, _PIPE_PROPERTIES)
    state = properties.get("desiredState") or "RUNNING"
    if state not in {"RUNNING", "STOPPED"}:
        raise properties.error("desiredState", f"must be RUNNING or STOPPED, not {state!r}")
    kind = _stream_kind(properties, "source")[0]
    block = "dynamodbStreamParameters" if kind == "dynamodb" else "kinesisStreamParameters"
    parameters = properties.nested("sourceParameters", {block, "filterCriteria"})
    stream = parameters.nested(block, _PIPE_STREAM_PROPERTIES)
    target = properties.text("target")
    matched = _KINESIS_STREAM.fullmatch(target)
    if not matched or matched[2]:
        raise properties.error("target", f"only a Kinesis stream is supported, not {target}")
    kinesis = properties.nested("targetParameters", {"kinesisStreamParameters"}).nested(
        "kinesisStreamParameters", {"partitionKey"}
    )
    partition_key = kinesis.text("partitionKey")
    if partition_key.startswith("$") and not _JSON_PATH.fullmatch(partition_key):
        raise kinesis.error("partitionKey", f"only $.field, ['field'] and [0] steps are supported, not {partition_key}")
    partial = stream.get("onPartialBatchItemFailure")
    if partial not in {None, "AUTOMATIC_BISECT"}:
        raise stream.error("onPartialBatchItemFailure", f"must be AUTOMATIC_BISECT, not {partial!r}")
    return Pipe(
        mapping_id=resource.physical_id,
        name=resource.name,
        arn=resource.arn or resource.physical_id,
        source=_read_source(properties, "source", stream),
        batching=_read_batching(
            stream,
            default_size=1,
            largest_size=PUT_RECORDS_ENTRIES,
            batch_bytes=PUT_RECORDS_BYTES,
            bisect=partial is not None,
            patterns=_read_patterns(parameters),
        ),
        target_stream_arn=target,
        partition_key=partition_key,
        role_arn=properties.text("roleArn"),
        failure_queue_arn=_read_queue(stream.nested("deadLetterConfig", {"arn"}), "arn"),
        enabled=state == "RUNNING",
    )


def _read_schedule(resource: _Resource, functions: set[str]) -> Schedule:
    properties = _Properties(resource, "", resource.inputs, _SCHEDULE_PROPERTIES)
    window = properties.nested("flexibleTimeWindow", {"mode"})
    if window.text("mode") != "OFF":
        raise window.error("mode", f"only OFF is supported, not {window.text('mode')}")
    state = properties.get("state") or "ENABLED"
    if state not in {"ENABLED", "DISABLED"}:
        raise properties.error("state", f"must be ENABLED or DISABLED, not {state!r}")
    target = properties.nested("target", {"arn", "deadLetterConfig", "input", "retryPolicy", "roleArn"})
    function = target.text("arn")
    if function not in functions:
        raise target.error("arn", f"only a Lambda function of the stack is supported, not {function}")
    try:
        timezone = str(properties.get("scheduleExpressionTimezone") or "UTC")
        expression = parse_expression(properties.text("scheduleExpression"), timezone)
    except ExpressionError as error:
        raise properties.error("scheduleExpression", str(error)) from None
    retries = target.nested("retryPolicy", {"maximumEventAgeInSeconds", "maximumRetryAttempts"})
    return Schedule(
        name=resource.name,
        arn=resource.arn or resource.physical_id,
        expression=expression,
        function=function,
        payload=target.text("input") if target.get("input") is not None else None,
        maximum_retries=retries.integer("maximumRetryAttempts", 185, 0, 185),
        maximum_age_ms=retries.integer("maximumEventAgeInSeconds", 86_400, 60, 86_400) * 1000,
        failure_queue_arn=_read_queue(target.nested("deadLetterConfig", {"arn"}), "arn"),
        enabled=state == "ENABLED",
        start_ms=_read_time(properties, "startDate"),
        end_ms=_read_time(properties, "endDate"),
    )


def _read_time(properties: _Properties, name: str) -> int | None:
    if properties.get(name) is None:
        return None
    try:
        return round(datetime.fromisoformat(properties.text(name)).timestamp() * 1000)
    except ValueError:
        raise properties.error(name, f"must be an RFC 3339 time, not {properties.text(name)!r}") from None


def _stream_kind(properties: _Properties, name: str) -> tuple[Literal["dynamodb", "kinesis"], str]:
    arn = properties.text(name)
    if _DYNAMODB_STREAM.fullmatch(arn):
        return "dynamodb", arn
    matched = _KINESIS_STREAM.fullmatch(arn)
    if not matched:
        raise properties.error(name, f"must be the ARN of a DynamoDB stream, Kinesis stream or consumer, not {arn}")
    return "kinesis", matched[1]


def _read_source(properties: _Properties, arn_name: str, position: _Properties) -> Source:
    kind, stream_arn = _stream_kind(properties, arn_name)
    start = position.text("startingPosition")
    timestamp = position.get("startingPositionTimestamp")
    if start not in {"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"} or (start == "AT_TIMESTAMP" and kind == "dynamodb"):
        raise position.error("startingPosition", f"{start!r} is not a starting position of a {kind} stream")
    if (start == "AT_TIMESTAMP") != (timestamp is not None):
        raise position.error("startingPositionTimestamp", "goes with startingPosition AT_TIMESTAMP, and only with it")
    timestamp_ms = 0
    if timestamp is not None:
        try:
            timestamp_ms = round(datetime.fromisoformat(str(timestamp)).timestamp() * 1000)
        except ValueError:
            raise position.error("startingPositionTimestamp", f"must be an RFC 3339 time, not {timestamp!r}") from None
    return Source(
        kind,
        properties.text(arn_name),
        stream_arn,
        cast("Literal['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP']", start),
        timestamp_ms,
    )


def _read_batching(
    properties: _Properties,
    *,
    default_size: int,
    largest_size: int,
    batch_bytes: int,
    bisect: bool,
    patterns: tuple[EventPattern, ...],
) -> Batching:
    age_s = properties.integer("maximumRecordAgeInSeconds", -1, -1, 604_800)
    if -1 < age_s < 60:
        raise properties.error("maximumRecordAgeInSeconds", f"must be -1 or at least 60, not {age_s}")
    batch_size = properties.integer("batchSize", default_size, 1, largest_size)
    window_s = properties.integer("maximumBatchingWindowInSeconds", 0, 0, 300)
    return Batching(
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        window_ms=window_s * 1000,
        parallelization=properties.integer("parallelizationFactor", 1, 1, 10),
        bisect=bisect,
        maximum_retries=properties.integer("maximumRetryAttempts", -1, -1, 10_000),
        maximum_age_ms=-1 if age_s == -1 else age_s * 1000,
        patterns=patterns,
    )


def _read_patterns(properties: _Properties) -> tuple[EventPattern, ...]:
    filters = cast("list[Mapping[str, object]]", properties.nested("filterCriteria", {"filters"}).get("filters") or [])
    if len(filters) > MAX_FILTERS:
        raise properties.error("filterCriteria", f"takes a list of at most {MAX_FILTERS} filters")
    patterns: list[EventPattern] = []
    for entry in filters:
        try:
            patterns.append(compile_pattern(str(entry.get("pattern", ""))))
        except PatternError as error:
            raise properties.error("filterCriteria", str(error)) from None
    return tuple(patterns)


def _read_queue(properties: _Properties, name: str) -> str | None:
    if properties.get(name) is None:
        return None
    arn = properties.text(name)
    if not _QUEUE.fullmatch(arn):
        raise properties.error(name, f"only an SQS queue is supported, not {arn}")
    return arn
