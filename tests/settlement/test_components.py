"""What the two components deploy: rights, variables, filters, routes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from components.notifications import Notifications
from components.settlement import Settlement
from functions.environment import (
    FunctionEnvironment,
    NotificationsApiEnvironment,
    NotifierEnvironment,
    SettlementEnvironment,
    SettlementsApiEnvironment,
    SettlementSubmitterEnvironment,
)
from local.delivery.filters import compile_pattern
from market.tape import TapeCommit, encode_commit
from patterns.aggregator.settings import AggregatorSettings
from patterns.dynamodb.items import encode_item
from patterns.processor import ProcessorSettings
from tests.components.graph import Graph, record
from tests.components.market_part import RULES, rights, surroundings
from tests.settlement.tape_model import Tape
from tests.settlement.world import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.dynamodb.items import Item
    from tests.components import rules

MODELS: dict[str, type[FunctionEnvironment]] = {
    "functions.settlement.handler": SettlementEnvironment,
    "functions.settlement_submitter.handler": SettlementSubmitterEnvironment,
    "functions.settlements_api.handler": SettlementsApiEnvironment,
    "functions.notifier.handler": NotifierEnvironment,
    "functions.notifications_api.handler": NotificationsApiEnvironment,
}


@functools.cache
def graph() -> Graph:
    def program() -> None:
        around = surroundings({name: TABLES[name] for name in ("tape", "accounts", "journal")})
        notifications = Notifications(
            "market-notifier", {"settings": around.settings, "api": around.api, "alarm_topic_arn": around.topic_arn}
        )
        Settlement(
            "market-settling",
            {
                "settings": around.settings,
                "api": around.api,
                "accounts": around.tables["accounts"],
                "journal": around.tables["journal"],
                "tape": around.tables["tape"],
                "notifications": notifications,
                "alarm_topic_arn": around.topic_arn,
            },
        )

    return record(program)


@pytest.mark.parametrize("rule", RULES)
def test_they_keep_the_rules_of_the_house(rule: Callable[[Graph], rules.Violations]) -> None:
    assert rule(graph()) == []


def test_every_function_may_do_what_it_does_and_no_more() -> None:
    assert rights(graph(), "market-settling-processor") == {
        "market-settling-transactions": {"PutItem", "UpdateItem"},
        "market-settling-transactions/index/due": {"Query"},
        "tape": {"GetItem"},
        "accounts": {"UpdateItem"},
        "journal": {"GetItem", "PutItem"},
        "market-notifier-notifications": {"PutItem"},
        "market-notifier-groups": {"GetItem", "PutItem", "UpdateItem"},
    }
    assert rights(graph(), "market-settling-submitter") == {"market-settling-transactions": {"PutItem"}}
    assert rights(graph(), "market-settling-api") == {
        "market-settling-transactions": {"PutItem", "GetItem", "UpdateItem"},
        "market-settling-transactions/index/due": {"Query"},
        "tape": {"GetItem"},
    }
    assert rights(graph(), "market-notifier-handler") == {
        "market-notifier-groups": {"GetItem", "Query", "UpdateItem"},
        "market-notifier-notifications": {"PutItem"},
    }
    assert rights(graph(), "market-notifier-api") == {"market-notifier-notifications": {"Query"}}


def test_every_function_gets_exactly_the_variables_it_reads() -> None:
    for node in graph().of_type("aws:lambda/function:Function"):
        variables: dict[str, Any] = node.inputs["environment"]["variables"]
        model = MODELS[node.inputs["handler"]]
        assert set(variables) == set(model.variables())
        model.from_environ(variables)
        if "PROCESSOR_TABLE" in variables:
            ProcessorSettings.from_environ(variables)
        if "AGGREGATOR_TABLE" in variables:
            AggregatorSettings.from_environ(variables, lambda _progress: True)
    assert graph().of_type("aws:lambda/layerVersion:LayerVersion") == []


def test_tables_have_the_keys_the_functions_use() -> None:
    deployed = {
        node.name: [node.inputs["hashKey"], *([node.inputs["rangeKey"]] if "rangeKey" in node.inputs else [])]
        for node in graph().of_type("aws:dynamodb/table:Table")
    }
    for table, node in {
        "settlements": "market-settling-transactions-table",
        "groups": "market-notifier-groups-table",
        "notifications": "market-notifier-notifications-table",
    }.items():
        assert deployed[node] == [name for name, _ in TABLES[table]]


def test_only_new_commits_that_touched_orders_are_submitted() -> None:
    mapping = graph().named(
        "aws:lambda/eventSourceMapping:EventSourceMapping", "tape-to-market-settling-submitter-mapping"
    )
    (pattern,) = mapping.inputs["filterCriteria"]["filters"]
    compiled = compile_pattern(pattern["pattern"])

    def change(commit: TapeCommit, event_name: str = "INSERT") -> Any:
        image: Any = encode_item(cast("Item", encode_commit(commit)))
        for value in image.values():
            if "B" in value:
                value["B"] = "AAAA"  # JSON has no bytes
        return json.loads(json.dumps({"eventName": event_name, "dynamodb": {"NewImage": image}}, default=str))

    tape = Tape()
    traded = tape.commit((tape.bid("bob", 1, 100), tape.ask("alice", 1, 100), 1))
    cancelled = tape.commit(cancel=(tape.bid("bob", 1, 100),))
    quiet = TapeCommit("copper", 3, 1, 1, (), ())
    assert [compiled.matches(change(commit)) for commit in (traded, cancelled, quiet)] == [True, True, False]
    assert not compiled.matches(change(traded, "MODIFY"))


def test_operators_routes_are_closed_to_players() -> None:
    scopes = {
        node.inputs["routeKey"]: node.inputs.get("authorizationScopes")
        for node in graph().of_type("aws:apigatewayv2/route:Route")
    }
    assert scopes == {
        "GET /notifications": None,
        "GET /operator/settlements": ["market/audit"],
        "POST /operator/settlements/{id}": ["market/accounts.write"],
    }
