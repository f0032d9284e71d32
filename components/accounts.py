"""Who owns what: players' accounts, and the journal of everything that changed them."""

from typing import TypedDict

import pulumi

from components.code_archive import code_archive
from components.function import Function
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.player_pool import ACCOUNTS_WRITE_SCOPE
from components.settings import Settings
from components.table import Table


class AccountsArgs(TypedDict):
    """Inputs of `Accounts`."""

    settings: Settings
    """Settings of the environment."""
    api: HttpApi
    """API that serves the routes."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class Accounts(pulumi.ComponentResource):
    """Accounts, their journal, and the function players look at theirs with and the game's service fills them by."""

    accounts: Table
    """Wallets and lines, by player; changes are published."""
    journal: Table
    """Journal entries, by player and time."""

    def __init__(self, name: str, args: AccountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Accounts", name, {}, opts)
        check_inputs("Accounts", name, args, AccountsArgs)
        settings = args["settings"]
        child = pulumi.ResourceOptions(parent=self)

        accounts = Table(
            f"{name}-accounts",
            {
                "hash_key": "player",
                "range_key": "line",
                "stream": True,
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        journal = Table(
            f"{name}-journal",
            {
                "hash_key": "player",
                "range_key": "entry_key",
                "point_in_time_recovery": settings.point_in_time_recovery,
                "deletion_protection": settings.deletion_protection,
            },
            child,
        )
        accounts_api = Function(
            f"{name}-api",
            {
                "handler": "functions.accounts_api.handler",
                "code": code_archive("functions.accounts_api.handler"),
                "variables": {
                    "ACCOUNTS_TABLE": accounts.table_name,
                    "JOURNAL_TABLE": journal.table_name,
                    "MATERIALS": ",".join(settings.materials),
                    "CURRENCY_DIGITS": str(settings.currency_digits),
                },
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": args["alarm_topic_arn"],
            },
            child,
        )
        accounts.grant(accounts_api, "GetItem", "PutItem", "Query", "UpdateItem")
        journal.grant(accounts_api, "PutItem", "Query")
        for route_key in ("GET /account", "GET /account/journal"):
            args["api"].route(route_key, accounts_api)
        for route_key in ("POST /accounts/{player}/deposits", "POST /accounts/{player}/withdrawals"):
            args["api"].route(route_key, accounts_api, scopes=[ACCOUNTS_WRITE_SCOPE])

        self.accounts = accounts
        self.journal = journal
        self.register_outputs({})
