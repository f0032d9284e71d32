"""Stream → function: an event source mapping that can neither block for ever nor lose a record in silence."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.dead_letter_queue import DeadLetterQueue
from components.grants import Statement, allow
from components.inputs import InputError, check_inputs, check_range

_TABLE_STREAM_ACTIONS = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
_KINESIS_STREAM_ACTIONS = ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
_KINESIS_CONSUMER_ACTIONS = ("DescribeStreamConsumer", "SubscribeToShard")


class StreamConsumerArgs(TypedDict):
    """Inputs of `StreamConsumer`; exactly one of the two streams must be given."""

    function_name: pulumi.Input[str]
    """Name of the Lambda function; its handler must return ``batchItemFailures``."""
    alias_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of the function's alias that is to be called. Default: the function itself."""
    role_name: pulumi.Input[str]
    """Name of the function's role; receives the rights to read the stream and to send to the queue."""
    table_stream_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a DynamoDB table's change stream."""
    kinesis_stream_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of a Kinesis stream."""
    kinesis_consumer_arn: NotRequired[pulumi.Input[str] | None]
    """ARN of an enhanced fan-out consumer of the Kinesis stream. Default: the stream is polled."""
    filter_pattern: NotRequired[str | None]
    """Event filter as JSON. Default: every record."""
    batch_size: NotRequired[int]
    """Most records per invocation, 1..10000. Default: 100."""
    parallelization: NotRequired[int]
    """Invocations at a time per shard, 1..10. Default: 1."""
    max_retries: NotRequired[int]
    """Further attempts for a failing batch before it goes to the queue, 0..10000. Default: 50."""
    max_record_age_s: NotRequired[int]
    """Age in seconds at which an unprocessed record goes to the queue, 60..604800. Default: 21600 (6 hours)."""
    max_lag_s: NotRequired[int]
    """Age in seconds of the record being read above which the lag alarm fires. Default: 60."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of lag and of batches given up. Default: the alarms are only shown in CloudWatch."""


class StreamConsumer(pulumi.ComponentResource):
    """An event source mapping with bisection, partial failures, retry and age limits, a failure queue and a lag alarm.

    The function's own errors and throttles are watched where the function is made.
    """

    mapping_id: pulumi.Output[str]
    """Id of the event source mapping, known once the function is reading."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue that receives the position of every batch given up."""
    failures_queue_arn: pulumi.Output[str]
    """ARN of that queue."""

    def __init__(self, name: str, args: StreamConsumerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:StreamConsumer", name, {}, opts)
        check_inputs("StreamConsumer", name, args, StreamConsumerArgs)
        batch_size = args.get("batch_size", 100)
        parallelization = args.get("parallelization", 1)
        max_retries = args.get("max_retries", 50)
        max_record_age_s = args.get("max_record_age_s", 21_600)
        check_range("StreamConsumer", name, "batch_size", batch_size, low=1, high=10_000)
        check_range("StreamConsumer", name, "parallelization", parallelization, low=1, high=10)
        check_range("StreamConsumer", name, "max_retries", max_retries, low=0, high=10_000)
        check_range("StreamConsumer", name, "max_record_age_s", max_record_age_s, low=60, high=604_800)
        source_arn, reading = _source(name, args)
        alias_arn = args.get("alias_arn")
        alarm_topic_arn = args.get("alarm_topic_arn")
        filter_pattern = args.get("filter_pattern")

        failures = DeadLetterQueue(
            f"{name}-failures", {"alarm_topic_arn": alarm_topic_arn}, pulumi.ResourceOptions(parent=self)
        )
        may_read = allow(f"{name}-read", args["role_name"], reading, parent=self)
        sending: list[Statement] = [{"actions": ["sqs:SendMessage"], "resources": [failures.arn]}]
        may_give_up = allow(f"{name}-give-up", args["role_name"], sending, parent=self)
        mapping = aws.lambda_.EventSourceMapping(
            f"{name}-mapping",
            function_name=args["function_name"] if alias_arn is None else alias_arn,
            event_source_arn=source_arn,
            # From the oldest record: what was written before the mapping existed must be processed too.
            starting_position="TRIM_HORIZON",
            batch_size=batch_size,
            parallelization_factor=parallelization,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=max_retries,
            maximum_record_age_in_seconds=max_record_age_s,
            destination_config={"on_failure": {"destination_arn": failures.arn}},
            filter_criteria=None if filter_pattern is None else {"filters": [{"pattern": filter_pattern}]},
            # AWS tries the role's rights when the mapping is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_read, may_give_up]),
        )
        raise_alarm(
            f"{name}-lag",
            parent=self,
            description=f"{name} falls behind its stream: the function is slow, throttled or failing",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            dimensions={"FunctionName": args["function_name"]},
            statistic="Maximum",
            above=args.get("max_lag_s", 60) * 1000,
            periods=3,
            topic_arn=alarm_topic_arn,
        )

        self.mapping_id = mapping.id
        self.failures_queue_url = failures.url
        self.failures_queue_arn = failures.arn
        self.register_outputs(
            {
                "mapping_id": self.mapping_id,
                "failures_queue_url": self.failures_queue_url,
                "failures_queue_arn": self.failures_queue_arn,
            }
        )


def _source(name: str, args: StreamConsumerArgs) -> tuple[pulumi.Input[str], list[Statement]]:
    """The ARN to map, and the rights to read it."""
    table_stream_arn = args.get("table_stream_arn")
    kinesis_stream_arn = args.get("kinesis_stream_arn")
    kinesis_consumer_arn = args.get("kinesis_consumer_arn")
    if (table_stream_arn is None) == (kinesis_stream_arn is None):
        rule = "or 'kinesis_stream_arn' must be given, and not both"
        raise InputError("StreamConsumer", name, "table_stream_arn", rule)
    if kinesis_consumer_arn is not None and kinesis_stream_arn is None:
        raise InputError("StreamConsumer", name, "kinesis_consumer_arn", "needs 'kinesis_stream_arn'")

    if table_stream_arn is not None:
        actions = [f"dynamodb:{action}" for action in _TABLE_STREAM_ACTIONS]
        return table_stream_arn, [{"actions": actions, "resources": [table_stream_arn]}]
    assert kinesis_stream_arn is not None
    actions = [f"kinesis:{action}" for action in _KINESIS_STREAM_ACTIONS]
    reading: list[Statement] = [{"actions": actions, "resources": [kinesis_stream_arn]}]
    if kinesis_consumer_arn is None:
        return kinesis_stream_arn, reading
    consumer_actions = [f"kinesis:{action}" for action in _KINESIS_CONSUMER_ACTIONS]
    reading.append({"actions": consumer_actions, "resources": [kinesis_consumer_arn]})
    return kinesis_consumer_arn, reading
