"""Another service's program runs here: it imports the components, its functions the layer, and its clock ticks."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import pulumi
from components.function import Function
from components.runtime_layer import RuntimeLayer
from components.schedule import Schedule
from components.table import KeyType, Table

table = Table("ticks", {
    "hash_key": "name", "range_key": "at", "point_in_time_recovery": False, "deletion_protection": False,
    "ttl_attribute": "expires_at_s",
    "indexes": [{"name": "by-attempt", "hash_key": "attempt", "hash_key_type": KeyType.NUMBER}],
})
function = Function("tick", {
    "handler": "clock.handle", "code": pulumi.AssetArchive({"clock.py": pulumi.FileAsset("clock.py")}),
    "log_retention_days": 1, "layers": [RuntimeLayer("libraries", {}).arn], "variables": {"TABLE": table.table_name},
})
table.grant(function, "PutItem")
schedule = Schedule("minutely", {
    "expression": "rate(1 minute)", "function_name": function.function_name, "function_arn": function.arn,
    "role_name": function.role_name, "max_retries": 1,
}, pulumi.ResourceOptions(depends_on=function.grants))
pulumi.export("table_name", table.table_name)
pulumi.export("failures_queue_url", schedule.failures_queue_url)
pulumi.export("function_name", function.function_name)
"""
HANDLER = """
import os
import boto3
import patterns

def handle(event, context):
    print("one line")
    if event.get("poison"):
        raise ValueError("poison")
    item = {"name": {"S": patterns.__file__}, "at": {"S": event["scheduled_time"]}, "attempt": {"N": event["attempt"]}}
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item=item)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    root = tmp_path_factory.mktemp("clock-service")
    _write(root, "Pulumi.yaml", "name: clock-service\nruntime: python\n")
    _write(root, "Pulumi.local.yaml", "config:\n  aws:region: us-east-1\n")
    _write(root, "__main__.py", PROGRAM)
    _write(root, "clock.py", HANDLER)
    yield up("local", root=root, folder=root / ".local")
    down("local", root=root, folder=root / ".local")


def test_a_schedule_calls_a_function_that_imports_from_the_layer(running: RunningEnvironment) -> None:
    dynamodb = running.client("dynamodb")
    query: dict[str, Any] = {
        "TableName": running.outputs["table_name"],
        "IndexName": "by-attempt",
        "KeyConditionExpression": "attempt = :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    (item,) = _wait_for(lambda: dynamodb.query(**query)["Items"])
    # The working copy is importable on this machine too: only the layer is so named.
    assert item["name"]["S"].endswith("/python/patterns/__init__.py")
    assert item["at"]["S"].endswith("Z")
    described = dynamodb.describe_time_to_live(TableName=query["TableName"])["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at_s"}


def test_an_event_the_function_cannot_process_goes_to_the_queue(running: RunningEnvironment) -> None:
    payload = json.dumps({"poison": True}).encode()
    running.client("lambda").invoke(
        FunctionName=running.outputs["function_name"], InvocationType="Event", Payload=payload
    )
    sqs = running.client("sqs")
    queue_url = running.outputs["failures_queue_url"]
    (message,) = _wait_for(lambda: sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1).get("Messages"))
    assert json.loads(message["Body"])["requestPayload"] == {"poison": True}


def _wait_for(found: Any) -> Any:
    for _ in range(100):
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError("nothing came within 10 s")


def _write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, "utf-8")
