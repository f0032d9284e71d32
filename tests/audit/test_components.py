"""What history and audit deploy: one recorder for five tables, an auditor that only reads, routes closed to players."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.audit import Audit
from components.history import MarketHistory
from components.processor import Processor
from functions.environment import (
    AuditEnvironment,
    FunctionEnvironment,
    HistoryApiEnvironment,
    HistoryRecorderEnvironment,
)
from local.delivery.filters import compile_pattern
from tests.audit.market import KEYS
from tests.components.graph import Graph, record
from tests.components.market_part import RULES, rights, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.components import rules

MODELS: dict[str, type[FunctionEnvironment]] = {
    "functions.history_recorder.handler": HistoryRecorderEnvironment,
    "functions.history_api.handler": HistoryApiEnvironment,
    "functions.audit_api.handler": AuditEnvironment,
}


@functools.cache
def graph(hot_days: str = "30") -> Graph:
    def program() -> None:
        around = surroundings(
            {
                name: keys
                for name, keys in KEYS.items()
                if len(keys) == 2 and name not in ("groups", "notifications", "history")
            },
            historyHotDays=hot_days,
        )
        tables = around.tables
        settlements = Processor(
            "settling",
            {
                "handler": "a.b",
                "code": pulumi.AssetArchive({}),
                "code_holds_libraries": True,
                "alarm_topic_arn": around.topic_arn,
            },
        )
        shared: Any = {
            "settings": around.settings,
            "api": around.api,
            "settlements": settlements,
            "alarm_topic_arn": around.topic_arn,
            **{name: tables[name] for name in ("asks", "sell_orders", "bids", "accounts")},
        }
        history = MarketHistory("market-history", shared)
        further: Any = {name: tables[name] for name in ("standing_bids", "tape", "journal")}
        everything: Any = {**shared, **further, "history": history.history}
        Audit("market-audit", everything)

    return record(program)


@pytest.mark.parametrize("rule", RULES)
def test_they_keep_the_rules_of_the_house(rule: Callable[[Graph], rules.Violations]) -> None:
    assert rule(graph()) == []


def test_the_auditor_reads_everything_and_writes_nothing() -> None:
    order_items = {"GetItem", "BatchGetItem", "Query"}
    assert rights(graph(), "market-audit-api") == {
        "asks": order_items,
        "sell-orders": order_items,
        "bids": order_items,
        "standing-bids": {"BatchGetItem", "Query"},
        "tape": {"BatchGetItem", "Query"},
        "accounts": {"GetItem", "BatchGetItem", "Query", "Scan"},
        "journal": {"Query"},
        "settling-transactions": {"GetItem", "BatchGetItem", "Scan"},
        "market-history-bids-history": {"Query"},
    }


def test_one_recorder_reads_the_streams_of_five_tables_and_only_appends() -> None:
    assert rights(graph(), "market-history-bids-recorder") == {
        "market-history-bids-history": {"PartiQLInsert", "Query"}
    }
    mappings = [
        node.inputs
        for node in graph().of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
        if node.inputs["functionName"].startswith("market-history")
    ]
    assert len(mappings) == 5
    assert len({mapping["functionName"] for mapping in mappings}) == 1
    assert len({mapping["eventSourceArn"] for mapping in mappings}) == 5


@pytest.mark.parametrize(
    ("attribute", "recorded", "left_out"),
    [
        ("order_key", ["0190163d-8694-739b-aea5-966c26f8ad91", "f190163d"], ["~mine"]),
        ("line", ["wallet", "material#copper"], ["~deposit#gift-1"]),
    ],
)
def test_pointers_have_no_history(attribute: str, recorded: list[str], left_out: list[str]) -> None:
    patterns = {
        mapping.inputs["filterCriteria"]["filters"][0]["pattern"]
        for mapping in graph().of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
        if attribute in str(mapping.inputs.get("filterCriteria"))
    }
    (pattern,) = patterns
    passes = compile_pattern(pattern).matches

    def record_of(key: str) -> dict[str, Any]:
        return {"dynamodb": {"Keys": {attribute: {"S": key}}}}

    assert all(passes(record_of(key)) for key in recorded)
    assert not any(passes(record_of(key)) for key in left_out)


@pytest.mark.parametrize("hot_days", ["0", "30"])
def test_each_function_gets_exactly_the_variables_it_reads(hot_days: str) -> None:
    for node in graph(hot_days).of_type("aws:lambda/function:Function"):
        model = MODELS.get(node.inputs["handler"])
        if model is not None:
            variables = node.inputs["environment"]["variables"]
            assert set(variables) == set(model.variables())
            model.from_environ(variables)


def test_operator_routes_need_the_scope_for_audits() -> None:
    routes = {
        node.inputs["routeKey"]: node.inputs.get("authorizationScopes")
        for node in graph().of_type("aws:apigatewayv2/route:Route")
    }
    operator = {key: scopes for key, scopes in routes.items() if "/operator/" in key}
    assert len(operator) == 4
    assert all(scopes == ["market/audit"] for scopes in operator.values())
