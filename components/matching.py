"""Where asks meet bids: order stream → matcher function → standing bids and tape."""

from typing import NotRequired, TypedDict

import pulumi

from components.code_archive import code_archive
from components.dead_letter_queue import DeadLetterQueue
from components.expiry import BY_EXPIRY
from components.function import Function
from components.inputs import check_inputs
from components.kinesis_stream import KinesisStream
from components.live_feed import LiveFeed
from components.settings import Settings
from components.table import KeyType, Table


class MatchingArgs(TypedDict):
    """Inputs of `Matching`."""

    settings: Settings
    """Settings of the environment."""
    orders: KinesisStream
    """Stream of new orders and of what is asked of them, keyed by material."""
    asks: Table
    """Open asks."""
    sell_orders: Table
    """Every ask as its seller placed it, with its status unless the book says it."""
    bids: Table
    """Every bid with its status."""
    feed: NotRequired[LiveFeed | None]
    """Where what happens is told as soon as it is committed. Default: nobody is told."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Matching(pulumi.ComponentResource):
    """The matcher, the tables only it writes, and the queues for what it could not process."""

    standing_bids: Table
    """Open bids that found no ask yet; the hash key is the material."""
    tape: Table
    """One item per commit with its fills; gap-free sequence per material."""
    matcher_function_name: pulumi.Output[str]
    """Physical name of the matcher function."""
    subscription_id: pulumi.Output[str]
    """Id of the matcher's subscription to the orders, known once it is reading."""
    parked_records_queue_url: pulumi.Output[str]
    """URL of the queue with records that can never be processed, kept whole."""
    failed_batches_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of batches given up."""

    def __init__(self, name: str, args: MatchingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Matching", name, {}, opts)
        check_inputs("Matching", name, args, MatchingArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        feed = args.get("feed")
        child = pulumi.ResourceOptions(parent=self)

        standing_bids = Table(
            f"{name}-standing-bids",
            {
                "hash_key": "material",
                "range_key": "price_key",
                "indexes": [BY_EXPIRY],
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        tape = Table(
            f"{name}-tape",
            {
                "hash_key": "material",
                "range_key": "sequence",
                "range_key_type": KeyType.NUMBER,
                "stream": True,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        parked_records = DeadLetterQueue(f"{name}-parked-records", {"alarm_topic_arn": alarm_topic_arn}, child)
        matcher = Function(
            f"{name}-matcher",
            {
                "handler": "functions.matcher.handler",
                "code": code_archive("functions.matcher.handler"),
                "variables": {
                    "ASKS_TABLE": args["asks"].table_name,
                    "SELL_ORDERS_TABLE": args["sell_orders"].table_name,
                    "BIDS_TABLE": args["bids"].table_name,
                    "STANDING_BIDS_TABLE": standing_bids.table_name,
                    "TAPE_TABLE": tape.table_name,
                    "PARKED_RECORDS_QUEUE_URL": parked_records.url,
                    "MAKER_FEE_BPS": str(settings.maker_fee_bps),
                    "TAKER_FEE_BPS": str(settings.taker_fee_bps),
                    "SELF_TRADE_PREVENTION": settings.self_trade_prevention.value,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                    "EXPRESS_LANE": "1" if settings.express_lane else "0",
                    "TRACING": settings.tracing.value,
                    **({} if feed is None else {"FEED_HTTP_HOST": feed.http_host}),
                },
                # One full core: matching a batch is the only CPU work on an order's way.
                "memory_mb": 1769,
                "timeout_s": 60,
                "log_retention_days": settings.log_retention_days,
                **settings.order_way,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        args["asks"].grant(matcher, "Query", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        args["sell_orders"].grant(matcher, "BatchGetItem", "PutItem", "UpdateItem")
        args["bids"].grant(matcher, "BatchGetItem", "PutItem", "UpdateItem")
        standing_bids.grant(matcher, "Query", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        tape.grant(matcher, "Query", "PutItem")
        parked_records.grant_send(matcher)
        if feed is not None:
            feed.grant_publish(matcher)
        subscription = args["orders"].subscribe(
            matcher,
            batch_size=500,
            parallelization=settings.matcher_parallelization,
            enhanced_fan_out=settings.enhanced_fan_out,
            alarm_topic_arn=alarm_topic_arn,
        )

        self.standing_bids = standing_bids
        self.tape = tape
        self.matcher_function_name = matcher.function_name
        self.subscription_id = subscription.mapping_id
        self.parked_records_queue_url = parked_records.url
        self.failed_batches_queue_url = subscription.failures_queue_url
        self.register_outputs({})
