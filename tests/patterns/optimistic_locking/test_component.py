"""What one statement of the component adds to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components.alarms import AlarmTopic
from components.inputs import InputError
from components.optimistic_locking import VersionedTable
from patterns.optimistic_locking import VersionedTableEnvironment
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTION = {"handler": "h.handler", "code": pulumi.AssetArchive({})}
ADOPTED = {"table_name": "mine", "table_arn": "arn:aws:dynamodb:eu-central-1:123456789012:table/mine"}


def graph_of(**args: Any) -> Graph:
    return record(lambda: VersionedTable("accounts", cast("Any", args)))


def test_the_smallest_form_is_a_table() -> None:
    graph = graph_of()
    (table,) = graph.of_type("aws:dynamodb/table:Table")
    assert (table.inputs["hashKey"], table.inputs.get("rangeKey")) == ("id", None)
    assert graph.of_type("aws:lambda/function:Function") == []


def test_the_graph_with_a_function_keeps_the_house_rules() -> None:
    def program() -> None:
        topic = AlarmTopic("alarms", {})
        VersionedTable("accounts", cast("Any", FUNCTION | {"alarm_topic_arn": topic.arn, "range_key": "slot"}))

    graph = record(program)
    checks: list[Callable[[Graph], list[str]]] = [
        rules.no_wildcards,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.everything_is_watched,
        rules.no_physical_names,
    ]
    assert [broken for check in checks for broken in check(graph)] == []


@pytest.mark.parametrize("args", [{}, ADOPTED, {"range_key": "slot"}], ids=["own", "adopted", "sorted"])
def test_the_function_knows_its_table_and_may_do_what_the_library_calls(args: dict[str, Any]) -> None:
    graph = graph_of(**FUNCTION, **args)
    tables = graph.of_type("aws:dynamodb/table:Table")
    assert len(tables) == (0 if args == ADOPTED else 1)
    arn = ADOPTED["table_arn"] if args == ADOPTED else tables[0].outputs["arn"]
    (function,) = graph.of_type("aws:lambda/function:Function")
    found = VersionedTableEnvironment.from_environ(function.inputs["environment"]["variables"])
    assert found.table_name == ("mine" if args == ADOPTED else tables[0].outputs["name"])
    assert (found.partition_key, found.sort_key) == ("id", args.get("range_key"))
    granted = [
        (statement["Action"], statement["Resource"])
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in rules.statements(policy)
    ]
    actions = [f"dynamodb:{call}" for call in ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")]
    assert granted == [(actions, [arn])]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"handler": "h.handler"}, "'code' is missing: handler and code"),
        ({"code": pulumi.AssetArchive({})}, "'handler' is missing: handler and code"),
        ({"table_name": "mine"}, "'table_arn' is missing"),
        ({"hashkey": "id"}, "'hashkey' is not known"),
        (FUNCTION | {"function_timeout_s": 0}, "timeout_s"),
    ],
)
def test_impossible_inputs_name_component_and_rule(args: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        graph_of(**args)


def test_the_component_can_be_offered_to_other_programs() -> None:
    definition = Analyzer(PROJECT).analyze([VersionedTable])["component_definitions"]["VersionedTable"]
    described = definition.inputs | definition.outputs
    assert [key for key, property_ in described.items() if not property_.description] == []
    assert [key for key, property_ in definition.inputs.items() if not property_.optional] == []
