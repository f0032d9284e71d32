"""Market data: tape → stream → minutes → candles, and the routes for candles, tickers and a player's own trades."""

import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.live_feed import LiveFeed
from components.periodic_aggregator import LateRecords, PeriodicAggregator
from components.settings import Settings
from components.table import KeyType, Table

_NEW_COMMITS: Mapping[str, object] = {"eventName": ["INSERT"]}
# Commits without trades are in no candle, but the live feed tells of all.
_TRADES: Mapping[str, object] = {**_NEW_COMMITS, "dynamodb": {"NewImage": {"fills": {"B": [{"exists": True}]}}}}
# The tape's stream brings a commit in less, unless something is amiss; then the minute is closed again.
_GRACE_S = 5
# Longer than the tape's stream keeps a commit (24 hours): no late one finds its minute forgotten.
_KEEP_MINUTES_DAYS = 7


class MarketDataArgs(TypedDict):
    """Inputs of `MarketData`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    tape: Table
    """Commits with their fills; its stream has new images."""
    journal: Table
    """Entries of every movement: which commits traded for a player."""
    asks: Table
    """Open asks."""
    standing_bids: Table
    """Open bids."""
    feed: NotRequired[LiveFeed | None]
    """Where commits are told once more, should the matcher's telling have failed. Default: nowhere."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class MarketData(pulumi.ComponentResource):
    """Candles of one minute, five minutes, an hour and a day of every material, and who reads them.

    What it costs, by DynamoDB's rules. Writing: 2 units for each commit that traded, 2 for each batch of up to 99 of
    them, and 13 for each minute in which a material traded (4 candles at 2, closing 5). Reading: 4 units for such a
    minute, and 1 for each 25 of its commits (4 KB). A minute without trades costs nothing but the schedule's look: 2.
    """

    candles: Table
    """One item for each window that traded; the hash key is material and interval."""
    failed_batches_queue_url: pulumi.Output[str]
    """URL of the queue with the positions of commits that were not collected."""

    def __init__(self, name: str, args: MarketDataArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:MarketData", name, {}, opts)
        check_inputs("MarketData", name, args, MarketDataArgs)
        settings = args["settings"]
        alarm_topic_arn = args["alarm_topic_arn"]
        tape = args["tape"]
        feed = args.get("feed")
        child = pulumi.ResourceOptions(parent=self)

        candles = Table(
            f"{name}-candles",
            {
                "hash_key": "series",
                "range_key": "start_ms",
                "range_key_type": KeyType.NUMBER,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        minutes = PeriodicAggregator(
            f"{name}-minutes",
            {
                "handler": "functions.candles.handler",
                "code": code_archive("functions.candles.handler"),
                "code_holds_libraries": True,
                "width_s": 60,
                "grace_s": _GRACE_S,
                "late_records": LateRecords.REOPEN,
                "retention_days": _KEEP_MINUTES_DAYS,
                "variables": {"CANDLES_TABLE": candles.table_name},
                "rights": [
                    {
                        "actions": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
                        "resources": [candles.arn],
                    }
                ],
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        collector = Function(
            f"{name}-collector",
            {
                "handler": "functions.candles_collector.handler",
                "code": code_archive("functions.candles_collector.handler"),
                "variables": {
                    **minutes.adding_variables,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                    **({} if feed is None else {"FEED_HTTP_HOST": feed.http_host}),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        minutes.grant_adding(collector)
        if feed is not None:
            feed.grant_publish(collector)
        subscription = tape.subscribe(
            collector,
            filter_pattern=json.dumps(_TRADES if feed is None else _NEW_COMMITS, separators=(",", ":")),
            alarm_topic_arn=alarm_topic_arn,
        )

        market_data_api = Function(
            f"{name}-api",
            {
                "handler": "functions.market_data_api.handler",
                "code": code_archive("functions.market_data_api.handler"),
                "variables": {
                    "CANDLES_TABLE": candles.table_name,
                    "ASKS_TABLE": args["asks"].table_name,
                    "STANDING_BIDS_TABLE": args["standing_bids"].table_name,
                    "TAPE_TABLE": tape.table_name,
                    "MATERIALS": ",".join(settings.materials),
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                    **minutes.adding_variables,
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        for table in (candles, tape, args["asks"], args["standing_bids"]):
            table.grant(market_data_api, "Query")
        market_data_api.allow("minutes", [{"actions": ["dynamodb:Query"], "resources": [minutes.table_arn]}])
        for route_key in ("GET /materials/{material}/candles", "GET /materials/{material}/ticker"):
            args["api"].route(route_key, market_data_api)

        fills_api = Function(
            f"{name}-fills",
            {
                "handler": "functions.fills_api.handler",
                "code": code_archive("functions.fills_api.handler"),
                "variables": {
                    "JOURNAL_TABLE": args["journal"].table_name,
                    "TAPE_TABLE": tape.table_name,
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarm_topic_arn,
            },
            child,
        )
        args["journal"].grant(fills_api, "Query")
        tape.grant(fills_api, "BatchGetItem")
        args["api"].route("GET /fills", fills_api)

        self.candles = candles
        self.failed_batches_queue_url = subscription.failures_queue_url
        self.register_outputs({"failed_batches_queue_url": self.failed_batches_queue_url})
