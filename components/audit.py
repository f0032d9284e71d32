"""The operator's view: the history of anything, and the audit of everything, by one function that may only read."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.historic import Historic
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.player_pool import AUDIT_SCOPE
from components.processor import Processor
from components.settings import Settings
from components.table import Table


class AuditArgs(TypedDict):
    """Inputs of `Audit`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    asks: Table
    """Open asks."""
    sell_orders: Table
    """What each seller asked for."""
    bids: Table
    """Every bid."""
    standing_bids: Table
    """Open bids."""
    tape: Table
    """Commits of the matcher."""
    accounts: Table
    """Players' accounts, line by line."""
    journal: Table
    """Entries of every movement."""
    settlements: Processor
    """The settlements."""
    history: Historic
    """The history of all of them."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Audit(pulumi.ComponentResource):
    """Routes that need the scope for audits, and a function that writes nothing."""

    function_name: pulumi.Output[str]
    """Physical name of the function."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Audit", name, {}, opts)
        check_inputs("Audit", name, args, AuditArgs)
        settings = args["settings"]
        settlements, history = args["settlements"], args["history"]
        audit_api = Function(
            f"{name}-api",
            {
                "handler": "functions.audit_api.handler",
                "code": code_archive("functions.audit_api.handler"),
                "variables": {
                    "ASKS_TABLE": args["asks"].table_name,
                    "SELL_ORDERS_TABLE": args["sell_orders"].table_name,
                    "BIDS_TABLE": args["bids"].table_name,
                    "STANDING_BIDS_TABLE": args["standing_bids"].table_name,
                    "TAPE_TABLE": args["tape"].table_name,
                    "ACCOUNTS_TABLE": args["accounts"].table_name,
                    "JOURNAL_TABLE": args["journal"].table_name,
                    "PROCESSOR_TABLE": settlements.table_name,
                    "HISTORY_TABLE": history.history_table_name,
                    "HISTORY_ARCHIVE_BUCKET": history.archive_bucket_name,
                    "MATERIALS": ",".join(settings.materials),
                },
                "memory_mb": 1024,
                # As long as an HTTP API waits: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
                "timeout_s": 29,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            pulumi.ResourceOptions(parent=self),
        )
        for table in (args["asks"], args["sell_orders"], args["bids"]):
            table.grant(audit_api, "GetItem", "BatchGetItem", "Query")
        args["standing_bids"].grant(audit_api, "BatchGetItem", "Query")
        args["tape"].grant(audit_api, "BatchGetItem", "Query")
        args["accounts"].grant(audit_api, "GetItem", "BatchGetItem", "Query", "Scan")
        args["journal"].grant(audit_api, "Query")
        settlements.grant_audit(audit_api)
        history.grant_read(audit_api, by_actor=False)
        for route_key in (
            "GET /operator/history/order/{id}",
            "GET /operator/history/account/{player}",
            "GET /operator/history/settlement/{id}",
            "GET /operator/audit",
        ):
            args["api"].route(route_key, audit_api, scopes=[AUDIT_SCOPE])

        self.function_name = audit_api.function_name
        self.register_outputs({"function_name": self.function_name})
