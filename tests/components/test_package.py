"""Other programs can use the components: Pulumi's own analysis accepts them, and a plugin process serves them."""

# The plugin's messages carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any, cast

import grpc
import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer, ComponentDefinition
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.package import NOT_OFFERED, PACKAGE_NAME, PACKAGE_VERSION, PackageProvider, offered_components
from components.schema import SCHEMA_FILE, package_schema
from tests.components.graph import PROJECT, ROOT, record

if TYPE_CHECKING:
    from pathlib import Path

OFFERED = offered_components()
WITHOUT_INPUTS = {"RuntimeLayer"}


@pytest.fixture(scope="module")
def definitions() -> dict[str, ComponentDefinition]:
    return Analyzer(PROJECT).analyze([*OFFERED])["component_definitions"]


@pytest.mark.parametrize("name", [component.__name__ for component in OFFERED])
def test_every_input_and_output_is_described(definitions: dict[str, ComponentDefinition], name: str) -> None:
    definition = definitions[name]
    assert definition.description
    assert definition.inputs or name in WITHOUT_INPUTS
    assert definition.outputs
    for key, described in (definition.inputs | definition.outputs).items():
        assert described.description, key


def test_optional_inputs_stay_optional(definitions: dict[str, ComponentDefinition]) -> None:
    inputs = definitions["StreamConsumer"].inputs
    assert {key for key, described in inputs.items() if not described.optional} == {"functionName", "roleName"}


def test_the_small_components_and_the_patterns_are_offered() -> None:
    names = {component.__name__ for component in OFFERED}
    assert {"Table", "Function", "RuntimeLayer", "Schedule", "StreamConsumer", "DeadLetterQueue"} <= names
    assert not names & NOT_OFFERED


def test_the_committed_schema_is_what_the_components_say() -> None:
    written = SCHEMA_FILE.read_text("utf-8")
    assert written == package_schema(), "run `python -m components.schema` and review the difference"


def test_fixed_choices_are_enums() -> None:
    types = json.loads(SCHEMA_FILE.read_text("utf-8"))["types"]
    assert [value["value"] for value in types[f"{PACKAGE_NAME}:index:KeyType"]["enum"]] == ["S", "N"]
    projections = types[f"{PACKAGE_NAME}:index:Projection"]["enum"]
    assert {value["value"] for value in projections} == {"ALL", "KEYS_ONLY", "INCLUDE"}


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["version"]) == (PACKAGE_NAME, PACKAGE_VERSION)
    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    needed = (ROOT / "components" / "requirements.txt").read_text("utf-8").splitlines()
    assert {line for line in needed if "==" in line} <= set(pinned)


def test_another_program_makes_a_component_through_the_package() -> None:
    """As the plugin does it: inputs arrive in the schema's names, choices as their values, numbers as floats."""
    outputs: dict[str, Any] = {}

    def program() -> None:
        provider = PackageProvider()
        inputs = {
            "hashKey": "owner",
            "rangeKey": "at",
            "rangeKeyType": "N",
            "indexes": [{"name": "by-at", "hashKey": "at", "hashKeyType": "N", "projection": "KEYS_ONLY"}],
            "pointInTimeRecovery": True,
            "deletionProtection": False,
        }
        made = provider.construct("raids", f"{PACKAGE_NAME}:index:Table", cast("Any", inputs))
        outputs.update(cast("dict[str, Any]", made.state))
        queue = provider.construct("lost", f"{PACKAGE_NAME}:index:DeadLetterQueue", {})
        sizes = {"handler": "h.handler", "code": pulumi.AssetArchive({}), "maxAttempts": 7.0, "sweepEveryMinutes": 5.0}
        provider.construct("raids", f"{PACKAGE_NAME}:index:Processor", cast("Any", sizes))
        pulumi.export("arn", cast("dict[str, Any]", queue.state)["arn"])

    graph = record(program)
    table = graph.named("aws:dynamodb/table:Table", "raids-table")
    types = {attribute["name"]: attribute["type"] for attribute in table.inputs["attributes"]}
    assert types == {"owner": "S", "at": "N"}
    assert table.inputs["globalSecondaryIndexes"][0]["projectionType"] == "KEYS_ONLY"
    function = graph.named("aws:lambda/function:Function", "raids-processor-function")
    assert function.inputs["environment"]["variables"]["PROCESSOR_MAX_ATTEMPTS"] == "7"
    (schedule,) = graph.of_type("aws:scheduler/schedule:Schedule")
    assert schedule.inputs["scheduleExpression"] == "rate(5 minutes)"
    assert outputs.keys() == {"arn", "tableName", "streamArn"}
    assert graph.exports["arn"].startswith("arn:aws:sqs:")


def test_the_plugin_process_serves_the_committed_schema(tmp_path: Path) -> None:
    """Started as Pulumi starts it: by its folder, from anywhere, with the engine's address; it prints its port."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "components"), "127.0.0.1:1"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
            plugin = cast("Any", provider_pb2_grpc).ResourceProviderStub(channel)
            schema = plugin.GetSchema(cast("Any", provider_pb2).GetSchemaRequest(), timeout=20).schema
    finally:
        process.terminate()
        process.wait(10)
    assert json.loads(schema) == json.loads(SCHEMA_FILE.read_text("utf-8"))
