"""A DynamoDB table with verbs for everything the house does with one."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.function import Function
from components.grants import Statement
from components.inputs import InputError, check_inputs
from components.kinesis_stream import KinesisStream
from components.pipe import Pipe
from components.stream_consumer import StreamConsumer


class TableArgs(TypedDict):
    """Inputs of `Table`."""

    hash_key: str
    """Name of the partition key attribute, a string."""
    range_key: NotRequired[str]
    """Name of the sort key attribute. Default: the table has none."""
    range_key_type: NotRequired[str]
    """``S`` for a string, ``N`` for a number. Default: ``S``."""
    stream: NotRequired[bool]
    """Whether changes are published with old and new image. Default: false."""
    point_in_time_recovery: bool
    """Whether the table can be restored to any second of the last 35 days."""
    deletion_protection: bool
    """Whether AWS and Pulumi both refuse to delete the table, and keep it when it leaves the program."""


class Table(pulumi.ComponentResource):
    """An on-demand, KMS-encrypted DynamoDB table."""

    arn: pulumi.Output[str]
    """ARN of the table."""
    table_name: pulumi.Output[str]
    """Physical name of the table."""
    stream_arn: pulumi.Output[str]
    """ARN of the change stream; empty without one."""

    def __init__(self, name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Table", name, {}, opts)
        check_inputs("Table", name, args, TableArgs)
        range_key = args.get("range_key")
        range_key_type = args.get("range_key_type", "S")
        if range_key_type not in ("S", "N"):
            raise InputError("Table", name, "range_key_type", f"must be S or N, got {range_key_type}")
        protected = args["deletion_protection"]
        self._has_stream = args.get("stream", False)

        attributes = [aws.dynamodb.TableAttributeArgs(name=args["hash_key"], type="S")]
        if range_key is not None:
            attributes.append(aws.dynamodb.TableAttributeArgs(name=range_key, type=range_key_type))
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=args["hash_key"],
            range_key=range_key,
            attributes=attributes,
            server_side_encryption={"enabled": True},
            point_in_time_recovery={"enabled": args["point_in_time_recovery"]},
            deletion_protection_enabled=protected,
            stream_enabled=self._has_stream,
            stream_view_type="NEW_AND_OLD_IMAGES" if self._has_stream else None,
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )

        self.arn = table.arn
        self.table_name = table.name
        self.stream_arn = table.stream_arn
        self.register_outputs({"arn": self.arn, "table_name": self.table_name, "stream_arn": self.stream_arn})

    def grant(self, function: Function, *actions: str) -> None:
        """Let a function use the table.

        Parameters
        ----------
        function
            Who may.
        actions
            DynamoDB actions without their prefix, such as ``Query``. A transaction needs the actions of its items.
        """
        if not actions:
            raise InputError("Table", self.pulumi_resource_name, "actions", "must list at least one DynamoDB action")
        statement: Statement = {"actions": [f"dynamodb:{action}" for action in actions], "resources": [self.arn]}
        function.allow(f"uses-{self.pulumi_resource_name}", [statement])

    def subscribe(
        self,
        function: Function,
        *,
        filter_pattern: str | None = None,
        batch_size: int = 100,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> StreamConsumer:
        """Send the table's changes to a function, in order per item.

        Parameters
        ----------
        function
            Handler that reports partial batch failures.
        filter_pattern
            Event filter as JSON; ``None`` sends every change.
        batch_size
            Most changes per invocation.
        alarm_topic_arn
            SNS topic for the subscription's alarms.
        """
        self._require_stream()
        return StreamConsumer(
            f"{self.pulumi_resource_name}-to-{function.pulumi_resource_name}",
            {
                "function_name": function.function_name,
                "role_name": function.role_name,
                "table_stream_arn": self.stream_arn,
                "filter_pattern": filter_pattern,
                "batch_size": batch_size,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=function.grants),
        )

    def pipe_to(
        self,
        stream: KinesisStream,
        *,
        filter_pattern: str,
        partition_key: str,
        log_retention_days: int,
        start_after: pulumi.Input[str] | None = None,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> Pipe:
        """Copy the table's changes to a Kinesis stream, unchanged and in order per item.

        Parameters
        ----------
        stream
            Where the changes go.
        filter_pattern
            Event filter as JSON.
        partition_key
            JSON path into the change, such as ``$.dynamodb.NewImage.material.S``.
        log_retention_days
            How long the pipe's log group keeps its events.
        start_after
            A value known only once the pipe may start, such as the id of the target's reader.
        alarm_topic_arn
            SNS topic for the pipe's alarms.
        """
        self._require_stream()
        return Pipe(
            f"{self.pulumi_resource_name}-to-{stream.pulumi_resource_name}",
            {
                "table_stream_arn": self.stream_arn,
                "kinesis_stream_arn": stream.arn,
                "filter_pattern": filter_pattern,
                "partition_key": partition_key,
                "log_retention_days": log_retention_days,
                "start_after": start_after,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self),
        )

    def _require_stream(self) -> None:
        if not self._has_stream:
            raise InputError(
                "Table", self.pulumi_resource_name, "stream", "must be true to subscribe or pipe from the table"
            )
