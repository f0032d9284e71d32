"""Settlement: tape → stream → submitter → processor → accounts, journal and notifications."""

import json
from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.grants import Statement
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.notifications import Notifications
from components.player_pool import ACCOUNTS_WRITE_SCOPE, AUDIT_SCOPE
from components.processor import Processor
from components.settings import Settings
from components.table import Table

# Commits that touched no order have nothing to settle.
_COMMITS = json.dumps(
    {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"orders": {"B": [{"exists": True}]}}}}, separators=(",", ":")
)


class SettlementArgs(TypedDict):
    """Inputs of `Settlement`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the operator's routes."""
    accounts: Table
    """Players' accounts, line by line."""
    journal: Table
    """Entries of every movement."""
    tape: Table
    """Commits of the matcher; its stream has new images."""
    notifications: Notifications
    """Where complete orders go."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Settlement(pulumi.ComponentResource):
    """Settles every commit of the tape once.

    A commit the submitter gave up is named, by its stream position, in a queue with an alarm; a settlement that cannot
    be done is parked with an alarm. Both are taken up again by ``POST /operator/settlements/{id}``.
    """

    settlements: Processor
    """One transaction for each commit; its id is the material and the commit's sequence number."""
    failed_batches_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of commits that were not submitted."""

    def __init__(self, name: str, args: SettlementArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Settlement", name, {}, opts)
        check_inputs("Settlement", name, args, SettlementArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        tape = args["tape"]
        notifications = args["notifications"]
        child = pulumi.ResourceOptions(parent=self)

        settlements = Processor(
            name,
            {
                "handler": "functions.settlement.handler",
                "code": code_archive("functions.settlement.handler"),
                "code_holds_libraries": True,
                "variables": {
                    "TAPE_TABLE": tape.table_name,
                    "ACCOUNTS_TABLE": args["accounts"].table_name,
                    "JOURNAL_TABLE": args["journal"].table_name,
                    "NOTIFICATIONS_TABLE": notifications.notifications.table_name,
                    **notifications.orders.adding_variables,
                },
                # Reading a commit and building its transactions of a hundred actions is CPU work.
                "memory_mb": 1024,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        tape.grant(settlements.function, "GetItem")
        args["accounts"].grant(settlements.function, "UpdateItem")
        args["journal"].grant(settlements.function, "GetItem", "PutItem")
        notifications.notifications.grant(settlements.function, "PutItem")
        notifications.orders.grant_adding(settlements.function)

        submitter = Function(
            f"{name}-submitter",
            {
                "handler": "functions.settlement_submitter.handler",
                "code": code_archive("functions.settlement_submitter.handler"),
                "variables": settlements.submitter_variables,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        # It only submits, and what has been submitted before comes with the refusal.
        submitting: list[Statement] = [{"actions": ["dynamodb:PutItem"], "resources": [settlements.table_arn]}]
        submitter.allow("submits", submitting)
        subscription = tape.subscribe(submitter, filter_pattern=_COMMITS, alarm_topic_arn=alarm_topic_arn)

        settlements_api = Function(
            f"{name}-api",
            {
                "handler": "functions.settlements_api.handler",
                "code": code_archive("functions.settlements_api.handler"),
                "variables": {"TAPE_TABLE": tape.table_name, **settlements.submitter_variables},
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        tape.grant(settlements_api, "GetItem")
        settlements_api.allow("submits", submitting)
        settlements.grant_operate(settlements_api)
        args["api"].route("GET /operator/settlements", settlements_api, scopes=[AUDIT_SCOPE])
        args["api"].route("POST /operator/settlements/{id}", settlements_api, scopes=[ACCOUNTS_WRITE_SCOPE])

        self.settlements = settlements
        self.failed_batches_queue_url = subscription.failures_queue_url
        self.register_outputs({"failed_batches_queue_url": self.failed_batches_queue_url})
