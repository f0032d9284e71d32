"""Notifications: which of a player's orders are complete, gathered from the commits that made up each order."""

from typing import TypedDict

import pulumi

from components.aggregator import Aggregator
from components.code_archive import code_archive
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.settings import Settings
from components.table import Table


class NotificationsArgs(TypedDict):
    """Inputs of `Notifications`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the route."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Notifications(pulumi.ComponentResource):
    """The table of notifications, the route that shows them, and the aggregator of orders that take several commits."""

    notifications: Table
    """One item for each complete order; the hash key is the player."""
    orders: Aggregator
    """Orders of which not every commit is settled; the group is the order's id."""

    def __init__(self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Notifications", name, {}, opts)
        check_inputs("Notifications", name, args, NotificationsArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        child = pulumi.ResourceOptions(parent=self)

        notifications = Table(
            f"{name}-notifications",
            {
                "hash_key": "player",
                "range_key": "notification_key",
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        # Groups stay: an order may rest for years between two of its fills.
        orders = Aggregator(
            name,
            {
                "handler": "functions.notifier.handler",
                "code": code_archive("functions.notifier.handler"),
                "code_holds_libraries": True,
                "complete_by_predicate": True,
                "variables": {"NOTIFICATIONS_TABLE": notifications.table_name},
                "rights": [{"actions": ["dynamodb:PutItem"], "resources": [notifications.arn]}],
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        notifications_api = Function(
            f"{name}-api",
            {
                "handler": "functions.notifications_api.handler",
                "code": code_archive("functions.notifications_api.handler"),
                "variables": {
                    "NOTIFICATIONS_TABLE": notifications.table_name,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        notifications.grant(notifications_api, "Query")
        args["api"].route("GET /notifications", notifications_api)

        self.notifications = notifications
        self.orders = orders
        self.register_outputs({})
