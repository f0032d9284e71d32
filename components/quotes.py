"""What everybody may see: the depth of a book and the trades made on it."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.settings import Settings
from components.table import Table


class QuotesArgs(TypedDict):
    """Inputs of `Quotes`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    asks: Table
    """Open asks."""
    standing_bids: Table
    """Open bids."""
    tape: Table
    """Commits with their fills."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Quotes(pulumi.ComponentResource):
    """The function that answers for books and trades; it reads three tables and writes none."""

    def __init__(self, name: str, args: QuotesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Quotes", name, {}, opts)
        check_inputs("Quotes", name, args, QuotesArgs)
        settings = args["settings"]

        quotes_api = Function(
            f"{name}-api",
            {
                "handler": "functions.quotes_api.handler",
                "code": code_archive("functions.quotes_api.handler"),
                "variables": {
                    "ASKS_TABLE": args["asks"].table_name,
                    "STANDING_BIDS_TABLE": args["standing_bids"].table_name,
                    "TAPE_TABLE": args["tape"].table_name,
                    "MATERIALS": ",".join(settings.materials),
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            pulumi.ResourceOptions(parent=self),
        )
        args["asks"].grant(quotes_api, "Query")
        args["standing_bids"].grant(quotes_api, "Query")
        args["tape"].grant(quotes_api, "Query")
        for route_key in ("GET /materials/{material}/book", "GET /materials/{material}/trades"):
            args["api"].route(route_key, quotes_api)

        self.register_outputs({})
