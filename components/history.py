"""What everything was at any time: one history of orders, accounts and settlements, written by one function."""

import json
from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.historic import Historic
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.processor import Processor
from components.settings import Settings
from components.table import Table

_RECORDER = "functions.history_recorder.handler"


def _keys(attribute: str, *alternatives: object) -> str:
    return json.dumps({"dynamodb": {"Keys": {attribute: {"S": list(alternatives)}}}}, separators=(",", ":"))


# The tables of orders also hold pointers from client order ids to orders, which never change; their keys start with
# "~", an order's with a digit of its UUID. Lambda's filters know no "not a prefix".
_ORDERS_ONLY = _keys("order_key", *({"prefix": digit} for digit in "0123456789abcdef"))
# Likewise, references of deposits and withdrawals.
_LINES_ONLY = _keys("line", "wallet", {"prefix": "material#"})


class MarketHistoryArgs(TypedDict):
    """Inputs of `MarketHistory`."""

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
    accounts: Table
    """Players' accounts, line by line."""
    settlements: Processor
    """The settlements."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class MarketHistory(pulumi.ComponentResource):
    """One history, second reader of each table's stream; one recorder, one archive, if any."""

    history: Historic
    """The history and its recorder."""

    def __init__(self, name: str, args: MarketHistoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:MarketHistory", name, {}, opts)
        check_inputs("MarketHistory", name, args, MarketHistoryArgs)
        settings = args["settings"]
        child = pulumi.ResourceOptions(parent=self)

        history = Historic(
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
                "hot_days": settings.history_hot_days or None,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            child,
        )
        history.record(f"{name}-asks", args["asks"].stream_arn)
        history.record(f"{name}-sell-orders", args["sell_orders"].stream_arn, filter_pattern=_ORDERS_ONLY)
        history.record(f"{name}-accounts", args["accounts"].stream_arn, filter_pattern=_LINES_ONLY)
        history.record(f"{name}-settlements", args["settlements"].table_stream_arn)

        history_api = Function(
            f"{name}-api",
            {
                "handler": "functions.history_api.handler",
                "code": code_archive("functions.history_api.handler"),
                "variables": {
                    "BIDS_TABLE": args["bids"].table_name,
                    "SELL_ORDERS_TABLE": args["sell_orders"].table_name,
                    "HISTORY_TABLE": history.history_table_name,
                    "HISTORY_ARCHIVE_BUCKET": history.archive_bucket_name,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            child,
        )
        args["bids"].grant(history_api, "GetItem")
        args["sell_orders"].grant(history_api, "GetItem")
        history.grant_read(history_api, by_actor=False)
        for route_key in ("GET /asks/{id}/history", "GET /bids/{id}/history"):
            args["api"].route(route_key, history_api)

        self.history = history
        self.register_outputs({})
