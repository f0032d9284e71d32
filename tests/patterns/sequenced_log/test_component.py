"""The component's graph: what one statement deploys, what it grants, and that it agrees with the library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components import sequenced_log as component
from components.function import Function
from components.inputs import InputError
from components.sequenced_log import SequencedLog, event_filter
from local.delivery.filters import compile_pattern
from patterns.sequenced_log.environment import LogEnvironment
from patterns.sequenced_log.metrics import NAMESPACE
from patterns.sequenced_log.partitions import PLACEMENT_INDEX
from tests.components import rules
from tests.components.graph import PROJECT, Graph, record

if TYPE_CHECKING:
    from collections.abc import Callable

CODE: dict[str, Any] = {"handler": "h.handler", "code": pulumi.AssetArchive({"h.py": pulumi.StringAsset("")})}


def graph(**args: Any) -> Graph:
    def program() -> None:
        topic = aws.sns.Topic("topic")
        SequencedLog("ledger", {**CODE, "alarm_topic_arn": topic.arn, **args})  # pyright: ignore[reportArgumentType]

    return record(program)


def table(made: Graph, name: str) -> Any:
    return made.named("aws:dynamodb/table:Table", f"ledger-{name}-table")


def grants(of: Graph, function: str = "ledger-consumer") -> dict[str, set[str]]:
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


def test_the_library_reads_the_variables_it_is_given() -> None:
    made = graph(timeout_s=120, variables={"OWN": "1"}, consumer="settlement", sweepers=4)
    (function,) = made.of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    assert {name for name in variables if name.startswith("SEQUENCED_LOG_")} == set(LogEnvironment.variables())
    assert variables["OWN"] == "1"
    environment = LogEnvironment.from_environ(variables)
    assert environment.lease_ms > 120_000, "no lease ends under a running invocation"
    assert (environment.consumer, environment.sweepers, environment.log) == ("settlement", 4, "ledger")
    assert environment.events_table == table(made, "events").outputs["name"]
    assert environment.partitions_table == table(made, "partitions").outputs["name"]
    assert environment.consumers_table == table(made, "consumers").outputs["name"]
    assert component.PLACEMENT_INDEX == PLACEMENT_INDEX


def test_the_function_may_read_events_and_never_change_one() -> None:
    made = graph()
    given = grants(made)
    partitions, consumers = table(made, "partitions").outputs["arn"], table(made, "consumers").outputs["arn"]
    (function,) = made.of_type("aws:lambda/function:Function")
    assert given[table(made, "events").outputs["arn"]] == {"dynamodb:Query"}
    assert given[partitions] == {"dynamodb:GetItem"}
    assert given[f"{partitions}/index/{PLACEMENT_INDEX}"] == {"dynamodb:Query"}
    actions = ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
    assert given[consumers] == {f"dynamodb:{action}" for action in actions}
    assert given[function.outputs["arn"]] == {"lambda:InvokeFunction"}


def test_new_events_trigger_it_and_remembered_ids_do_not() -> None:
    (mapping,) = graph(sequence_key="number").of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    (pattern,) = mapping.inputs["filterCriteria"]["filters"]
    assert pattern["pattern"] == event_filter("number")
    accepts = compile_pattern(pattern["pattern"]).matches

    def change(number: int, name: str = "INSERT") -> dict[str, Any]:
        return {"eventName": name, "dynamodb": {"Keys": {"partition": {"S": "a"}, "number": {"N": str(number)}}}}

    assert accepts(change(1))
    assert accepts(change(10))
    assert not accepts(change(0))
    assert not accepts(change(1, "REMOVE"))


def test_lag_gaps_and_parked_events_raise_alarms() -> None:
    made = graph(max_lag=7, consumer="settlement")
    for metric, above in (("Lag", 7), ("Gaps", 0), ("Parked", 0), ("UnsweptPartitions", 0)):
        alarm = made.named("aws:cloudwatch/metricAlarm:MetricAlarm", f"ledger-{metric.lower()}").inputs
        assert (alarm["namespace"], alarm["metricName"], alarm["threshold"]) == (NAMESPACE, metric, above)
        assert alarm["dimensions"] == {"Table": table(made, "events").outputs["name"], "Consumer": "settlement"}


def test_a_schedule_sweeps() -> None:
    (schedule,) = graph(sweep_every_minutes=5).of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["scheduleExpression"] == "rate(5 minutes)"
    assert not {"Records", "partition", "sweep"} & json.loads(schedule.inputs["target"]["input"]).keys()


def test_an_existing_events_table_is_adopted() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/tape"
    adopted: dict[str, Any] = {"table_name": "tape", "table_arn": arn, "table_stream_arn": f"{arn}/stream/1"}
    made = graph(**adopted, partition_key="material")
    assert {node.name for node in made.of_type("aws:dynamodb/table:Table")} == {
        "ledger-partitions-table",
        "ledger-consumers-table",
    }
    assert grants(made)[arn] == {"dynamodb:Query"}
    (function,) = made.of_type("aws:lambda/function:Function")
    environment = LogEnvironment.from_environ(function.inputs["environment"]["variables"])
    assert (environment.events_table, environment.partition_key) == ("tape", "material")
    with pytest.raises(InputError, match="'table_stream_arn' is missing"):
        graph(**{**adopted, "table_stream_arn": None})


def test_a_further_consumer_knows_the_partitions_of_the_log_it_reads() -> None:
    """Without the log's own registry it would not know which partition must wait for which."""

    def program() -> None:
        ledger = SequencedLog("ledger", CODE)  # pyright: ignore[reportArgumentType]
        SequencedLog(
            "statistics",
            {
                **CODE,  # pyright: ignore[reportArgumentType]
                "table_name": ledger.table_name,
                "table_arn": ledger.table_arn,
                "table_stream_arn": ledger.table_stream_arn,
                "log_name": "ledger",
                "partitions_table_name": ledger.partitions_table_name,
                "partitions_table_arn": ledger.partitions_table_arn,
            },
        )

    made = record(program)
    environments = {
        node.name: LogEnvironment.from_environ(node.inputs["environment"]["variables"])
        for node in made.of_type("aws:lambda/function:Function")
    }
    first, further = environments["ledger-consumer-function"], environments["statistics-consumer-function"]
    assert (further.log, further.partitions_table, further.events_table) == (
        "ledger",
        first.partitions_table,
        first.events_table,
    )
    assert (first.consumer, further.consumer) == ("ledger", "statistics")
    assert first.consumers_table != further.consumers_table
    partitions = table(made, "partitions").outputs["arn"]
    given = grants(made, "statistics-consumer")
    assert given[partitions] == {"dynamodb:GetItem"}
    assert given[f"{partitions}/index/{PLACEMENT_INDEX}"] == {"dynamodb:Query"}


ADOPTED = {"table_name": "t", "table_arn": "arn:aws:dynamodb:x:1:table/t", "table_stream_arn": "arn:aws:dynamodb:x:1:s"}
REGISTRY = {"partitions_table_name": "p", "partitions_table_arn": "arn:aws:dynamodb:x:1:table/p", "log_name": "ledger"}


@pytest.mark.parametrize("missing", [*REGISTRY, "table_name"])
def test_a_registry_is_adopted_whole_and_with_its_events(missing: str) -> None:
    given = {**REGISTRY, missing: None} if missing in REGISTRY else REGISTRY
    with pytest.raises(InputError, match=f"input '{missing}' is missing"):
        graph(**given, **(ADOPTED if missing in REGISTRY else {}))


def test_appenders_get_their_rights_and_variables() -> None:
    def program() -> None:
        ledger = SequencedLog("ledger", CODE)  # pyright: ignore[reportArgumentType]
        desk = Function(
            "desk",
            {
                "handler": "a.b",
                "code": CODE["code"],
                "log_retention_days": 7,
                "variables": ledger.appender_variables,
            },
        )
        ledger.grant_append(desk)
        ledger.grant_split(desk)

    made = record(program)
    events, partitions = table(made, "events").outputs["arn"], table(made, "partitions").outputs["arn"]
    assert grants(made, "desk") == {
        events: {"dynamodb:PutItem", "dynamodb:Query", "dynamodb:BatchGetItem"},
        partitions: {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    }
    desk = made.named("aws:lambda/function:Function", "desk-function")
    LogEnvironment.from_environ(desk.inputs["environment"]["variables"])


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("max_attempts", 0, "must be 1..100, got 0"),
        ("checkpoint_every", 0, "must be 1..10000, got 0"),
        ("sweep_every_minutes", 61, "must be 1..60, got 61"),
        ("sweepers", 257, "must be 1..256, got 257"),
        ("batch_size", 0, "must be 1..10000, got 0"),
        ("timeout_s", 4, "must be 5..900, got 4"),
        ("consumer", "a~b", "must be 1..256 bytes without '~', got a~b"),
        ("handler", None, "is missing"),
        ("handlers", "x", "is not known"),
    ],
)
def test_wrong_inputs_are_named(key: str, value: Any, rule: str) -> None:
    with pytest.raises(InputError, match=f"SequencedLog 'ledger': input '{key}' {rule}"):
        graph(**{key: value})


def test_other_languages_can_use_it() -> None:
    definition = Analyzer(PROJECT).analyze([SequencedLog])["component_definitions"]["SequencedLog"]
    assert {key for key, described in definition.inputs.items() if not described.optional} == {"handler", "code"}
    for key, described in (definition.inputs | definition.outputs).items():
        assert described.description, key
