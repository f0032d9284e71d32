"""A function may do in a local environment what its role's policies grant, and nothing else, as on AWS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import DeployFailed, LocalEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAM = Path(__file__).parent / "program.py"


def _calls(outputs: Mapping[str, str]) -> list[tuple[str, str, dict[str, Any], str | None]]:
    """Service, operation, request, and what of it is refused (an action and the end of an ARN), or None."""
    table, queue = outputs["table"], outputs["queue"]
    key = {"id": {"S": "a"}}
    named = {"TableName": table}
    by_author = {
        "KeyConditionExpression": "author = :author",
        "ExpressionAttributeValues": {":author": {"S": "ann"}},
        "IndexName": "by-author",
    }
    by_id = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "a"}}}
    write = [{"Update": named | {"Key": key, "UpdateExpression": "REMOVE x"}}]
    check = [{"ConditionCheck": named | {"Key": key, "ConditionExpression": "attribute_exists(id)"}}]
    statement = {"Statement": f"INSERT INTO \"{table}\" VALUE {{'id': ?}}", "Parameters": [key["id"]]}
    return [
        ("dynamodb", "get_item", named | {"Key": key}, None),
        ("dynamodb", "query", named | by_id, None),
        ("dynamodb", "transact_get_items", {"TransactItems": [{"Get": named | {"Key": key}}]}, None),
        ("dynamodb", "put_item", named | {"Item": key}, f"dynamodb:PutItem {table}"),
        ("dynamodb", "batch_execute_statement", {"Statements": [statement]}, f"dynamodb:PartiQLInsert {table}"),
        ("dynamodb", "query", named | by_author, f"dynamodb:Query {table}/index/by-author"),
        ("dynamodb", "batch_get_item", {"RequestItems": {table: {"Keys": [key]}}}, f"dynamodb:BatchGetItem {table}"),
        ("dynamodb", "transact_write_items", {"TransactItems": write}, f"dynamodb:UpdateItem {table}"),
        ("dynamodb", "transact_write_items", {"TransactItems": check}, f"dynamodb:ConditionCheckItem {table}"),
        ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x"}, f"sqs:SendMessage {queue.rsplit('/', 1)[1]}"),
    ]


def test_calls_without_a_grant_are_refused_and_named_when_the_environment_stops(tmp_path: Path) -> None:
    shutil.copy(_PROGRAM, tmp_path / "__main__.py")
    (tmp_path / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
    (tmp_path / "Pulumi.test.yaml").write_text("config:\n  aws:region: us-east-1\n")
    running = up("test", root=tmp_path)
    expected = [refused for *_, refused in _calls(running.outputs)]
    try:
        answers = [
            _invoke(running.client("lambda"), running.outputs["function"], service, call, request)
            for service, call, request, _ in _calls(running.outputs)
        ]
        noted = LocalEnvironment("test", tmp_path).role_calls(keep_state=False)
    finally:
        with pytest.raises(DeployFailed) as failure:
            down("test", root=tmp_path)

    assert ["AccessDenied" in answer for answer in answers] == [refused is not None for refused in expected]
    refusals = [call for call in noted if not call.allowed]
    wanted = [refused.split() for refused in expected if refused is not None]
    assert [call.action for call in refusals] == [action for action, _ in wanted]
    assert all(call.resource.endswith(end) for call, (_, end) in zip(refusals, wanted, strict=True))
    function = running.outputs["function"]
    for call in refusals:
        assert f"{function} was refused {call.action} on {call.resource}" in str(failure.value)


def _invoke(client: Any, function: str, service: str, call: str, request: dict[str, Any]) -> str:
    event = {"service": service, "call": call, "request": request}
    answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
    return str(json.loads(answer["Payload"].read()))
