"""The seller's way: HTTP API → tables of asks and sell orders → change streams → pipes → order stream."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.expiry import BY_EXPIRY
from components.express_lane import open_express_lane
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.kinesis_stream import KinesisStream
from components.settings import Settings
from components.table import Table

# New asks only: fills and deletions are the matcher's own writes.
_NEW_ASKS = '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"ask_id":{"S":[{"exists":true}]}}}}'
# Asks that the matcher is to put into the book, and what sellers ask of their orders. The record of an ask that is in
# the book from the start has no status, a pointer from a client order id neither.
_ARRIVING_ASKS_AND_REQUESTS = (
    '{"$or":[{"eventName":["INSERT"],"dynamodb":{"NewImage":{"status":{"S":["PENDING"]}}}},'
    '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"request_id":{"S":[{"exists":true}]}}}}]}'
)


class SellPipelineArgs(TypedDict):
    """Inputs of `SellPipeline`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    orders: KinesisStream
    """Stream that carries orders to the matcher."""
    accounts: Table
    """Players' accounts: who places an order has what it needs moved to held."""
    journal: Table
    """Journal of the accounts."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class SellPipeline(pulumi.ComponentResource):
    """Tables of asks and the function that accepts, shows, changes and cancels them."""

    asks: Table
    """Open asks, the sell side of the book; the hash key is the material."""
    sell_orders: Table
    """What each seller asked for, open or not; the hash key is the seller."""

    def __init__(self, name: str, args: SellPipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:SellPipeline", name, {}, opts)
        check_inputs("SellPipeline", name, args, SellPipelineArgs)
        settings = args["settings"]
        child = pulumi.ResourceOptions(parent=self)

        asks = Table(
            f"{name}-asks",
            {
                "hash_key": "material",
                "range_key": "price_key",
                "indexes": [BY_EXPIRY],
                "stream": True,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        sell_orders = Table(
            f"{name}-orders",
            {
                "hash_key": "seller",
                "range_key": "order_key",
                "stream": True,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        asks_api = Function(
            f"{name}-api",
            {
                "handler": "functions.asks_api.handler",
                "code": code_archive("functions.asks_api.handler"),
                "variables": {
                    "ASKS_TABLE": asks.table_name,
                    "SELL_ORDERS_TABLE": sell_orders.table_name,
                    "ACCOUNTS_TABLE": args["accounts"].table_name,
                    "JOURNAL_TABLE": args["journal"].table_name,
                    "TRACING": settings.tracing.value,
                    **settings.placing_variables,
                    **({"ORDERS_STREAM_NAME": args["orders"].stream_name} if settings.express_lane else {}),
                },
                "log_retention_days": settings.log_retention_days,
                # One full core: players wait for this function.
                "memory_mb": 1769,
                **settings.order_way,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            child,
        )
        asks.grant(asks_api, "PutItem", "BatchGetItem")
        sell_orders.grant(asks_api, "PutItem", "UpdateItem", "GetItem", "BatchGetItem", "Query")
        args["accounts"].grant(asks_api, "UpdateItem", "Query")
        args["journal"].grant(asks_api, "PutItem")
        if settings.express_lane:
            open_express_lane(asks_api, args["orders"], args["alarm_topic_arn"])
        for route_key in (
            "POST /asks",
            "GET /asks",
            "DELETE /asks",
            "GET /asks/{id}",
            "PATCH /asks/{id}",
            "DELETE /asks/{id}",
        ):
            args["api"].route(route_key, asks_api)

        self.asks = asks
        self.sell_orders = sell_orders
        self._args = args
        self.register_outputs({})

    def feed(self, start_after: pulumi.Input[str]) -> None:
        """Send every new ask, and what sellers ask of theirs, to the stream, keyed by material.

        Parameters
        ----------
        start_after
            A value known only once the matcher is reading.
        """
        for table, pattern in ((self.asks, _NEW_ASKS), (self.sell_orders, _ARRIVING_ASKS_AND_REQUESTS)):
            table.pipe_to(
                self._args["orders"],
                filter_pattern=pattern,
                partition_key="$.dynamodb.NewImage.material.S",
                log_retention_days=self._args["settings"].log_retention_days,
                start_after=start_after,
                alarm_topic_arn=self._args["alarm_topic_arn"],
            )
