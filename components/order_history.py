"""What every order was at any time: histories of both order tables in one table, and the function that shows them."""

import json
from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.historic import Historic
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.settings import Settings
from components.table import Table

_RECORDER = "functions.history_recorder.handler"
# The bids table also holds pointers from client order ids to orders, which never change; their keys start with "~",
# an order's with a digit of its UUID. Lambda's filters know no "not a prefix".
_ORDERS_ONLY = json.dumps(
    {"dynamodb": {"Keys": {"order_key": {"S": [{"prefix": digit} for digit in "0123456789abcdef"]}}}},
    separators=(",", ":"),
)


class OrderHistoryArgs(TypedDict):
    """Inputs of `OrderHistory`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    asks: Table
    """Open asks."""
    sell_orders: Table
    """What each seller asked for: whose ask it is, and where in the book it was."""
    bids: Table
    """Every bid."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class OrderHistory(pulumi.ComponentResource):
    """One history of asks and bids, second reader of both tables' streams beside the pipes."""

    history_table_name: pulumi.Output[str]
    """Physical name of the history table."""
    history_table_arn: pulumi.Output[str]
    """ARN of the history table."""

    def __init__(self, name: str, args: OrderHistoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:OrderHistory", name, {}, opts)
        check_inputs("OrderHistory", name, args, OrderHistoryArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        child = pulumi.ResourceOptions(parent=self)

        bids = Historic(
            f"{name}-bids",
            {
                "source_name": "bids",
                "hash_key": "buyer",
                "range_key": "order_key",
                "table_name": args["bids"].table_name,
                "table_arn": args["bids"].arn,
                "table_stream_arn": args["bids"].stream_arn,
                "handler": _RECORDER,
                "code": code_archive(_RECORDER),
                "code_holds_libraries": True,
                "filter_pattern": _ORDERS_ONLY,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        Historic(
            f"{name}-asks",
            {
                "source_name": "asks",
                "hash_key": "material",
                "range_key": "price_key",
                "table_name": args["asks"].table_name,
                "table_arn": args["asks"].arn,
                "table_stream_arn": args["asks"].stream_arn,
                "history_table_name": bids.history_table_name,
                "history_table_arn": bids.history_table_arn,
                "handler": _RECORDER,
                "code": code_archive(_RECORDER),
                "code_holds_libraries": True,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        history_api = Function(
            f"{name}-api",
            {
                "handler": "functions.history_api.handler",
                "code": code_archive("functions.history_api.handler"),
                "variables": {
                    "BIDS_TABLE": args["bids"].table_name,
                    "SELL_ORDERS_TABLE": args["sell_orders"].table_name,
                    "HISTORY_TABLE": bids.history_table_name,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        args["bids"].grant(history_api, "GetItem")
        args["sell_orders"].grant(history_api, "GetItem")
        bids.grant_read(history_api)
        for route_key in ("GET /asks/{id}/history", "GET /bids/{id}/history"):
            args["api"].route(route_key, history_api)

        self.history_table_name = bids.history_table_name
        self.history_table_arn = bids.history_table_arn
        self.register_outputs(
            {"history_table_name": self.history_table_name, "history_table_arn": self.history_table_arn}
        )
