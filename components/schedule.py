"""Clock → function: an EventBridge schedule that can neither fail in silence nor repeat for ever."""

import json
import re
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.dead_letter_queue import DeadLetterQueue
from components.grants import allow, service_trust_policy
from components.inputs import InputError, check_inputs, check_range

_EXPRESSION = re.compile(
    r"rate\((?!1 \w+s)[1-9][0-9]* (minute|hour|day)s?\)"
    r"|cron\(\S+( \S+){5}\)"
    r"|at\([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\)"
)
# Scheduler replaces these. A handler tells by them which firing it sees, however late or often.
_DEFAULT_INPUT = json.dumps(
    {
        "scheduled_time": "<aws.scheduler.scheduled-time>",
        "execution_id": "<aws.scheduler.execution-id>",
        "attempt": "<aws.scheduler.attempt-number>",
    }
)
_SCHEDULER_RETRIES = 10


class ScheduleArgs(TypedDict):
    """Inputs of `Schedule`."""

    expression: str
    """When to call: ``rate(5 minutes)``, ``cron(0 12 * * ? *)`` or ``at(2026-11-20T13:00:00)``."""
    function_name: pulumi.Input[str]
    """Name of the Lambda function. A function takes one schedule: it has one setting for asynchronous calls."""
    function_arn: pulumi.Input[str]
    """ARN of the function."""
    role_name: pulumi.Input[str]
    """Name of the function's role; receives the right to send to the queue."""
    timezone: NotRequired[str]
    """IANA name of the time zone of ``cron`` and ``at``. Default: UTC."""
    input: NotRequired[str]
    """Event as JSON, in which Scheduler replaces its ``<aws.scheduler.…>`` attributes. Default: an object with
    ``scheduled_time`` (such as ``2026-11-20T13:00:00Z``), ``execution_id`` and ``attempt``."""
    max_retries: NotRequired[int]
    """Further runs of a failing function before the event goes to the queue, 0..2. Default: 2."""
    max_event_age_s: NotRequired[int]
    """Age in seconds at which an event that was not processed goes to the queue, 60..21600. Default: 3600."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of events given up. Default: the alarms are only shown in CloudWatch."""


class Schedule(pulumi.ComponentResource):
    """A schedule with a role that may call one function, limits on retries and age, a failure queue and alarms.

    Scheduler calls asynchronously and at least once: an event can come twice and late. Firings that fall into a time
    when the schedule does not exist are not made up for.
    """

    arn: pulumi.Output[str]
    """ARN of the schedule."""
    schedule_name: pulumi.Output[str]
    """Physical name of the schedule."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue that receives every event given up."""
    failures_queue_arn: pulumi.Output[str]
    """ARN of that queue."""

    def __init__(self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Schedule", name, {}, opts)
        check_inputs("Schedule", name, args, ScheduleArgs)
        expression = args["expression"]
        max_retries = args.get("max_retries", 2)
        max_event_age_s = args.get("max_event_age_s", 3600)
        event = args.get("input", _DEFAULT_INPUT)
        if not _EXPRESSION.fullmatch(expression):
            rule = "must be rate(n minutes), cron(six fields) or at(yyyy-mm-ddThh:mm:ss), 1 minute without an s"
            raise InputError("Schedule", name, "expression", f"{rule}, got {expression}")
        check_range("Schedule", name, "max_retries", max_retries, low=0, high=2)
        check_range("Schedule", name, "max_event_age_s", max_event_age_s, low=60, high=21_600)
        _check_event(name, event)
        alarm_topic_arn = args.get("alarm_topic_arn")
        child = pulumi.ResourceOptions(parent=self)

        failures = DeadLetterQueue(f"{name}-failures", {"alarm_topic_arn": alarm_topic_arn}, child)
        account = pulumi.Output.from_input(args["function_arn"]).apply(lambda arn: arn.split(":")[4])
        role = aws.iam.Role(
            f"{name}-role", assume_role_policy=service_trust_policy("scheduler.amazonaws.com", account), opts=child
        )
        may_call = allow(
            f"{name}-call",
            role.name,
            [
                {"actions": ["lambda:InvokeFunction"], "resources": [args["function_arn"]]},
                {"actions": ["sqs:SendMessage"], "resources": [failures.arn]},
            ],
            parent=self,
        )
        may_give_up = allow(
            f"{name}-give-up",
            args["role_name"],
            [{"actions": ["sqs:SendMessage"], "resources": [failures.arn]}],
            parent=self,
        )
        # Scheduler has done its part when Lambda has queued the event; what the function makes of it is Lambda's to
        # retry and to give up.
        calling = aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-calling",
            function_name=args["function_name"],
            maximum_retry_attempts=max_retries,
            maximum_event_age_in_seconds=max_event_age_s,
            destination_config={"on_failure": {"destination": failures.arn}},
            # AWS tries the role's rights when the destination is set.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_give_up]),
        )
        schedule = aws.scheduler.Schedule(
            f"{name}-schedule",
            schedule_expression=expression,
            schedule_expression_timezone=args.get("timezone", "UTC"),
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args["function_arn"],
                "role_arn": role.arn,
                "input": event,
                "retry_policy": {
                    # Lambda refuses an event only for lack of rights or of service; both pass.
                    "maximum_retry_attempts": _SCHEDULER_RETRIES,
                    "maximum_event_age_in_seconds": max_event_age_s,
                },
                "dead_letter_config": {"arn": failures.arn},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_call, calling]),
        )
        raise_alarm(
            f"{name}-dropped",
            parent=self,
            description=f"{name} could not call its function and gave up; its queue holds the event",
            namespace="AWS/Lambda",
            metric="AsyncEventsDropped",
            dimensions={"FunctionName": args["function_name"]},
            topic_arn=alarm_topic_arn,
        )

        self.arn = schedule.arn
        self.schedule_name = schedule.name
        self.failures_queue_url = failures.url
        self.failures_queue_arn = failures.arn
        self.register_outputs(
            {
                "arn": self.arn,
                "schedule_name": self.schedule_name,
                "failures_queue_url": self.failures_queue_url,
                "failures_queue_arn": self.failures_queue_arn,
            }
        )


def _check_event(name: str, event: str) -> None:
    try:
        json.loads(event)
    except ValueError:
        raise InputError("Schedule", name, "input", f"must be JSON, got {event}") from None
