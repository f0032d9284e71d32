"""The component's graph: what one statement deploys, what it grants, and that it agrees with the library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components import processor as component
from components.function import Function
from components.inputs import InputError
from components.processor import Processor
from patterns.processor import WAKE_FILTER, ProcessorSettings
from patterns.processor.transaction import DUE_AT, DUE_INDEX, DUE_SHARD, EXPIRES_AT, KEY
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record

if TYPE_CHECKING:
    from collections.abc import Callable

CODE: dict[str, Any] = {"handler": "steps.handler", "code": pulumi.AssetArchive({"steps.py": pulumi.StringAsset("")})}


def graph(**args: Any) -> Graph:
    def program() -> None:
        topic = aws.sns.Topic("topic")
        Processor("orders", {**CODE, "alarm_topic_arn": topic.arn, **args})  # pyright: ignore[reportArgumentType]

    return record(program)


def grants(of: Graph, function: str = "orders-processor") -> dict[str, set[str]]:
    """Resource ARN to the actions a function may do on it."""
    found: dict[str, set[str]] = {}
    for policy in of.of_type("aws:iam/rolePolicy:RolePolicy"):
        if policy.inputs["role"].startswith(function):
            for statement in rules.statements(policy):
                for resource in statement["Resource"]:
                    found.setdefault(resource, set()).update(statement["Action"])
    return found


@pytest.mark.parametrize(
    "rule",
    [
        rules.no_wildcards,
        rules.managed_policies_are_for_logs_and_traces,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.stream_consumers_are_bounded,
        rules.schedules_are_bounded,
        rules.everything_is_watched,
        rules.no_physical_names,
    ],
)
def test_it_keeps_the_rules_of_the_house(rule: Callable[[Graph], rules.Violations]) -> None:
    assert rule(graph()) == []


def test_the_table_is_the_one_the_library_uses() -> None:
    (table,) = graph().of_type("aws:dynamodb/table:Table")
    assert (table.inputs["hashKey"], table.inputs.get("rangeKey")) == (KEY, None)
    (index,) = table.inputs["globalSecondaryIndexes"]
    assert (index["name"], index["projectionType"]) == (DUE_INDEX, "KEYS_ONLY")
    keys = (
        {key["keyType"]: key["attributeName"] for key in index["keySchemas"]}
        if "keySchemas" in index
        else {
            "HASH": index["hashKey"],
            "RANGE": index["rangeKey"],
        }
    )
    assert keys == {"HASH": DUE_SHARD, "RANGE": DUE_AT}
    assert {(a["name"], a["type"]) for a in table.inputs["attributes"]} == {(KEY, "S"), (DUE_SHARD, "S"), (DUE_AT, "N")}
    assert table.inputs["ttl"] == {"attributeName": EXPIRES_AT, "enabled": True}
    assert table.inputs["streamEnabled"]


def test_the_trigger_is_filtered_as_the_library_says() -> None:
    (mapping,) = graph().of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    (pattern,) = mapping.inputs["filterCriteria"]["filters"]
    assert pattern["pattern"] == component.WAKE_FILTER == WAKE_FILTER


def test_the_library_reads_the_variables_it_is_given() -> None:
    (function,) = graph(timeout_s=120, variables={"OWN": "1"}).of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    assert {name for name in variables if name.startswith("PROCESSOR_")} <= set(ProcessorSettings.variables())
    assert variables["OWN"] == "1"
    settings = ProcessorSettings.from_environ(variables)
    assert settings.lease_ms > 120_000, "no lease ends under a running invocation"
    assert settings.table == graph().of_type("aws:dynamodb/table:Table")[0].outputs["name"]


def test_the_function_may_do_what_the_library_calls_and_no_more() -> None:
    made = graph()
    (table,) = made.of_type("aws:dynamodb/table:Table")
    of_table = {arn: actions for arn, actions in grants(made).items() if arn.startswith(table.outputs["arn"])}
    of_table.pop(table.outputs["streamArn"], None)
    assert of_table == {
        table.outputs["arn"]: {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        f"{table.outputs['arn']}/index/{DUE_INDEX}": {"dynamodb:Query"},
    }


def test_a_schedule_sweeps_without_retries() -> None:
    (schedule,) = graph(sweep_every_minutes=5).of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["scheduleExpression"] == "rate(5 minutes)"
    assert "Records" not in json.loads(schedule.inputs["target"]["input"])


def test_parked_transactions_raise_an_alarm() -> None:
    made = graph()
    alarm = made.named("aws:cloudwatch/metricAlarm:MetricAlarm", "orders-parked")
    assert (alarm.inputs["namespace"], alarm.inputs["metricName"]) == ("Patterns/Processor", "Parked")
    assert alarm.inputs["dimensions"] == {"Table": made.of_type("aws:dynamodb/table:Table")[0].outputs["name"]}


def test_an_existing_table_is_adopted() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/mine"
    adopted: dict[str, Any] = {"table_name": "mine", "table_arn": arn, "table_stream_arn": f"{arn}/stream/1"}
    made = graph(**adopted)
    assert made.of_type("aws:dynamodb/table:Table") == []
    assert grants(made)[arn] == {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    with pytest.raises(InputError, match="'table_stream_arn' is missing"):
        graph(**{**adopted, "table_stream_arn": None})


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("shards", 65, "must be 1..64, got 65"),
        ("max_attempts", 0, "must be 1..100, got 0"),
        ("sweep_every_minutes", 0, "must be 1..60, got 0"),
        ("timeout_s", 901, "must be 5..900, got 901"),
        ("handler", None, "is missing"),
        ("step", "x", "is not known"),
    ],
)
def test_wrong_inputs_are_named(key: str, value: Any, rule: str) -> None:
    with pytest.raises(InputError, match=f"Processor 'orders': input '{key}' {rule}"):
        graph(**{key: value})


@pytest.mark.parametrize(
    ("grant", "on_table", "on_index"),
    [
        (Processor.grant_submit, {"dynamodb:PutItem", "dynamodb:GetItem"}, None),
        (Processor.grant_operate, {"dynamodb:GetItem", "dynamodb:UpdateItem"}, {"dynamodb:Query"}),
        (Processor.grant_audit, {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Scan"}, None),
    ],
)
def test_submitters_and_operators_get_their_own_rights(
    grant: Callable[[Processor, Function], None], on_table: set[str], on_index: set[str] | None
) -> None:
    def program() -> None:
        orders = Processor("orders", CODE)  # pyright: ignore[reportArgumentType]
        desk = Function("desk", {"handler": "a.b", "code": CODE["code"], "log_retention_days": 7})
        grant(orders, desk)

    made = record(program)
    (table,) = made.of_type("aws:dynamodb/table:Table")
    given = grants(made, "desk")
    assert given.pop(table.outputs["arn"]) == on_table
    assert given.pop(f"{table.outputs['arn']}/index/{DUE_INDEX}", None) == on_index
    assert given == {}


def test_one_function_can_have_all_rights_the_processors_own_too() -> None:
    def program() -> None:
        orders = Processor("orders", CODE)  # pyright: ignore[reportArgumentType]
        for grant in (orders.grant_submit, orders.grant_operate, orders.grant_audit):
            grant(orders.function)

    names = [policy.name for policy in record(program).of_type("aws:iam/rolePolicy:RolePolicy")]
    assert len(set(names)) == len(names), "Pulumi refuses a name that comes twice"


def test_other_languages_can_use_it() -> None:
    definition = Analyzer(PROJECT).analyze([Processor])["component_definitions"]["Processor"]
    assert {key for key, described in definition.inputs.items() if not described.optional} == {"handler", "code"}
    for key, described in (definition.inputs | definition.outputs).items():
        assert described.description, key
