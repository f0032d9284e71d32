"""What the two components deploy: rights, variables, filters, routes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, cast

import pulumi_aws as aws
import pytest

from components.http_api import HttpApi
from components.notifications import Notifications
from components.settings import read_settings
from components.settlement import Settlement
from components.table import KeyType, Table
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
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record, stack_configuration
from tests.settlement.tape_model import Tape
from tests.settlement.world import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.dynamodb.items import Item

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
        configured = stack_configuration("dev")
        own = {key: text for key, text in configured.items() if key.startswith(f"{PROJECT}:")}
        settings = read_settings("dev", {key.removeprefix(f"{PROJECT}:"): text for key, text in own.items()})
        topic = aws.sns.Topic("topic").arn
        api = HttpApi(
            "http",
            {
                "jwt_issuer": "https://id.example",
                "jwt_audience": "market",
                "log_retention_days": 7,
                "alarm_topic_arn": topic,
            },
        )
        tables = {
            name: Table(
                name,
                {
                    "hash_key": keys[0][0],
                    "range_key": keys[1][0],
                    "range_key_type": KeyType(keys[1][1]),
                    "stream": True,
                    "point_in_time_recovery": False,
                    "deletion_protection": False,
                },
            )
            for name, keys in TABLES.items()
            if name in ("tape", "accounts", "journal")
        }
        notifications = Notifications("market-notifier", {"settings": settings, "api": api, "alarm_topic_arn": topic})
        Settlement(
            "market-settling",
            {
                "settings": settings,
                "api": api,
                "accounts": tables["accounts"],
                "journal": tables["journal"],
                "tape": tables["tape"],
                "notifications": notifications,
                "alarm_topic_arn": topic,
            },
        )

    return record(program)


def rights(function: str) -> dict[str, set[str]]:
    """Name of a table (or its index) to what a function may do with it."""
    found: dict[str, set[str]] = {}
    for policy in graph().of_type("aws:iam/rolePolicy:RolePolicy"):
        if policy.inputs["role"].startswith(function):
            for statement in rules.statements(policy):
                for resource in statement["Resource"]:
                    _, _, service, _, _, path = str(resource).split(":", 5)
                    if service == "dynamodb" and "/stream/" not in path:
                        name = path.removeprefix("table/").replace("-table-0123456", "")
                        found.setdefault(name, set()).update(
                            action.removeprefix("dynamodb:") for action in statement["Action"]
                        )
    return found


@pytest.mark.parametrize(
    "rule",
    [
        rules.no_wildcards,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.stream_consumers_are_bounded,
        rules.schedules_are_bounded,
        rules.everything_is_watched,
        rules.routes_demand_a_token,
        rules.no_physical_names,
    ],
)
def test_they_keep_the_rules_of_the_house(rule: Callable[[Graph], rules.Violations]) -> None:
    assert rule(graph()) == []


def test_every_function_may_do_what_it_does_and_no_more() -> None:
    assert rights("market-settling-processor") == {
        "market-settling-transactions": {"PutItem", "UpdateItem"},
        "market-settling-transactions/index/due": {"Query"},
        "tape": {"GetItem"},
        "accounts": {"UpdateItem"},
        "journal": {"GetItem", "PutItem"},
        "market-notifier-notifications": {"PutItem"},
        "market-notifier-groups": {"GetItem", "PutItem", "UpdateItem"},
    }
    assert rights("market-settling-submitter") == {"market-settling-transactions": {"PutItem"}}
    assert rights("market-settling-api") == {
        "market-settling-transactions": {"PutItem", "GetItem", "UpdateItem"},
        "market-settling-transactions/index/due": {"Query"},
        "tape": {"GetItem"},
    }
    assert rights("market-notifier-handler") == {
        "market-notifier-groups": {"GetItem", "Query", "UpdateItem"},
        "market-notifier-notifications": {"PutItem"},
    }
    assert rights("market-notifier-api") == {"market-notifier-notifications": {"Query"}}


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
