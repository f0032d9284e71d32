"""A queue for what could not be processed: kept as long as SQS keeps anything, and never silent."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.function import Function
from components.inputs import check_inputs

_LONGEST_RETENTION_S = 14 * 24 * 3600


class DeadLetterQueueArgs(TypedDict):
    """Inputs of `DeadLetterQueue`."""

    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify while the queue holds a message. Default: the alarm is only shown in CloudWatch."""


class DeadLetterQueue(pulumi.ComponentResource):
    """An encrypted SQS queue with 14 days of retention and an alarm on its first message."""

    arn: pulumi.Output[str]
    """ARN of the queue: what senders are granted."""
    url: pulumi.Output[str]
    """URL of the queue: what senders call."""
    queue_name: pulumi.Output[str]
    """Physical name of the queue."""

    def __init__(self, name: str, args: DeadLetterQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:DeadLetterQueue", name, {}, opts)
        check_inputs("DeadLetterQueue", name, args, DeadLetterQueueArgs)

        queue = aws.sqs.Queue(
            f"{name}-queue",
            message_retention_seconds=_LONGEST_RETENTION_S,
            sqs_managed_sse_enabled=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        raise_alarm(
            f"{name}-depth",
            parent=self,
            description=f"{name} holds messages that could not be processed; inspect and re-drive them",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": queue.name},
            statistic="Maximum",
            topic_arn=args.get("alarm_topic_arn"),
        )

        self.arn = queue.arn
        self.url = queue.url
        self.queue_name = queue.name
        self.register_outputs({"arn": self.arn, "url": self.url, "queue_name": self.queue_name})

    def grant_send(self, function: Function) -> None:
        """Let a function put messages on the queue."""
        function.allow(
            f"sends-to-{self.pulumi_resource_name}", [{"actions": ["sqs:SendMessage"], "resources": [self.arn]}]
        )
