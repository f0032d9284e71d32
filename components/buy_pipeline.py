"""The buyer's way: HTTP API → bids table → change stream → pipe → order stream."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.express_lane import open_express_lane
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.kinesis_stream import KinesisStream
from components.settings import Settings
from components.table import Table

# New bids, and what buyers ask of theirs: all other writes are the matcher's own. Pointers from client order ids carry
# no bid_id.
_NEW_BIDS_AND_REQUESTS = (
    '{"$or":[{"eventName":["INSERT"],"dynamodb":{"NewImage":{"bid_id":{"S":[{"exists":true}]}}}},'
    '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"request_id":{"S":[{"exists":true}]}}}}]}'
)


class BuyPipelineArgs(TypedDict):
    """Inputs of `BuyPipeline`."""

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


class BuyPipeline(pulumi.ComponentResource):
    """The table of bids and the function that accepts, shows, changes and cancels them."""

    bids: Table
    """Every bid with its status; the hash key is the buyer."""

    def __init__(self, name: str, args: BuyPipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:BuyPipeline", name, {}, opts)
        check_inputs("BuyPipeline", name, args, BuyPipelineArgs)
        settings = args["settings"]
        child = pulumi.ResourceOptions(parent=self)

        bids = Table(
            f"{name}-bids",
            {
                "hash_key": "buyer",
                "range_key": "order_key",
                "stream": True,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        bids_api = Function(
            f"{name}-api",
            {
                "handler": "functions.bids_api.handler",
                "code": code_archive("functions.bids_api.handler"),
                "variables": {
                    "BIDS_TABLE": bids.table_name,
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
        bids.grant(bids_api, "PutItem", "UpdateItem", "GetItem", "Query")
        args["accounts"].grant(bids_api, "UpdateItem", "Query")
        args["journal"].grant(bids_api, "PutItem")
        if settings.express_lane:
            open_express_lane(bids_api, args["orders"], args["alarm_topic_arn"])
        for route_key in (
            "POST /bids",
            "GET /bids",
            "DELETE /bids",
            "GET /bids/{id}",
            "PATCH /bids/{id}",
            "DELETE /bids/{id}",
        ):
            args["api"].route(route_key, bids_api)

        self.bids = bids
        self._args = args
        self.register_outputs({})

    def feed(self, start_after: pulumi.Input[str]) -> None:
        """Send every new bid, and what buyers ask of theirs, to the stream, keyed by material.

        Parameters
        ----------
        start_after
            A value known only once the matcher is reading.
        """
        self.bids.pipe_to(
            self._args["orders"],
            filter_pattern=_NEW_BIDS_AND_REQUESTS,
            partition_key="$.dynamodb.NewImage.material.S",
            log_retention_days=self._args["settings"].log_retention_days,
            start_after=start_after,
            alarm_topic_arn=self._args["alarm_topic_arn"],
        )
