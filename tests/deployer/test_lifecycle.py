"""A program's life in the emulator: create, no change, update, replace, interrupted, down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.deployer.resources import RESOURCE_TYPES

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from tests.deployer.conftest import Deployment


def test_up_creates_then_changes_nothing_and_down_leaves_nothing(deployment: Deployment) -> None:
    first = deployment.up()
    assert first["outputs"]["secret"] == "in the clear"
    assert _invoke(deployment.aws, first["outputs"]["function"]) == "hello"
    table = deployment.aws.dynamodb.describe_table(TableName=first["outputs"]["table"])["Table"]
    assert table.get("LatestStreamArn")
    tags = deployment.aws.dynamodb.list_tags_of_resource(ResourceArn=table.get("TableArn", "")).get("Tags", [])
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"project": "sample", "use": "test"}, (
        "the provider's and its own"
    )

    second = deployment.up()
    assert second["calls"] == {}
    assert second["changes"] == {"unchanged": first["changes"]["created"]}
    assert second["outputs"] == first["outputs"]

    last = deployment.run("down")
    assert last.result["remaining"] == []
    assert _everything(deployment.aws) == set()


def test_changed_code_and_configuration_are_updated_in_place_and_a_dropped_resource_is_deleted(
    deployment: Deployment,
) -> None:
    before = deployment.up()
    old_hash = _code_hash(deployment.aws, before["outputs"]["function"])
    deployment.configure(greeting="good morning", retentionSeconds=1200, withTopic=False)

    after = deployment.up()
    assert after["changes"] == {"updated": 2, "deleted": 1, "unchanged": before["changes"]["created"] - 3}
    assert after["outputs"] == before["outputs"]
    assert _code_hash(deployment.aws, after["outputs"]["function"]) != old_hash
    assert _invoke(deployment.aws, after["outputs"]["function"]) == "good morning"
    attributes = deployment.aws.sqs.get_queue_attributes(QueueUrl=after["outputs"]["queue"], AttributeNames=["All"])
    assert attributes["Attributes"]["MessageRetentionPeriod"] == "1200"
    assert deployment.aws.sns.list_topics()["Topics"] == []


def test_a_new_table_key_replaces_the_table_and_updates_what_depends_on_it(deployment: Deployment) -> None:
    before = deployment.up()["outputs"]
    deployment.configure(hashKey="title")

    after = deployment.up()
    assert after["changes"]["replaced"] == 2, "the table, and the mapping that reads its stream"
    table = after["outputs"]["table"]
    assert table != before["table"]
    assert deployment.aws.dynamodb.list_tables()["TableNames"] == [table]
    function = deployment.aws.lambda_.get_function_configuration(FunctionName=after["outputs"]["function"])
    assert function.get("Environment", {}).get("Variables", {})["TABLE"] == table
    assert deployment.up()["calls"] == {}


def test_a_crash_in_the_middle_is_completed_by_the_next_up(deployment: Deployment) -> None:
    deployment.configure(crash=True)
    assert deployment.run("up").code == 9
    remembered = {entry["type"] for entry in deployment.state["deployment"]["resources"]}
    assert "aws:dynamodb/table:Table" in remembered
    assert "aws:lambda/function:Function" not in remembered

    deployment.configure(crash=False)
    outputs = deployment.up()["outputs"]
    assert deployment.aws.dynamodb.list_tables()["TableNames"] == [outputs["table"]]
    assert _invoke(deployment.aws, outputs["function"]) == "hello"
    assert deployment.up()["calls"] == {}


def _invoke(aws: Aws, function: str) -> Any:
    return json.loads(aws.lambda_.invoke(FunctionName=function, Payload=b"{}")["Payload"].read())


def _code_hash(aws: Aws, function: str) -> str:
    return aws.lambda_.get_function_configuration(FunctionName=function).get("CodeSha256", "")


def _everything(aws: Aws) -> set[str]:
    return {name for kind in RESOURCE_TYPES.values() for name in kind.listing(aws) or ()}
