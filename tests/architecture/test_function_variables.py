"""Deploy time and run time agree on every function's environment variables, in every environment."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from functions.environment import (
    AccountsEnvironment,
    AsksEnvironment,
    AuditEnvironment,
    BidsEnvironment,
    CandlesCollectorEnvironment,
    CandlesEnvironment,
    ExpiryEnvironment,
    FillsEnvironment,
    FunctionEnvironment,
    HistoryApiEnvironment,
    HistoryRecorderEnvironment,
    MarketDataEnvironment,
    MatcherEnvironment,
    NotificationsApiEnvironment,
    NotifierEnvironment,
    QuotesEnvironment,
    SettlementEnvironment,
    SettlementsApiEnvironment,
    SettlementSubmitterEnvironment,
)
from tests.components.graph import ENVIRONMENTS, environment_graph

MODELS: dict[str, type[FunctionEnvironment]] = {
    "functions.asks_api.handler": AsksEnvironment,
    "functions.bids_api.handler": BidsEnvironment,
    "functions.quotes_api.handler": QuotesEnvironment,
    "functions.matcher.handler": MatcherEnvironment,
    "functions.accounts_api.handler": AccountsEnvironment,
    "functions.expiry.handler": ExpiryEnvironment,
    "functions.settlement_submitter.handler": SettlementSubmitterEnvironment,
    "functions.settlement.handler": SettlementEnvironment,
    "functions.settlements_api.handler": SettlementsApiEnvironment,
    "functions.notifier.handler": NotifierEnvironment,
    "functions.notifications_api.handler": NotificationsApiEnvironment,
    "functions.history_api.handler": HistoryApiEnvironment,
    "functions.history_recorder.handler": HistoryRecorderEnvironment,
    "functions.candles_collector.handler": CandlesCollectorEnvironment,
    "functions.candles.handler": CandlesEnvironment,
    "functions.market_data_api.handler": MarketDataEnvironment,
    "functions.fills_api.handler": FillsEnvironment,
    "functions.audit_api.handler": AuditEnvironment,
}


def optional(model: type[FunctionEnvironment]) -> set[str]:
    """Variables that an environment without some feature does not set."""
    return {field.name.upper() for field in fields(model) if field.default is not MISSING}


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_each_function_gets_exactly_the_variables_it_reads(stack: str) -> None:
    deployed = {
        node.inputs["handler"]: node.inputs["environment"]["variables"]
        for node in environment_graph(stack).of_type("aws:lambda/function:Function")
    }
    assert {handler: set(variables) | optional(MODELS[handler]) for handler, variables in deployed.items()} == {
        handler: set(model.variables()) for handler, model in MODELS.items()
    }


def test_an_environment_with_all_features_sets_the_optional_variables_too() -> None:
    for node in environment_graph("staging").of_type("aws:lambda/function:Function"):
        assert optional(MODELS[node.inputs["handler"]]) <= node.inputs["environment"]["variables"].keys()


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_each_function_can_read_what_it_gets(stack: str) -> None:
    for node in environment_graph(stack).of_type("aws:lambda/function:Function"):
        MODELS[node.inputs["handler"]].from_environ(node.inputs["environment"]["variables"])
