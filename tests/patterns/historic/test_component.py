"""What one statement deploys, and what it is allowed to do."""

from __future__ import annotations

import json
from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pytest

from components import historic as component
from components.function import Function, FunctionArgs
from components.grants import OBJECT_PREFIX
from components.historic import EXPIRES_AT, Historic
from components.inputs import InputError
from patterns.historic.archive import PREFIX
from patterns.historic.environment import NO_BUCKET
from patterns.historic.version import ACTOR_INDEX, EXPIRES_AT_S
from tests.components import rules
from tests.components.graph import Graph, environment_graph, example_graph, record

MINIMAL = {"source_name": "accounts", "hash_key": "owner"}
STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/accounts/stream/2026-11-01T00:00:00.000"
ADOPTED = {
    **MINIMAL,
    "range_key": "account",
    "table_name": "accounts",
    "table_arn": STREAM.partition("/stream")[0],
    "table_stream_arn": STREAM,
}

SHARED = {"history_table_name": "history", "history_table_arn": ADOPTED["table_arn"]}


def deploy(**args: Any) -> Graph:
    return record(lambda: Historic("audit", cast("Any", {**MINIMAL, **args})))


def test_one_statement_makes_source_history_and_recorder() -> None:
    def program() -> None:
        topic = aws.sns.Topic("topic")
        Historic("audit", cast("Any", {**MINIMAL, "alarm_topic_arn": topic.arn}))

    graph = record(program)
    history = graph.named("aws:dynamodb/table:Table", "audit-history-table")
    assert (history.inputs["hashKey"], history.inputs["rangeKey"]) == ("collection", "version_key")
    (index,) = history.inputs["globalSecondaryIndexes"]
    assert (index["name"], index["projectionType"]) == (ACTOR_INDEX, "KEYS_ONLY")
    assert history.protect
    source = graph.named("aws:dynamodb/table:Table", "audit-source-table")
    assert source.inputs["streamViewType"] == "NEW_AND_OLD_IMAGES"
    (recorder,) = graph.of_type("aws:lambda/function:Function")
    assert recorder.inputs["handler"] == "patterns.historic.recorder_function.handler"
    variables = recorder.inputs["environment"]["variables"]
    assert {name: value for name, value in variables.items() if name.startswith("HISTORY")} == {
        "HISTORY_TABLE": history.outputs["name"],
        "HISTORY_SOURCE": "accounts",
        "HISTORY_HASH_KEY": "owner",
        "HISTORY_ARCHIVE_BUCKET": "-",
        "HISTORY_HOT_DAYS": "0",
    }
    assert "ttl" not in history.inputs
    assert graph.of_type("aws:s3/bucket:Bucket") == []
    (mapping,) = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert mapping.inputs["maximumRecordAgeInSeconds"] == 86_400, "given up only when the stream would"
    for rule in (
        rules.no_wildcards,
        rules.everything_is_encrypted,
        rules.functions_log_with_retention,
        rules.stream_consumers_are_bounded,
        rules.everything_is_watched,
    ):
        assert list(rule(graph)) == []


def test_nobody_may_change_or_delete_a_version() -> None:
    graph = deploy(**ADOPTED)
    (history,) = graph.of_type("aws:dynamodb/table:Table")
    rights = {
        action
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in rules.statements(policy)
        if history.outputs["arn"] in str(statement["Resource"])
        for action in statement["Action"]
    }
    assert rights == {"dynamodb:PartiQLInsert", "dynamodb:Query"}


@pytest.mark.parametrize("program", ["prod", "historic", "other-game"])
def test_in_no_program_of_this_repository_does_anybody_have_a_right_to_change_a_version(program: str) -> None:
    """Of all roles only the recorder's inserts, and nobody updates, replaces or deletes."""
    graph = environment_graph(program) if program == "prod" else example_graph(program)
    tables = [
        node.outputs["arn"]
        for node in graph.of_type("aws:dynamodb/table:Table")
        if (node.inputs["hashKey"], node.inputs.get("rangeKey")) == ("collection", "version_key")
    ]
    assert len(tables) == 1
    archives = [node.outputs["arn"] for node in graph.of_type("aws:s3/bucket:Bucket")]
    rights: dict[str, set[str]] = {}
    for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
        for statement in rules.statements(policy):
            if any(resource.startswith(kept) for resource in statement["Resource"] for kept in [*tables, *archives]):
                for action in statement["Action"]:
                    rights.setdefault(action, set()).add(policy.inputs["role"])
    reading = {"dynamodb:Query", "dynamodb:GetItem", "s3:GetObject", "s3:ListBucket"}
    writing = {"dynamodb:PartiQLInsert", "s3:PutObject"}
    assert rights.keys() <= reading | writing
    assert {role for action in writing for role in rights.get(action, set())} == {
        role.outputs["name"] for role in graph.of_type("aws:iam/role:Role") if role.name.endswith("-recorder-role")
    }
    assert rules.managed_policies_are_for_logs_and_traces(graph) == []


def test_hot_days_make_an_archive_that_nobody_may_change_and_only_these_two_may_use() -> None:
    def program() -> None:
        audit = Historic("audit", cast("Any", {**ADOPTED, "hot_days": 30, "archive_cold_after_days": 90}))
        reader: FunctionArgs = {"handler": "h.h", "code": pulumi.AssetArchive({}), "log_retention_days": 1}
        audit.grant_read(Function("reader", reader))
        pulumi.export("bucket", audit.archive_bucket_name)

    graph = record(program)
    (bucket,) = graph.of_type("aws:s3/bucket:Bucket")
    assert (graph.exports["bucket"], bucket.inputs["forceDestroy"]) == (bucket.outputs["bucket"], False)
    assert bucket.protect
    for rule in (rules.no_wildcards, rules.buckets_are_closed, rules.everything_is_encrypted, rules.data_survives):
        assert list(rule(graph)) == []
    history = graph.named("aws:dynamodb/table:Table", "audit-history-table")
    assert history.inputs["ttl"] == {"attributeName": EXPIRES_AT_S, "enabled": True}
    recorder = graph.named("aws:lambda/function:Function", "audit-recorder-function")
    variables = recorder.inputs["environment"]["variables"]
    assert (variables["HISTORY_ARCHIVE_BUCKET"], variables["HISTORY_HOT_DAYS"]) == (bucket.outputs["bucket"], "30")
    arn = bucket.outputs["arn"]
    rights = {
        policy.name.partition("-uses-")[0]: {
            resource: statement["Action"]
            for statement in rules.statements(policy)
            for resource in statement["Resource"]
        }
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        if "-uses-" in policy.name and arn in policy.inputs["policy"]
    }
    assert rights == {
        "audit-recorder": {f"{arn}/{PREFIX}*": ["s3:GetObject", "s3:PutObject"], arn: ["s3:ListBucket"]},
        "reader": {f"{arn}/{PREFIX}*": ["s3:GetObject"], arn: ["s3:ListBucket"]},
    }
    (lifecycle,) = graph.of_type("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    (cold,) = lifecycle.inputs["rules"]
    assert cold["transitions"] == [{"days": 90, "storageClass": "GLACIER_IR"}]
    (policy,) = graph.of_type("aws:s3/bucketPolicy:BucketPolicy")
    denied = [(s["Action"], s["Condition"]) for s in json.loads(policy.inputs["policy"])["Statement"]]
    assert ("s3:PutObject", {"Null": {"s3:if-none-match": "true"}}) in denied


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:DeleteObject", "arn:aws:s3:::b/versions/*"),
        ("s3:GetObject", "arn:aws:s3:::b/*"),
        ("s3:GetObject", "arn:aws:s3:::*/versions/*"),
        ("s3:GetObject", "arn:aws:s3:::b/versions/*/c"),
    ],
)
def test_no_right_is_wider_than_reading_or_putting_the_objects_of_one_archive(action: str, resource: str) -> None:
    def program() -> None:
        args: FunctionArgs = {"handler": "h.h", "code": pulumi.AssetArchive({}), "log_retention_days": 1}
        Function("reader", args).allow("bad", [{"actions": [action], "resources": [resource]}])

    with pytest.raises(ValueError, match="must be one complete ARN"):
        record(program)


def test_a_shared_history_has_one_archive() -> None:
    def program() -> None:
        first = Historic("first", cast("Any", {**ADOPTED, "hot_days": 30}))
        shared = {
            "history_table_name": first.history_table_name,
            "history_table_arn": first.history_table_arn,
            "archive_bucket_name": first.archive_bucket_name,
            "archive_bucket_arn": first.archive_bucket_arn,
        }
        Historic("second", cast("Any", {**ADOPTED, **shared, "source_name": "wallets", "hot_days": 30}))

    graph = record(program)
    (bucket,) = graph.of_type("aws:s3/bucket:Bucket")
    functions = graph.of_type("aws:lambda/function:Function")
    used = {node.inputs["environment"]["variables"]["HISTORY_ARCHIVE_BUCKET"] for node in functions}
    assert (len(functions), used) == (2, {bucket.outputs["bucket"]})


def test_component_and_library_agree_on_names() -> None:
    assert (EXPIRES_AT, OBJECT_PREFIX, component.NO_BUCKET) == (EXPIRES_AT_S, PREFIX, NO_BUCKET)


def test_two_tables_share_a_history_and_a_recorder_of_your_own_runs_on_the_layer() -> None:
    def program() -> None:
        first = Historic("first", cast("Any", ADOPTED))
        shared = {"history_table_name": first.history_table_name, "history_table_arn": first.history_table_arn}
        own = {"source_name": "wallets", "handler": "handlers.h", "code": pulumi.AssetArchive({})}
        Historic("second", cast("Any", {**ADOPTED, **shared, **own}))

    graph = record(program)
    assert [node.name for node in graph.of_type("aws:dynamodb/table:Table")] == ["first-history-table"]
    (layer,) = graph.of_type("aws:lambda/layerVersion:LayerVersion")
    used = {node.name: node.inputs["layers"][1:] for node in graph.of_type("aws:lambda/function:Function")}
    assert used == {"first-recorder-function": [], "second-recorder-function": [layer.outputs["arn"]]}


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"handler": "h.handler"}, "input 'code' is missing"),
        ({"code": pulumi.AssetArchive({})}, "input 'handler' is missing"),
        ({"history_table_arn": "arn"}, "input 'history_table_name' is missing"),
        ({"table_name": "accounts"}, "Historic 'audit': input 'table_"),
        ({"hot_days": 6}, "input 'hot_days' must be 7..36500, got 6"),
        ({"archive_cold_after_days": 30}, "input 'archive_cold_after_days' is of no use without hot_days"),
        ({"hot_days": 30, "archive_cold_after_days": 0}, "input 'cold_after_days' must be 1..36500, got 0"),
        ({"hot_days": 30, "archive_bucket_name": "b"}, "input 'archive_bucket_name' is of a shared history"),
        ({**SHARED, "hot_days": 30}, "input 'archive_bucket_name' is missing"),
        ({**SHARED, "hot_days": 30, "archive_bucket_name": "b"}, "input 'archive_bucket_arn' is missing"),
        ({"source": "accounts"}, "input 'source' is not known"),
    ],
)
def test_half_an_input_is_refused(args: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        deploy(**args)
