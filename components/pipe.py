"""Table stream → Kinesis: an EventBridge Pipe that filters, keys and forwards changes without code."""

import json
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.dead_letter_queue import DeadLetterQueue
from components.grants import Statement, allow, service_trust_policy
from components.inputs import InputError, check_inputs, check_range

# Most records one PutRecords call takes, and so the largest batch a pipe may send to Kinesis.
_LARGEST_KINESIS_BATCH = 500


class PipeArgs(TypedDict):
    """Inputs of `Pipe`."""

    table_stream_arn: pulumi.Input[str]
    """ARN of the DynamoDB change stream to read."""
    kinesis_stream_arn: pulumi.Input[str]
    """ARN of the Kinesis stream to write."""
    filter_pattern: str
    """Event filter as JSON; changes that do not match are dropped and cost nothing."""
    partition_key: str
    """JSON path into the change that gives the Kinesis partition key, such as ``$.dynamodb.NewImage.material.S``."""
    log_retention_days: int
    """How long the pipe's log group keeps its events."""
    start_after: NotRequired[pulumi.Input[str] | None]
    """A value known only once the pipe may start, such as the id of the target's reader. Default: it starts at once."""
    max_retries: NotRequired[int]
    """Further attempts for a failing batch before it goes to the queue, 1..10000, throttling aside. Default: 50."""
    max_record_age_s: NotRequired[int]
    """Age in seconds at which an undelivered change goes to the queue, 60..604800. Default: 21600 (6 hours)."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of failures. Default: the alarms are only shown in CloudWatch."""


class Pipe(pulumi.ComponentResource):
    """A pipe with a role of its own, limits, bisection, a dead-letter queue, an error log and alarms."""

    arn: pulumi.Output[str]
    """ARN of the pipe."""
    pipe_name: pulumi.Output[str]
    """Physical name of the pipe."""
    dead_letters_queue_url: pulumi.Output[str]
    """URL of the queue that receives the position of every batch given up."""

    def __init__(self, name: str, args: PipeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Pipe", name, {}, opts)
        check_inputs("Pipe", name, args, PipeArgs)
        max_retries = args.get("max_retries", 50)
        max_record_age_s = args.get("max_record_age_s", 21_600)
        # The provider leaves a 0 out when it creates a pipe, and AWS then retries for ever.
        check_range("Pipe", name, "max_retries", max_retries, low=1, high=10_000)
        check_range("Pipe", name, "max_record_age_s", max_record_age_s, low=60, high=604_800)
        _check_filter(name, args["filter_pattern"])
        if not args["partition_key"].startswith("$."):
            raise InputError(
                "Pipe", name, "partition_key", "must be a JSON path such as $.dynamodb.NewImage.material.S"
            )
        alarm_topic_arn = args.get("alarm_topic_arn")
        child = pulumi.ResourceOptions(parent=self)

        dead_letters = DeadLetterQueue(f"{name}-dead-letters", {"alarm_topic_arn": alarm_topic_arn}, child)
        log_group = aws.cloudwatch.LogGroup(f"{name}-logs", retention_in_days=args["log_retention_days"], opts=child)
        account = pulumi.Output.from_input(args["table_stream_arn"]).apply(lambda arn: arn.split(":")[4])
        role = aws.iam.Role(
            f"{name}-role", assume_role_policy=service_trust_policy("pipes.amazonaws.com", account), opts=child
        )
        statements: list[Statement] = [
            {
                "actions": [
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:ListStreams",
                ],
                "resources": [args["table_stream_arn"]],
            },
            {"actions": ["kinesis:PutRecord", "kinesis:PutRecords"], "resources": [args["kinesis_stream_arn"]]},
            {"actions": ["sqs:SendMessage"], "resources": [dead_letters.arn]},
        ]
        may_move = allow(f"{name}-move", role.name, statements, parent=self)
        pipe = aws.pipes.Pipe(
            f"{name}-pipe",
            desired_state=pulumi.Output.from_input(args.get("start_after")).apply(lambda _: "RUNNING"),
            role_arn=role.arn,
            source=args["table_stream_arn"],
            source_parameters={
                "filter_criteria": {"filters": [{"pattern": args["filter_pattern"]}]},
                "dynamodb_stream_parameters": {
                    # From the oldest change: what was written before the pipe ran must be forwarded too.
                    "starting_position": "TRIM_HORIZON",
                    "batch_size": _LARGEST_KINESIS_BATCH,
                    "maximum_retry_attempts": max_retries,
                    "maximum_record_age_in_seconds": max_record_age_s,
                    "on_partial_batch_item_failure": "AUTOMATIC_BISECT",
                    "dead_letter_config": {"arn": dead_letters.arn},
                },
            },
            target=args["kinesis_stream_arn"],
            target_parameters={"kinesis_stream_parameters": {"partition_key": args["partition_key"]}},
            log_configuration={
                "level": "ERROR",
                "cloudwatch_logs_log_destination": {"log_group_arn": log_group.arn},
            },
            # AWS tries the role's rights when the pipe is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_move]),
        )
        for metric, description in (
            ("ExecutionFailed", f"{name} failed to forward a batch; read its log group"),
            ("ExecutionPartiallyFailed", f"{name} failed to forward part of a batch; read its log group"),
            ("ExecutionThrottled", f"{name} is throttled: changes arrive late"),
        ):
            raise_alarm(
                f"{name}-{metric.removeprefix('Execution').lower()}",
                parent=self,
                description=description,
                namespace="AWS/EventBridge/Pipes",
                metric=metric,
                dimensions={"PipeName": pipe.name},
                topic_arn=alarm_topic_arn,
            )

        self.arn = pipe.arn
        self.pipe_name = pipe.name
        self.dead_letters_queue_url = dead_letters.url
        self.register_outputs(
            {"arn": self.arn, "pipe_name": self.pipe_name, "dead_letters_queue_url": self.dead_letters_queue_url}
        )


def _check_filter(name: str, pattern: str) -> None:
    try:
        parsed: object = json.loads(pattern)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InputError("Pipe", name, "filter_pattern", f"must be a JSON object, got {pattern}")
