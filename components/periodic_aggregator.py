"""Periodic aggregator: records collected into time buckets per key, and a function on a schedule that closes them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi

from components.adopted_table import adopt_table
from components.function import Function
from components.grants import Statement
from components.inputs import InputError, check_inputs, check_range
from components.runtime_layer import runtime_layer_arn
from components.schedule import Schedule
from components.table import KeyType, Projection, Table
from components.table_uses import right_on

_INDEX = "pending"
# Lambda kills the function at its timeout; the lease outlives it, so that two never process a bucket at a time.
_LEASE_BEYOND_TIMEOUT_S = 5


class LateRecords(StrEnum):
    """What happens to a record whose bucket is closed."""

    NEXT_BUCKET = "NEXT_BUCKET"
    """It counts in the bucket of the present."""
    REOPEN = "REOPEN"
    """Its bucket is opened and, as a whole, processed again."""
    DROP = "DROP"
    """It is not stored; a metric counts it."""


class PeriodicAggregatorArgs(TypedDict):
    """Inputs of `PeriodicAggregator`."""

    handler: str
    """Dotted path of the handler inside the archive: it calls `PeriodicAggregator.close_due`."""
    code: pulumi.Archive
    """Archive with the handler; the pattern libraries come from the layer."""
    code_holds_libraries: NotRequired[bool]
    """Whether ``code`` has the pattern libraries in it, so that no layer is needed. Default: false."""
    width_s: int
    """Width of a bucket in seconds, 1..31536000; one begins at every multiple of it in Unix time."""
    grace_s: NotRequired[int]
    """Seconds after its end for which a bucket still takes records, 0..86400. Default: 0."""
    late_records: NotRequired[LateRecords]
    """What happens to records after that. Default: NEXT_BUCKET."""
    shards: NotRequired[int]
    """Items over which the writers of one bucket are spread, 1..256. Default: 1, for some ten writers at a time."""
    schedule: NotRequired[str]
    """How often to close buckets, a schedule expression. Default: ``rate(1 minute)``. Missed firings are caught up."""
    retention_days: NotRequired[int]
    """Days from its closing for which a bucket takes late records, 1..3650; a day later it is deleted. Default: it
    stays."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further environment variables of the function. Default: none."""
    rights: NotRequired[Sequence[Statement]]
    """What the function's processing may do elsewhere, IAM actions on complete ARNs. Default: nothing."""
    memory_mb: NotRequired[int]
    """Memory of the function in MB. Default: 512."""
    function_timeout_s: NotRequired[int]
    """Longest run of the function in seconds, 1..900; the lease on a bucket is 5 s longer. Default: 60."""
    log_retention_days: NotRequired[int]
    """Days the log group keeps its events. Default: 30."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version. Default: the component publishes one of its own; share one when several
    patterns live in a program."""
    table_name: NotRequired[pulumi.Input[str]]
    """Name of an existing table to use, with text keys ``bucket`` and ``entry`` and a KEYS_ONLY index ``pending`` of
    keys ``pending`` (text) and ``closes_at_ms`` (number); with ``retention_days`` also with time to live on
    ``expires_at_s``. Default: the component makes one."""
    table_arn: NotRequired[pulumi.Input[str]]
    """ARN of the existing table."""
    point_in_time_recovery: NotRequired[bool]
    """Whether the made table can be restored to any second of the last 35 days. Default: false."""
    deletion_protection: NotRequired[bool]
    """Whether AWS and Pulumi refuse to delete the made table. Default: false."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic for all alarms. Default: the alarms are only shown in CloudWatch."""


class PeriodicAggregator(pulumi.ComponentResource):
    """A table of time buckets and a function on a schedule that processes each of them once."""

    table_name: pulumi.Output[str]
    """Name of the table with the buckets."""
    table_arn: pulumi.Output[str]
    """ARN of the table: who adds needs PutItem and UpdateItem on it; who reads needs GetItem and Query, and Query on
    its index ``pending``."""
    function_name: pulumi.Output[str]
    """Name of the function that closes buckets."""
    role_name: pulumi.Output[str]
    """Name of its role, for further rights of its own."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue with the firings given up; what they left is taken by the next firing."""
    variables: pulumi.Output[dict[str, str]]
    """Environment variables for the functions that add records."""

    def __init__(self, name: str, args: PeriodicAggregatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:PeriodicAggregator", name, {}, opts)
        check_inputs("PeriodicAggregator", name, args, PeriodicAggregatorArgs)
        width_s, grace_s, shards = args["width_s"], args.get("grace_s", 0), args.get("shards", 1)
        late_records = args.get("late_records", LateRecords.NEXT_BUCKET)
        retention_days = args.get("retention_days")
        function_timeout_s = args.get("function_timeout_s", 60)
        alarm_topic_arn = args.get("alarm_topic_arn")
        check_range("PeriodicAggregator", name, "width_s", width_s, low=1, high=365 * 24 * 3600)
        check_range("PeriodicAggregator", name, "grace_s", grace_s, low=0, high=24 * 3600)
        check_range("PeriodicAggregator", name, "shards", shards, low=1, high=256)
        if retention_days is not None:
            check_range("PeriodicAggregator", name, "retention_days", retention_days, low=1, high=3650)
        if late_records not in tuple(LateRecords):
            rule = f"must be one of {', '.join(LateRecords)}, got {late_records}"
            raise InputError("PeriodicAggregator", name, "late_records", rule)
        child = pulumi.ResourceOptions(parent=self)

        table = adopt_table("PeriodicAggregator", name, args, self) or Table(
            f"{name}-buckets",
            {
                "hash_key": "bucket",
                "range_key": "entry",
                "indexes": [
                    {
                        "name": _INDEX,
                        "hash_key": "pending",
                        "range_key": "closes_at_ms",
                        "range_key_type": KeyType.NUMBER,
                        "projection": Projection.KEYS_ONLY,
                    }
                ],
                "ttl_attribute": None if retention_days is None else "expires_at_s",
                "point_in_time_recovery": args.get("point_in_time_recovery", False),
                "deletion_protection": args.get("deletion_protection", False),
            },
            child,
        )
        variables: dict[str, pulumi.Input[str]] = {
            "PERIODIC_AGGREGATOR_TABLE": table.table_name,
            "PERIODIC_AGGREGATOR_WIDTH_MS": str(width_s * 1000),
            "PERIODIC_AGGREGATOR_GRACE_MS": str(grace_s * 1000),
            "PERIODIC_AGGREGATOR_LATE": str(late_records),
            "PERIODIC_AGGREGATOR_SHARDS": str(shards),
            "PERIODIC_AGGREGATOR_LEASE_MS": str((function_timeout_s + _LEASE_BEYOND_TIMEOUT_S) * 1000),
        }
        if retention_days is not None:
            variables["PERIODIC_AGGREGATOR_RETENTION_MS"] = str(retention_days * 24 * 3600 * 1000)
        function = Function(
            f"{name}-handler",
            {
                "handler": args["handler"],
                "code": args["code"],
                "layers": []
                if args.get("code_holds_libraries", False)
                else [runtime_layer_arn(name, args.get("runtime_layer_arn"), self)],
                "variables": {**args.get("variables", {}), **variables},
                "memory_mb": args.get("memory_mb", 512),
                "timeout_s": function_timeout_s,
                "log_retention_days": args.get("log_retention_days", 30),
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        table.grant(function, "GetItem", "Query", "UpdateItem")
        table.grant(function, "Query", index=_INDEX)
        if rights := args.get("rights"):
            function.allow("processes", rights)
        schedule = Schedule(
            f"{name}-closing",
            {
                "expression": args.get("schedule", "rate(1 minute)"),
                "function_name": function.function_name,
                "function_arn": function.arn,
                "role_name": function.role_name,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=function.grants),
        )

        self._table = table
        self._variables = variables
        self.table_name = table.table_name
        self.table_arn = table.arn
        self.function_name = function.function_name
        self.role_name = function.role_name
        self.failures_queue_url = schedule.failures_queue_url
        self.variables = pulumi.Output.all(**variables)
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "function_name": self.function_name,
                "role_name": self.role_name,
                "failures_queue_url": self.failures_queue_url,
                "variables": self.variables,
            }
        )

    @property
    def adding_variables(self) -> Mapping[str, pulumi.Input[str]]:
        """`variables` in the form `Function` takes."""
        return self._variables

    def grant_adding(self, function: Function) -> None:
        """Let a function that was given `adding_variables` add records."""
        self._table.grant(function, "PutItem", "UpdateItem")

    def grant_read(self, function: Function) -> None:
        """Let a function that was given `adding_variables` read buckets, and list those that are not processed."""
        reading = right_on(self.table_arn, "GetItem", "Query")
        listing = right_on(self.table_arn, "Query", index=_INDEX)
        function.allow(f"reads-{self.pulumi_resource_name}", [reading, listing])
