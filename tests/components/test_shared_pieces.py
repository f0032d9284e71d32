"""What the pieces under the pattern catalogue add to a program: a layer with the libraries, and a bounded schedule."""

from __future__ import annotations

import json
from typing import Any, cast

import pulumi
import pytest

from components.function import ARCHITECTURE, RUNTIME, Function
from components.runtime_layer import RuntimeLayer, layer_files, runtime_layer_arn
from components.schedule import Schedule
from tests.components import rules
from tests.components.graph import ACCOUNT, PROJECT, Graph, record

FUNCTION = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "log_retention_days": 7}


def _scheduled() -> None:
    function = Function("close", cast("Any", FUNCTION))
    Schedule(
        "nightly",
        {
            "expression": "cron(0 3 * * ? *)",
            "timezone": "Europe/Berlin",
            "function_name": function.function_name,
            "function_arn": function.arn,
            "role_name": function.role_name,
        },
        pulumi.ResourceOptions(depends_on=function.grants),
    )


@pytest.fixture(scope="module")
def scheduled() -> Graph:
    return record(_scheduled)


def test_the_layer_holds_every_library_where_lambda_imports_from() -> None:
    (layer,) = record(lambda: RuntimeLayer("libraries", {})).of_type("aws:lambda/layerVersion:LayerVersion")
    assert layer.inputs["layerName"] == f"{PROJECT}-test-libraries"
    assert {RUNTIME, "python3.11"} <= set(layer.inputs["compatibleRuntimes"])
    assert set(layer.inputs["compatibleArchitectures"]) == {ARCHITECTURE, "x86_64"}
    files = layer_files()
    assert list(files) == sorted(files)
    assert {"python/patterns/__init__.py", "python/patterns/sequenced_log/__init__.py"} <= files.keys()
    assert all(path.startswith("python/patterns/") and path.endswith(".py") for path in files)


def test_a_function_runs_on_a_shared_layer_or_on_one_of_its_own() -> None:
    def program() -> None:
        shared = RuntimeLayer("shared", {})
        for name, given in (("first", shared.arn), ("second", None)):
            layers = [runtime_layer_arn(name, given, shared)]
            Function(name, cast("Any", FUNCTION | {"layers": layers}))

    graph = record(program)
    layers = {layer.name: layer.outputs["arn"] for layer in graph.of_type("aws:lambda/layerVersion:LayerVersion")}
    used = {node.name: node.inputs["layers"][1:] for node in graph.of_type("aws:lambda/function:Function")}
    assert used == {
        "first-function": [layers["shared-layer"]],
        "second-function": [layers["second-runtime-layer"]],
    }


def test_a_schedule_calls_one_function_and_nothing_else(scheduled: Graph) -> None:
    (schedule,) = scheduled.of_type("aws:scheduler/schedule:Schedule")
    (function,) = scheduled.of_type("aws:lambda/function:Function")
    assert schedule.inputs["target"]["arn"] == function.outputs["arn"]
    assert schedule.inputs["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    role = scheduled.named("aws:iam/role:Role", "nightly-role")
    assert schedule.inputs["target"]["roleArn"] == role.outputs["arn"]
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    policy = scheduled.named("aws:iam/rolePolicy:RolePolicy", "nightly-call")
    (queue,) = scheduled.of_type("aws:sqs/queue:Queue")
    assert [(s["Action"], s["Resource"]) for s in rules.statements(policy)] == [
        (["lambda:InvokeFunction"], [function.outputs["arn"]]),
        (["sqs:SendMessage"], [queue.outputs["arn"]]),
    ]
    assert policy.urn in schedule.dependencies


def test_the_default_event_names_the_firing(scheduled: Graph) -> None:
    (schedule,) = scheduled.of_type("aws:scheduler/schedule:Schedule")
    event: dict[str, Any] = json.loads(schedule.inputs["target"]["input"])
    assert event == {
        "scheduled_time": "<aws.scheduler.scheduled-time>",
        "execution_id": "<aws.scheduler.execution-id>",
        "attempt": "<aws.scheduler.attempt-number>",
    }


def test_a_schedule_is_bounded_and_keeps_the_rules(scheduled: Graph) -> None:
    assert rules.schedules_are_bounded(scheduled) == []
    assert rules.no_wildcards(scheduled) == []
    assert rules.everything_is_encrypted(scheduled) == []
    assert rules.no_physical_names(scheduled) == []
