"""What one statement of the component adds to a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components.aggregator import Aggregator
from components.alarms import AlarmTopic
from components.function import Function
from components.inputs import InputError
from patterns.aggregator import AggregatorSettings
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record

if TYPE_CHECKING:
    from collections.abc import Callable

MINIMAL = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "complete_at_count": 10}


def graph_of(**args: Any) -> Graph:
    return record(lambda: Aggregator("groups", cast("Any", MINIMAL | args)))


@pytest.mark.parametrize("args", [{}, {"timeout_s": 60, "retention_days": 1}])
def test_the_graph_keeps_the_house_rules(args: dict[str, Any]) -> None:
    def program() -> None:
        topic = AlarmTopic("alarms", {})
        Aggregator("groups", cast("Any", MINIMAL | args | {"alarm_topic_arn": topic.arn}))

    graph = record(program)
    checks: list[Callable[[Graph], list[str]]] = [
        rules.no_wildcards,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.stream_consumers_are_bounded,
        rules.schedules_are_bounded,
        rules.everything_is_watched,
        rules.no_physical_names,
    ]
    assert [broken for check in checks for broken in check(graph)] == []


def test_the_minimal_form_is_a_table_a_function_and_a_filtered_mapping() -> None:
    graph = graph_of()
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    assert (table.inputs["hashKey"], table.inputs["rangeKey"]) == ("group_id", "entry")
    assert table.inputs["globalSecondaryIndexes"][0]["projectionType"] == "KEYS_ONLY"
    (function,) = graph.of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    assert variables["AGGREGATOR_COMPLETION"] == "count:10"
    assert variables["AGGREGATOR_TABLE"] == table.outputs["name"]
    assert variables["AGGREGATOR_LEASE_MS"] == "35000"
    assert graph.of_type("aws:scheduler/schedule:Schedule") == []


@pytest.mark.parametrize(
    ("args", "variable", "value"),
    [
        ({"complete_at_count": None, "complete_with_kinds": ["b", "a"]}, "COMPLETION", "kinds:a,b"),
        ({"complete_at_count": None, "complete_by_predicate": True}, "COMPLETION", "predicate"),
        ({"complete_at_count": None, "timeout_s": 60}, "COMPLETION", "timeout"),
        ({"timeout_s": 60}, "TIMEOUT_MS", "60000"),
        ({}, "LATE", "DROP"),
        ({"keep_late_records": True}, "LATE", "KEEP"),
        ({}, "DUPLICATES", "KEEP_FIRST"),
        ({"refuse_different_duplicates": True}, "DUPLICATES", "REFUSE_DIFFERENT"),
        ({"retention_days": 2}, "RETENTION_MS", "172800000"),
        ({"function_timeout_s": 10}, "LEASE_MS", "15000"),
    ],
)
def test_inputs_reach_the_library(args: dict[str, Any], variable: str, value: str) -> None:
    function = graph_of(**args).named("aws:lambda/function:Function", "groups-handler-function")
    variables = function.inputs["environment"]["variables"]
    assert variables[f"AGGREGATOR_{variable}"] == value
    AggregatorSettings.from_environ(
        {**variables, "AGGREGATOR_TABLE": "t"}, (lambda _progress: True) if value == "predicate" else None
    )


def test_inputs_reach_table_mapping_and_role() -> None:
    arn = "arn:aws:sns:eu-central-1:123456789012:mine"
    graph = graph_of(retention_days=1, batch_size=3, rights=[{"actions": ["sns:Publish"], "resources": [arn]}])
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    assert table.inputs["ttl"] == {"attributeName": "expires_at_s", "enabled": True}
    (mapping,) = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert mapping.inputs["batchSize"] == 3
    policies = graph.of_type("aws:iam/rolePolicy:RolePolicy")
    assert [
        statement["Action"] for node in policies for statement in rules.statements(node) if arn in statement["Resource"]
    ] == [["sns:Publish"]]


def test_the_timeout_adds_a_schedule_that_may_only_find_and_complete() -> None:
    graph = graph_of(complete_at_count=None, timeout_s=60, retention_days=1)
    assert len(graph.of_type("aws:scheduler/schedule:Schedule")) == 1
    timeouts = graph.named("aws:lambda/function:Function", "groups-timeouts-function")
    assert timeouts.inputs["environment"]["variables"]["AGGREGATOR_TIMEOUT_MS"] == "60000"
    actions = {
        action
        for node in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        if node.name.startswith("groups-timeouts-uses")
        for statement in rules.statements(node)
        for action in statement["Action"]
    }
    assert actions == {"dynamodb:UpdateItem", "dynamodb:Query"}


def rights_of(graph: Graph, function: str) -> dict[str, set[str]]:
    """What a function may do to the table and to its index."""
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    rights: dict[str, set[str]] = {"table": set(), "index": set()}
    for node in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
        for statement in rules.statements(node) if node.name.startswith(f"{function}-") else []:
            for resource in statement["Resource"]:
                if resource == table.outputs["arn"]:
                    rights["table"].update(statement["Action"])
                elif resource == f"{table.outputs['arn']}/index/pending":
                    rights["index"].update(statement["Action"])
    return rights


def test_functions_get_exactly_what_the_library_calls() -> None:
    def program() -> None:
        groups = Aggregator("groups", cast("Any", MINIMAL))
        for name, grants in {
            "adds": [groups.grant_adding],
            "operates": [groups.grant_operate],
            "both": [groups.grant_adding, groups.grant_operate],
        }.items():
            args: Any = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "log_retention_days": 1}
            function = Function(name, args)
            for grant in grants:
                grant(function)

    graph = record(program)
    reading, update, put = {"dynamodb:GetItem", "dynamodb:Query"}, {"dynamodb:UpdateItem"}, {"dynamodb:PutItem"}
    query = {"dynamodb:Query"}
    assert rights_of(graph, "groups-handler") == {"table": reading | update, "index": set()}
    assert rights_of(graph, "adds") == {"table": {"dynamodb:GetItem"} | put | update, "index": set()}
    assert rights_of(graph, "operates") == {"table": reading | update, "index": query}
    assert rights_of(graph, "both") == {"table": reading | update | put, "index": query}
    names = [node.name for node in graph.of_type("aws:iam/rolePolicy:RolePolicy")]
    assert len(names) == len(set(names))


def test_an_existing_table_is_adopted_whole_or_not_at_all() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/mine"
    adopted = {"table_name": "mine", "table_arn": arn, "table_stream_arn": f"{arn}/stream/1"}
    assert graph_of(**adopted).of_type("aws:dynamodb/table:Table") == []
    with pytest.raises(InputError, match="table_stream_arn"):
        graph_of(table_name="mine", table_arn=arn)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"complete_at_count": None}, "one of complete_at_count"),
        ({"complete_at_count": 0}, "must be 1"),
        ({"complete_with_kinds": ["a"]}, "excludes complete_at_count"),
        ({"complete_at_count": None, "complete_with_kinds": ["a,b"]}, "without commas"),
        ({"complete_at_count": None, "complete_with_kinds": "login"}, "must list 1..50 kinds"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 86_400, "retention_days": 1}, "must be longer than timeout_s"),
        ({"complete_at": 10}, "is not known"),
    ],
)
def test_impossible_inputs_name_component_and_rule(args: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=f"Aggregator 'groups'.*{text}"):
        graph_of(**args)


def test_the_component_can_be_offered_to_other_programs() -> None:
    definition = Analyzer(PROJECT).analyze([Aggregator])["component_definitions"]["Aggregator"]
    described = definition.inputs | definition.outputs
    assert [key for key, property_ in described.items() if not property_.description] == []
    assert {key for key, property_ in definition.inputs.items() if not property_.optional} == {"handler", "code"}


def test_the_filter_lets_only_completions_through() -> None:
    (mapping,) = graph_of().of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    (criterion,) = mapping.inputs["filterCriteria"]["filters"]
    pattern = json.loads(criterion["pattern"])
    assert pattern["dynamodb"]["NewImage"] == {"state": {"S": ["COMPLETE"]}}
    assert pattern["dynamodb"]["Keys"] == {"entry": {"S": ["group"]}}
