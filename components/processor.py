"""Processor: a table of ongoing transactions, the function that drives them, the schedule that finds what is due."""

import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi

from components.adopted_table import AdoptedTable, adopt_table
from components.alarms import raise_alarm
from components.function import Function
from components.grants import Statement
from components.inputs import check_inputs, check_range
from components.runtime_layer import runtime_layer_arn
from components.schedule import Schedule
from components.table import KeyType, Projection, Table
from components.table_uses import right_on

DUE_INDEX = "due"
# Only new, handed over and re-driven transactions carry the mark; the claim takes it off, and no progress write has it.
WAKE_FILTER = json.dumps({"dynamodb": {"NewImage": {"wake": {"S": [{"exists": True}]}}}})
# A lease must outlive the longest invocation, or it would end under one that still works.
_LEASE_MARGIN_MS = 5_000


class ProcessorArgs(TypedDict):
    """Inputs of `Processor`."""

    handler: str
    """Dotted path of the handler inside the archive: what `patterns.processor.lambda_handler` returned."""
    code: pulumi.Archive
    """Archive with the handler and the steps. The pattern libraries come from the layer."""
    code_holds_libraries: NotRequired[bool]
    """Whether ``code`` has the pattern libraries in it, so that no layer is needed. Default: false."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """The handler's own environment variables. Default: none."""
    table_name: NotRequired[pulumi.Input[str] | None]
    """Name of an existing table to use, with ``transaction_id`` (text) as its key and a stream of new images; its index
    ``due`` has the keys ``due_shard`` (text) and ``due_at_ms`` (number). Default: the component makes one."""
    table_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the existing table."""
    table_stream_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the existing table's stream."""
    shards: NotRequired[int]
    """Partitions of the index of due transactions, 1..64, each good for 1,000 changes a second. May be raised, never
    lowered. Default: 4."""
    max_attempts: NotRequired[int]
    """Tries of a step without progress before the transaction is parked, 1..100. Default: 5."""
    sweep_every_minutes: NotRequired[int]
    """Minutes between looks for retries, waits, ended leases and timeouts, 1..60. Default: 1."""
    retention_days: NotRequired[int]
    """Days a finished transaction is kept, 0 for ever. Default: 30."""
    batch_size: NotRequired[int]
    """Most transactions an invocation starts on, 1..1000. Default: 10."""
    timeout_s: NotRequired[int]
    """Longest invocation in seconds, 5..900. Work that takes longer continues in the next one. Default: 60."""
    memory_mb: NotRequired[int]
    """Memory in MB, 128..10240. Default: 512."""
    log_retention_days: NotRequired[int]
    """How long the function's log group keeps its events. Default: 30."""
    point_in_time_recovery: NotRequired[bool]
    """Whether a table made here can be restored to any second of the last 35 days. Default: false."""
    deletion_protection: NotRequired[bool]
    """Whether a table made here refuses to be deleted. Default: false."""
    runtime_layer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a `RuntimeLayer`'s version. Default: the component publishes one of its own; share one when several
    patterns live in a program."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of parked transactions, errors, lag and batches given up. Default: the alarms are only shown
    in CloudWatch."""


class Processor(pulumi.ComponentResource):
    """Transactions of named steps: submitted as items, driven by a function, retried and timed out by a schedule."""

    table_name: pulumi.Output[str]
    """Physical name of the transactions table: what submitters set as ``PROCESSOR_TABLE``."""
    table_arn: pulumi.Output[str]
    """ARN of the table."""
    table_stream_arn: pulumi.Output[str]
    """ARN of the table's change stream, for one more reader, such as a history."""
    function_name: pulumi.Output[str]
    """Physical name of the function that runs the steps."""
    function_arn: pulumi.Output[str]
    """ARN of that function."""
    role_name: pulumi.Output[str]
    """Physical name of its role: what rights the steps need are attached to."""
    failed_batches_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of stream batches given up. Their transactions are found by the sweep."""
    failed_sweeps_queue_url: pulumi.Output[str]
    """URL of the queue with the sweeps given up. The next one does their work."""

    def __init__(self, name: str, args: ProcessorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Processor", name, {}, opts)
        check_inputs("Processor", name, args, ProcessorArgs)
        shards = args.get("shards", 4)
        max_attempts = args.get("max_attempts", 5)
        minutes = args.get("sweep_every_minutes", 1)
        retention_days = args.get("retention_days", 30)
        batch_size = args.get("batch_size", 10)
        timeout_s = args.get("timeout_s", 60)
        check_range("Processor", name, "shards", shards, low=1, high=64)
        check_range("Processor", name, "max_attempts", max_attempts, low=1, high=100)
        check_range("Processor", name, "sweep_every_minutes", minutes, low=1, high=60)
        check_range("Processor", name, "retention_days", retention_days, low=0, high=36_500)
        check_range("Processor", name, "batch_size", batch_size, low=1, high=1_000)
        check_range("Processor", name, "timeout_s", timeout_s, low=5, high=900)
        alarm_topic_arn = args.get("alarm_topic_arn")
        child = pulumi.ResourceOptions(parent=self)

        table = adopt_table("Processor", name, args, self, stream=True) or _new_table(name, args, child)
        function = Function(
            f"{name}-processor",
            {
                "handler": args["handler"],
                "code": args["code"],
                "layers": []
                if args.get("code_holds_libraries", False)
                else [runtime_layer_arn(name, args.get("runtime_layer_arn"), self)],
                "variables": {
                    **args.get("variables", {}),
                    "PROCESSOR_TABLE": table.table_name,
                    "PROCESSOR_SHARDS": str(shards),
                    "PROCESSOR_LEASE_MS": str(timeout_s * 1000 + _LEASE_MARGIN_MS),
                    "PROCESSOR_MAX_ATTEMPTS": str(max_attempts),
                    "PROCESSOR_RETENTION_MS": str(retention_days * 24 * 3600 * 1000),
                },
                "memory_mb": args.get("memory_mb", 512),
                "timeout_s": timeout_s,
                "log_retention_days": args.get("log_retention_days", 30),
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        table.grant(function, "PutItem", "UpdateItem")
        table.grant(function, "Query", index=DUE_INDEX)
        subscription = table.subscribe(
            function, filter_pattern=WAKE_FILTER, batch_size=batch_size, alarm_topic_arn=alarm_topic_arn
        )
        sweep = Schedule(
            f"{name}-sweep",
            {
                "expression": f"rate({minutes} minute{'s' if minutes > 1 else ''})",
                "function_name": function.function_name,
                "function_arn": function.arn,
                "role_name": function.role_name,
                # The next sweep does what this one did not: a late or repeated one is of no use.
                "max_retries": 0,
                "max_event_age_s": 60 * minutes,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=function.grants),
        )
        raise_alarm(
            f"{name}-parked",
            parent=self,
            description=f"{name} has parked transactions: look at their errors, then re-drive or abandon them",
            namespace="Patterns/Processor",
            metric="Parked",
            dimensions={"Table": table.table_name},
            statistic="Maximum",
            period_s=60 * minutes,
            topic_arn=alarm_topic_arn,
        )

        self._function = function
        self._shards = shards
        self.table_name = table.table_name
        self.table_arn = table.arn
        self.table_stream_arn = table.stream_arn
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
                "function_name": self.function_name,
                "function_arn": self.function_arn,
                "role_name": self.role_name,
                "failed_batches_queue_url": self.failed_batches_queue_url,
                "failed_sweeps_queue_url": self.failed_sweeps_queue_url,
            }
        )

    @property
    def function(self) -> Function:
        """The function that runs the steps: grant it what they use."""
        return self._function

    @property
    def submitter_variables(self) -> Mapping[str, pulumi.Input[str]]:
        """Environment variables of a function that submits, looks up or re-drives."""
        return {"PROCESSOR_TABLE": self.table_name, "PROCESSOR_SHARDS": str(self._shards)}

    def grant_submit(self, function: Function) -> None:
        """Let a function submit transactions and ask where they are."""
        self._allow(function, "submits-to", right_on(self.table_arn, "PutItem", "GetItem"))

    def grant_audit(self, function: Function) -> None:
        """Let a function read all transactions, and write none."""
        self._allow(function, "audits", right_on(self.table_arn, "GetItem", "BatchGetItem", "Scan"))

    def grant_operate(self, function: Function) -> None:
        """Let a function look up, list, re-drive and abandon transactions."""
        listing = right_on(self.table_arn, "Query", index=DUE_INDEX)
        self._allow(function, "operates", right_on(self.table_arn, "GetItem", "UpdateItem"), listing)

    def _allow(self, function: Function, edge: str, *rights: Statement) -> None:
        # A policy with a name of its own for each edge, so that a function can have any of them together.
        function.allow(f"{edge}-{self.pulumi_resource_name}", rights)


def _new_table(name: str, args: ProcessorArgs, opts: pulumi.ResourceOptions) -> Table | AdoptedTable:
    return Table(
        f"{name}-transactions",
        {
            "hash_key": "transaction_id",
            "indexes": [
                {
                    "name": DUE_INDEX,
                    "hash_key": "due_shard",
                    "range_key": "due_at_ms",
                    "range_key_type": KeyType.NUMBER,
                    "projection": Projection.KEYS_ONLY,
                }
            ],
            "ttl_attribute": "expires_at_s",
            "stream": True,
            "point_in_time_recovery": args.get("point_in_time_recovery", False),
            "deletion_protection": args.get("deletion_protection", False),
        },
        opts,
    )
