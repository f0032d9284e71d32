"""Where alarms go, and the one way to raise them."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.inputs import check_inputs


class AlarmTopicArgs(TypedDict):
    """Inputs of `AlarmTopic`."""

    email: NotRequired[str | None]
    """Address that receives every alarm. AWS sends it a confirmation mail first. Default: nobody is subscribed."""


class AlarmTopic(pulumi.ComponentResource):
    """The SNS topic every alarm of an environment notifies, with an optional mail subscription."""

    arn: pulumi.Output[str]
    """ARN of the topic."""

    def __init__(self, name: str, args: AlarmTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:AlarmTopic", name, {}, opts)
        check_inputs("AlarmTopic", name, args, AlarmTopicArgs)
        child = pulumi.ResourceOptions(parent=self)

        # Not encrypted with alias/aws/sns: CloudWatch has no right to that AWS-managed key, alarms would be lost.
        topic = aws.sns.Topic(f"{name}-topic", opts=child)
        email = args.get("email")
        if email is not None:
            aws.sns.TopicSubscription(f"{name}-email", topic=topic.arn, protocol="email", endpoint=email, opts=child)

        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})


def raise_alarm(
    name: str,
    *,
    parent: pulumi.Resource,
    description: str,
    namespace: str,
    metric: str,
    dimensions: Mapping[str, pulumi.Input[str]],
    topic_arn: pulumi.Input[str] | None,
    statistic: str = "Sum",
    above: float = 0,
    period_s: int = 60,
    periods: int = 1,
) -> aws.cloudwatch.MetricAlarm:
    """Create an alarm that fires when a metric rises above a bound.

    Parameters
    ----------
    name
        Logical name of the alarm.
    parent
        Component that owns the watched resource.
    description
        What happened, and what to look at, for the person who is woken.
    namespace, metric, dimensions
        The CloudWatch metric.
    topic_arn
        SNS topic to notify when it fires and when it recovers; ``None`` for an alarm that is only shown.
    statistic
        ``Sum`` or ``Maximum``.
    above
        Bound, in the metric's unit.
    period_s
        Length of one evaluated period in seconds.
    periods
        Periods in a row that must be above the bound.
    """
    actions = [] if topic_arn is None else [topic_arn]
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=description,
        namespace=namespace,
        metric_name=metric,
        dimensions=dimensions,
        statistic=statistic,
        comparison_operator="GreaterThanThreshold",
        threshold=above,
        period=period_s,
        evaluation_periods=periods,
        # These metrics are only sent while there is traffic: silence is health.
        treat_missing_data="notBreaching",
        alarm_actions=actions,
        ok_actions=actions,
        opts=pulumi.ResourceOptions(parent=parent),
    )
