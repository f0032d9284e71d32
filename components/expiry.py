"""The end of orders: clock → expirer function → order stream, where the matcher executes them in turn."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.inputs import check_inputs
from components.kinesis_stream import KinesisStream
from components.schedule import Schedule
from components.settings import Settings
from components.table import KeyType, Table, TableIndexArgs

BY_EXPIRY: TableIndexArgs = {
    "name": "by-expiry",
    "hash_key": "material",
    "range_key": "expires_at_ms",
    "range_key_type": KeyType.NUMBER,
}
"""Index of a side of the book that only holds orders with an end, first to end first."""


class ExpiryArgs(TypedDict):
    """Inputs of `Expiry`."""

    settings: Settings
    """Settings of the environment."""
    orders: KinesisStream
    """Stream that carries orders to the matcher."""
    asks: Table
    """Open asks, with the index `BY_EXPIRY`."""
    standing_bids: Table
    """Open bids, with the index `BY_EXPIRY`."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Expiry(pulumi.ComponentResource):
    """The function that tells the matcher, each minute, which orders are past their time."""

    function_name: pulumi.Output[str]
    """Physical name of the function."""
    failures_queue_url: pulumi.Output[str]
    """URL of the queue with firings given up; the next firing makes up for them."""

    def __init__(self, name: str, args: ExpiryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Expiry", name, {}, opts)
        check_inputs("Expiry", name, args, ExpiryArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        child = pulumi.ResourceOptions(parent=self)

        expirer = Function(
            f"{name}-expirer",
            {
                "handler": "functions.expiry.handler",
                "code": code_archive("functions.expiry.handler"),
                "variables": {
                    "ASKS_TABLE": args["asks"].table_name,
                    "STANDING_BIDS_TABLE": args["standing_bids"].table_name,
                    "ORDERS_STREAM": args["orders"].stream_name,
                    "MATERIALS": ",".join(settings.materials),
                },
                "timeout_s": 55,  # so that a run has ended before the next one starts
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        args["asks"].grant(expirer, "Query", index=BY_EXPIRY["name"])
        args["standing_bids"].grant(expirer, "Query", index=BY_EXPIRY["name"])
        args["orders"].grant(expirer, "PutRecords")
        schedule = Schedule(
            f"{name}-each-minute",
            {
                "expression": "rate(1 minute)",
                "function_name": expirer.function_name,
                "function_arn": expirer.arn,
                "role_name": expirer.role_name,
                "alarm_topic_arn": alarm_topic_arn,
            },
            pulumi.ResourceOptions(parent=self, depends_on=expirer.grants),
        )

        self.function_name = expirer.function_name
        self.failures_queue_url = schedule.failures_queue_url
        self.register_outputs({})
