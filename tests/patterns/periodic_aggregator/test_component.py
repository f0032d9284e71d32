"""What one statement of the component adds to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components.alarms import AlarmTopic
from components.function import Function
from components.inputs import InputError
from components.periodic_aggregator import LateRecords, PeriodicAggregator
from patterns.periodic_aggregator import PeriodicAggregatorSettings
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record

if TYPE_CHECKING:
    from collections.abc import Callable

MINIMAL = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "width_s": 60}


def graph_of(**args: Any) -> Graph:
    return record(lambda: PeriodicAggregator("minutes", cast("Any", MINIMAL | args)))


def test_the_graph_keeps_the_house_rules() -> None:
    def program() -> None:
        topic = AlarmTopic("alarms", {})
        PeriodicAggregator("minutes", cast("Any", MINIMAL | {"alarm_topic_arn": topic.arn, "retention_days": 1}))

    graph = record(program)
    checks: list[Callable[[Graph], list[str]]] = [
        rules.no_wildcards,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.schedules_are_bounded,
        rules.everything_is_watched,
        rules.no_physical_names,
    ]
    assert [broken for check in checks for broken in check(graph)] == []


def test_the_minimal_form_is_a_table_a_function_and_a_schedule() -> None:
    graph = graph_of()
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    assert (table.inputs["hashKey"], table.inputs["rangeKey"]) == ("bucket", "entry")
    (function,) = graph.of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    expected = {"TABLE": table.outputs["name"], "WIDTH_MS": "60000", "LATE": "NEXT_BUCKET", "LEASE_MS": "65000"}
    assert {key: variables[f"PERIODIC_AGGREGATOR_{key}"] for key in expected} == expected
    (schedule,) = graph.of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["scheduleExpression"] == "rate(1 minute)"


@pytest.mark.parametrize(
    ("args", "variable", "value"),
    [
        ({"grace_s": 5}, "GRACE_MS", "5000"),
        ({"late_records": LateRecords.REOPEN}, "LATE", "REOPEN"),
        ({"late_records": "DROP"}, "LATE", "DROP"),
        ({"shards": 8}, "SHARDS", "8"),
        ({"retention_days": 2}, "RETENTION_MS", "172800000"),
        ({"function_timeout_s": 10}, "LEASE_MS", "15000"),
    ],
)
def test_inputs_reach_the_library(args: dict[str, Any], variable: str, value: str) -> None:
    (function,) = graph_of(**args).of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    assert variables[f"PERIODIC_AGGREGATOR_{variable}"] == value
    PeriodicAggregatorSettings.from_environ({**variables, "PERIODIC_AGGREGATOR_TABLE": "t"})


def test_inputs_reach_table_schedule_and_role() -> None:
    arn = "arn:aws:sns:eu-central-1:123456789012:mine"
    rights = [{"actions": ["sns:Publish"], "resources": [arn]}]
    graph = graph_of(retention_days=1, schedule="rate(1 hour)", rights=rights)
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    assert table.inputs["ttl"] == {"attributeName": "expires_at_s", "enabled": True}
    (schedule,) = graph.of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["scheduleExpression"] == "rate(1 hour)"
    policies = graph.of_type("aws:iam/rolePolicy:RolePolicy")
    assert [
        statement["Action"] for node in policies for statement in rules.statements(node) if arn in statement["Resource"]
    ] == [["sns:Publish"]]


def test_functions_get_exactly_what_the_library_calls() -> None:
    def program() -> None:
        minutes = PeriodicAggregator("minutes", cast("Any", MINIMAL))
        args: Any = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "log_retention_days": 1}
        minutes.grant_adding(Function("adds", args))
        both = Function("both", args)
        minutes.grant_adding(both)
        minutes.grant_read(both)

    graph = record(program)
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    reading, update, put = {"dynamodb:GetItem", "dynamodb:Query"}, {"dynamodb:UpdateItem"}, {"dynamodb:PutItem"}
    expected: dict[str, tuple[set[str], set[str]]] = {
        "minutes-handler": (reading | update, {"dynamodb:Query"}),
        "adds": (put | update, set()),
        "both": (reading | put | update, {"dynamodb:Query"}),
    }
    policies = graph.of_type("aws:iam/rolePolicy:RolePolicy")
    assert len({node.name for node in policies}) == len(policies)
    for function, rights in expected.items():
        stated = [
            (resource, action)
            for node in policies
            if node.name.startswith(f"{function}-")
            for statement in rules.statements(node)
            for resource in statement["Resource"]
            for action in statement["Action"]
        ]
        arns = (table.outputs["arn"], f"{table.outputs['arn']}/index/pending")
        assert tuple({action for resource, action in stated if resource == arn} for arn in arns) == rights


def test_an_existing_table_is_adopted_whole_or_not_at_all() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/mine"
    assert graph_of(table_name="mine", table_arn=arn).of_type("aws:dynamodb/table:Table") == []
    with pytest.raises(InputError, match="table_arn"):
        graph_of(table_name="mine")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"width_s": 0}, "'width_s' must be 1"),
        ({"width_s": -60}, "'width_s' must be 1"),
        ({"width_s": None}, "'width_s' is missing"),
        ({"grace_s": -1}, "grace_s"),
        ({"shards": 257}, "shards"),
        ({"late_records": "LATER"}, "NEXT_BUCKET, REOPEN, DROP, got LATER"),
    ],
)
def test_impossible_inputs_name_component_and_rule(args: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=f"PeriodicAggregator 'minutes'.*{text}"):
        graph_of(**args)


def test_a_rate_of_one_is_in_the_singular_as_aws_wants_it() -> None:
    assert graph_of(schedule="rate(10 minutes)")
    with pytest.raises(InputError, match=r"1 minute without an s, got rate\(1 minutes\)"):
        graph_of(schedule="rate(1 minutes)")


def test_the_component_can_be_offered_to_other_programs() -> None:
    definition = Analyzer(PROJECT).analyze([PeriodicAggregator])["component_definitions"]["PeriodicAggregator"]
    described = definition.inputs | definition.outputs
    assert [key for key, property_ in described.items() if not property_.description] == []
    required = {key for key, property_ in definition.inputs.items() if not property_.optional}
    assert required == {"handler", "code", "widthS"}
