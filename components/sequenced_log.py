"""Sequenced log: tables of partitions, events and consumers, and a consumer function that new events trigger."""

import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components.adopted_table import AdoptedTable, adopt_table
from components.alarms import raise_alarm
from components.function import Function
from components.inputs import InputError, check_inputs, check_range, given_together
from components.runtime_layer import runtime_layer_arn
from components.schedule import Schedule
from components.table import KeyType, Projection, Table
from components.table_uses import right_on

PLACEMENT_INDEX = "by_placement"
METRICS_NAMESPACE = "Patterns/SequencedLog"
# A lease must outlive the longest invocation, or it would end under one that still works.
_LEASE_MARGIN_MS = 5_000


class SequencedLogArgs(TypedDict):
    """Inputs of `SequencedLog`."""

    handler: str
    """Dotted path of the handler inside the archive: what `consumer_function` of `patterns.sequenced_log.function`
    returned."""
    code: pulumi.Archive
    """Archive with the handler. The pattern libraries come from the layer."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """The handler's own environment variables. Default: none."""
    consumer: NotRequired[str]
    """Name of the consumer; its checkpoints are kept under it. Default: the component's name."""
    table_name: NotRequired[pulumi.Input[str] | None]
    """Name of an existing events table with a text partition key and a number as sort key; it may be another
    `SequencedLog`'s, for one more consumer of it. Default: one is made."""
    table_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the existing table."""
    table_stream_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the existing table's stream."""
    partition_key: NotRequired[str]
    """Name of the events table's partition key. Default: partition."""
    sequence_key: NotRequired[str]
    """Name of the events table's sort key. Default: sequence."""
    log_name: NotRequired[str | None]
    """Name under which the adopted registry knows the log: the name of the `SequencedLog` that made it. Default: the
    component's name."""
    partitions_table_name: NotRequired[pulumi.Input[str] | None]
    """Name of the table of partitions of the `SequencedLog` whose events table is adopted: from it this consumer knows
    the partitions, and which came out of which. Default: one is made."""
    partitions_table_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of that table."""
    max_attempts: NotRequired[int]
    """Attempts a failing event gets before it is parked, 1..100. Default: 5."""
    checkpoint_every: NotRequired[int]
    """Events between two checkpoints, 1..10000: so many may be handled again after a crash. Default: 100."""
    sweep_every_minutes: NotRequired[int]
    """Minutes between looks at every partition's lag, 1..60. Default: 1."""
    sweepers: NotRequired[int]
    """Invocations a sweep is divided into, 1..256; one looks at some thousand partitions in ten seconds. Default: 1."""
    max_lag: NotRequired[int]
    """Events a partition may be behind at a sweep before the alarm fires. Default: 1000."""
    batch_size: NotRequired[int]
    """Most changes an invocation is triggered by, 1..10000. Default: 100."""
    timeout_s: NotRequired[int]
    """Longest invocation in seconds, 5..900. What is left then is handed over to the next one. Default: 60."""
    memory_mb: NotRequired[int]
    """Memory in MB, 128..10240. Default: 512."""
    log_retention_days: NotRequired[int]
    """How long the function's log group keeps its events. Default: 30."""
    point_in_time_recovery: NotRequired[bool]
    """Whether the tables made here can be restored to any second of the last 35 days. Default: false."""
    deletion_protection: NotRequired[bool]
    """Whether the tables made here refuse to be deleted. Default: false."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version. Default: the component publishes one of its own; share one when several
    patterns live in a program."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of lag, gaps, parked events, errors and batches given up. Default: the alarms are only shown
    in CloudWatch."""


class SequencedLog(pulumi.ComponentResource):
    """A log of numbered events, and one consumer of it: triggered by new events, swept by a schedule."""

    table_name: pulumi.Output[str]
    """Physical name of the events table."""
    table_arn: pulumi.Output[str]
    """ARN of the events table."""
    table_stream_arn: pulumi.Output[str]
    """ARN of the events table's stream: what a second consumer subscribes to."""
    partitions_table_name: pulumi.Output[str]
    """Physical name of the table of partitions."""
    partitions_table_arn: pulumi.Output[str]
    """ARN of that table."""
    consumers_table_name: pulumi.Output[str]
    """Physical name of the table of checkpoints, leases and parked events."""
    consumers_table_arn: pulumi.Output[str]
    """ARN of that table: a handler that adds a checkpoint to its own transaction needs no further right on it."""
    function_name: pulumi.Output[str]
    """Physical name of the consumer function."""
    function_arn: pulumi.Output[str]
    """ARN of that function."""
    role_name: pulumi.Output[str]
    """Physical name of its role: what rights the handler needs are attached to."""
    failed_batches_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of stream batches given up. The sweep finds their partitions."""
    failed_sweeps_queue_url: pulumi.Output[str]
    """URL of the queue with sweeps and handed-over runs given up. The next sweep does their work."""

    def __init__(self, name: str, args: SequencedLogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:SequencedLog", name, {}, opts)
        check_inputs("SequencedLog", name, args, SequencedLogArgs)
        minutes = args.get("sweep_every_minutes", 1)
        timeout_s = args.get("timeout_s", 60)
        max_lag = args.get("max_lag", 1_000)
        for key, value, low, high in (
            ("max_attempts", args.get("max_attempts", 5), 1, 100),
            ("checkpoint_every", args.get("checkpoint_every", 100), 1, 10_000),
            ("sweep_every_minutes", minutes, 1, 60),
            ("sweepers", args.get("sweepers", 1), 1, 256),
            ("max_lag", max_lag, 0, 10**9),
            ("batch_size", args.get("batch_size", 100), 1, 10_000),
            ("timeout_s", timeout_s, 5, 900),
        ):
            check_range("SequencedLog", name, key, value, low=low, high=high)
        alarm_topic_arn = args.get("alarm_topic_arn")
        consumer = args.get("consumer", name)
        if not 1 <= len(consumer.encode()) <= 256 or "~" in consumer:
            raise InputError("SequencedLog", name, "consumer", f"must be 1..256 bytes without '~', got {consumer}")
        partition_key = args.get("partition_key", "partition")
        sequence_key = args.get("sequence_key", "sequence")
        child = pulumi.ResourceOptions(parent=self)

        events = adopt_table("SequencedLog", name, args, self, stream=True) or Table(
            f"{name}-events",
            {
                "hash_key": partition_key,
                "range_key": sequence_key,
                "range_key_type": KeyType.NUMBER,
                "ttl_attribute": "expires_at_s",
                "stream": True,
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            },
            child,
        )
        partitions = _adopted_registry(name, args, self) or Table(
            f"{name}-partitions",
            {
                "hash_key": "log",
                "range_key": "partition",
                "indexes": [
                    {
                        "name": PLACEMENT_INDEX,
                        "hash_key": "log",
                        "range_key": "placement",
                        "projection": Projection.ALL,
                    }
                ],
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            },
            child,
        )
        consumers = Table(
            f"{name}-consumers",
            {
                "hash_key": "consumer",
                "range_key": "partition",
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            },
            child,
        )
        self._variables: dict[str, pulumi.Input[str]] = {
            "SEQUENCED_LOG_LOG": args.get("log_name") or name,
            "SEQUENCED_LOG_EVENTS_TABLE": events.table_name,
            "SEQUENCED_LOG_PARTITIONS_TABLE": partitions.table_name,
            "SEQUENCED_LOG_CONSUMERS_TABLE": consumers.table_name,
            "SEQUENCED_LOG_PARTITION_KEY": partition_key,
            "SEQUENCED_LOG_SEQUENCE_KEY": sequence_key,
            "SEQUENCED_LOG_CONSUMER": consumer,
            "SEQUENCED_LOG_LEASE_MS": str(timeout_s * 1000 + _LEASE_MARGIN_MS),
            "SEQUENCED_LOG_MAX_ATTEMPTS": str(args.get("max_attempts", 5)),
            "SEQUENCED_LOG_CHECKPOINT_EVERY": str(args.get("checkpoint_every", 100)),
            "SEQUENCED_LOG_SWEEPERS": str(args.get("sweepers", 1)),
        }
        function = Function(
            f"{name}-consumer",
            {
                "handler": args["handler"],
                "code": args["code"],
                "layers": [runtime_layer_arn(name, args.get("runtime_layer_arn"), self)],
                "variables": {**args.get("variables", {}), **self._variables},
                "memory_mb": args.get("memory_mb", 512),
                "timeout_s": timeout_s,
                "log_retention_days": args.get("log_retention_days", 30),
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        events.grant(function, "Query")
        partitions.grant(function, "GetItem")
        partitions.grant(function, "Query", index=PLACEMENT_INDEX)
        consumers.grant(function, "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
        function.allow("hands-over", [{"actions": ["lambda:InvokeFunction"], "resources": [function.arn]}])
        subscription = events.subscribe(
            function,
            filter_pattern=event_filter(sequence_key),
            batch_size=args.get("batch_size", 100),
            alarm_topic_arn=alarm_topic_arn,
        )
        sweep = Schedule(
            f"{name}-sweep",
            {
                "expression": f"rate({minutes} minute{'s' if minutes > 1 else ''})",
                "function_name": function.function_name,
                "function_arn": function.arn,
                "role_name": function.role_name,
                # The next sweep does what this one, or a run handed over, did not.
                "max_retries": 0,
                "max_event_age_s": 60 * minutes,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=function.grants),
        )
        for metric, above, description in (
            ("Lag", max_lag, f"{name}: a partition is far behind; the consumer is slow, stuck or failing"),
            ("UnsweptPartitions", 0, f"{name}: a sweep had no time for all partitions; raise sweepers or timeout_s"),
            ("Gaps", 0, f"{name}: events are missing from the log; its log line names partition and numbers"),
            ("Parked", 0, f"{name}: an event was parked after its last attempt; look at its reason and re-drive it"),
        ):
            raise_alarm(
                f"{name}-{metric.lower()}",
                parent=self,
                description=description,
                namespace=METRICS_NAMESPACE,
                metric=metric,
                dimensions={"Table": events.table_name, "Consumer": consumer},
                statistic="Maximum",
                above=above,
                period_s=60 * minutes,
                topic_arn=alarm_topic_arn,
            )

        self._function = function
        self.table_name = events.table_name
        self.table_arn = events.arn
        self.table_stream_arn = events.stream_arn
        self.partitions_table_name = partitions.table_name
        self.partitions_table_arn = partitions.arn
        self.consumers_table_name = consumers.table_name
        self.consumers_table_arn = consumers.arn
        self.function_name = function.function_name
        self.function_arn = function.arn
        self.role_name = function.role_name
        self.failed_batches_queue_url = subscription.failures_queue_url
        self.failed_sweeps_queue_url = sweep.failures_queue_url
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "table_stream_arn": self.table_stream_arn,
                "partitions_table_name": self.partitions_table_name,
                "partitions_table_arn": self.partitions_table_arn,
                "consumers_table_name": self.consumers_table_name,
                "consumers_table_arn": self.consumers_table_arn,
                "function_name": self.function_name,
                "function_arn": self.function_arn,
                "role_name": self.role_name,
                "failed_batches_queue_url": self.failed_batches_queue_url,
                "failed_sweeps_queue_url": self.failed_sweeps_queue_url,
            }
        )

    @property
    def function(self) -> Function:
        """The consumer function: grant it what the handler uses."""
        return self._function

    @property
    def appender_variables(self) -> Mapping[str, pulumi.Input[str]]:
        """Environment variables of a function that appends: what `patterns.sequenced_log.function.event_log` reads."""
        return self._variables

    def grant_append(self, function: Function) -> None:
        """Let a function append and read events. Nobody is granted to change or delete one."""
        appending = right_on(self.table_arn, "PutItem", "Query", "BatchGetItem")
        registering = right_on(self.partitions_table_arn, "PutItem")
        function.allow(f"appends-to-{self.pulumi_resource_name}", [appending, registering])

    def grant_split(self, function: Function) -> None:
        """Let a function split partitions."""
        closing = right_on(self.table_arn, "PutItem", "Query")
        registering = right_on(self.partitions_table_arn, "PutItem", "UpdateItem")
        function.allow(f"splits-{self.pulumi_resource_name}", [closing, registering])


def _adopted_registry(name: str, args: Mapping[str, Any], parent: pulumi.Resource) -> AdoptedTable | None:
    if not given_together("SequencedLog", name, args, ("partitions_table_name", "partitions_table_arn", "log_name")):
        return None
    if args.get("table_name") is None:
        raise InputError(
            "SequencedLog", name, "table_name", "is missing: a registry is that of an existing events table"
        )
    return AdoptedTable(
        f"{name}-partitions-table",
        table_name=args["partitions_table_name"],
        table_arn=args["partitions_table_arn"],
        parent=parent,
    )


def event_filter(sequence_key: str) -> str:
    """Return the trigger's filter: new events only, not the remembered ids, which have the number 0."""
    keys = {sequence_key: {"N": [{"anything-but": ["0"]}]}}
    return json.dumps({"eventName": ["INSERT"], "dynamodb": {"Keys": keys}})
