"""What one statement deploys, and what it is allowed to do."""

from __future__ import annotations

from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pytest

from components.historic import Historic
from components.inputs import InputError
from patterns.historic.version import ACTOR_INDEX
from tests.components import rules
from tests.components.graph import Graph, record

MINIMAL = {"source_name": "accounts", "hash_key": "owner"}
STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/accounts/stream/2026-11-01T00:00:00.000"
ADOPTED = {
    **MINIMAL,
    "range_key": "account",
    "table_name": "accounts",
    "table_arn": STREAM.partition("/stream")[0],
    "table_stream_arn": STREAM,
}


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
    }
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
    assert rights == {"dynamodb:PutItem", "dynamodb:Query"}


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
        ({"source": "accounts"}, "input 'source' is not known"),
    ],
)
def test_half_an_input_is_refused(args: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        deploy(**args)
