"""An encrypted Kinesis data stream that functions subscribe to."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.edges import edge_name
from components.function import Function
from components.inputs import check_inputs, check_range
from components.stream_consumer import StreamConsumer


class KinesisStreamArgs(TypedDict):
    """Inputs of `KinesisStream`."""

    shards: int
    """Number of shards, 1 MB/s and 1,000 records/s in each; at least 1."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify when producers are throttled. Default: the alarm is only shown in CloudWatch."""


class KinesisStream(pulumi.ComponentResource):
    """A provisioned, KMS-encrypted stream that keeps records for 24 hours, in order per partition key."""

    arn: pulumi.Output[str]
    """ARN of the stream."""
    stream_name: pulumi.Output[str]
    """Physical name of the stream."""

    def __init__(self, name: str, args: KinesisStreamArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:KinesisStream", name, {}, opts)
        check_inputs("KinesisStream", name, args, KinesisStreamArgs)
        check_range("KinesisStream", name, "shards", args["shards"], low=1, high=10_000)

        stream = aws.kinesis.Stream(
            f"{name}-stream",
            stream_mode_details={"stream_mode": "PROVISIONED"},
            shard_count=args["shards"],
            retention_period=24,
            encryption_type="KMS",
            # The AWS-managed key serves every principal of the account through Kinesis: nobody needs KMS rights.
            kms_key_id="alias/aws/kinesis",
            opts=pulumi.ResourceOptions(parent=self),
        )
        raise_alarm(
            f"{name}-write-throttles",
            parent=self,
            description=f"{name} refuses records: a shard is over 1 MB/s or 1,000 records/s; add shards",
            namespace="AWS/Kinesis",
            metric="WriteProvisionedThroughputExceeded",
            dimensions={"StreamName": stream.name},
            topic_arn=args.get("alarm_topic_arn"),
        )

        self.arn = stream.arn
        self.stream_name = stream.name
        self.register_outputs({"arn": self.arn, "stream_name": self.stream_name})

    def grant(self, function: Function, action: str) -> None:
        """Let a function put records on the stream: ``PutRecord``, one at a time, or ``PutRecords``."""
        function.allow(
            f"puts-on-{self.pulumi_resource_name}", [{"actions": [f"kinesis:{action}"], "resources": [self.arn]}]
        )

    def subscribe(
        self,
        function: Function,
        *,
        batch_size: int,
        parallelization: int,
        enhanced_fan_out: bool,
        alarm_topic_arn: pulumi.Input[str] | None = None,
    ) -> StreamConsumer:
        """Send the stream's records to a function, in order per partition key.

        Parameters
        ----------
        function
            Handler that reports partial batch failures.
        batch_size
            Most records per invocation.
        parallelization
            Invocations at a time per shard, 1..10; a partition key is only ever in one.
        enhanced_fan_out
            Whether the function gets a pushed read of its own (about 70 ms) or polls once a second.
        alarm_topic_arn
            SNS topic for the subscription's alarms.
        """
        name = edge_name(self.pulumi_resource_name, function.pulumi_resource_name)
        consumer_arn: pulumi.Output[str] | None = None
        if enhanced_fan_out:
            consumer = aws.kinesis.StreamConsumer(
                f"{name}-fan-out", stream_arn=self.arn, opts=pulumi.ResourceOptions(parent=self)
            )
            consumer_arn = consumer.arn
        return StreamConsumer(
            name,
            {
                "function_name": function.function_name,
                "alias_arn": function.alias_arn,
                "role_name": function.role_name,
                "kinesis_stream_arn": self.arn,
                "kinesis_consumer_arn": consumer_arn,
                "batch_size": batch_size,
                "parallelization": parallelization,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=function.grants),
        )
