"""A wrong input is refused at once, by component and input; and the verbs the market does not use work too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest

from components.adopted_table import adopt_table
from components.alarms import AlarmTopic
from components.dead_letter_queue import DeadLetterQueue
from components.function import Function
from components.grants import policy_document
from components.http_api import HttpApi
from components.inputs import InputError
from components.kinesis_stream import KinesisStream
from components.pipe import Pipe
from components.player_pool import PlayerPool
from components.runtime_layer import RuntimeLayer
from components.schedule import Schedule
from components.stream_consumer import StreamConsumer
from components.table import Table
from tests.components.graph import record
from tests.components.rules import statements, stream_consumers_are_bounded

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM_ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/2026-11-01T00:00:00.000"
KINESIS_ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/s"

INDEX = {"name": "by-owner", "hash_key": "owner"}

VALID: dict[Any, dict[str, Any]] = {
    AlarmTopic: {},
    DeadLetterQueue: {},
    Function: {"handler": "h.handler", "code": pulumi.AssetArchive({}), "log_retention_days": 7},
    Table: {"hash_key": "id", "point_in_time_recovery": False, "deletion_protection": False},
    KinesisStream: {"shards": 1},
    StreamConsumer: {"function_name": "f", "role_name": "r", "table_stream_arn": STREAM_ARN},
    Pipe: {
        "table_stream_arn": STREAM_ARN,
        "kinesis_stream_arn": KINESIS_ARN,
        "filter_pattern": "{}",
        "partition_key": "$.dynamodb.NewImage.material.S",
        "log_retention_days": 7,
    },
    HttpApi: {"jwt_issuer": "https://id.example", "jwt_audience": "market", "log_retention_days": 7},
    PlayerPool: {"deletion_protection": False},
    RuntimeLayer: {},
    Schedule: {
        "expression": "rate(5 minutes)",
        "function_name": "f",
        "function_arn": "arn:aws:lambda:eu-central-1:123456789012:function:f",
        "role_name": "r",
    },
}


def _program(component: Any, args: dict[str, Any]) -> Callable[[], object]:
    return lambda: component("example", args)


@pytest.mark.parametrize("component", VALID, ids=lambda component: component.__name__)
def test_the_smallest_inputs_are_enough(component: Any) -> None:
    graph = record(_program(component, VALID[component]))
    assert graph.nodes[0].type == f"commodities-market:index:{component.__name__}"


@pytest.mark.parametrize(
    ("component", "key"),
    [(component, key) for component, args in VALID.items() for key in args if key != "table_stream_arn"],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_a_missing_input_is_named(component: Any, key: str) -> None:
    args = {name: value for name, value in VALID[component].items() if name != key}
    with pytest.raises(InputError, match=f"{component.__name__} 'example': input '{key}' is missing"):
        record(_program(component, args))


@pytest.mark.parametrize(
    ("component", "change", "key", "rule"),
    [
        (Table, {"hashkey": "id"}, "hashkey", "is not known; known inputs: deletion_protection"),
        (Table, {"range_key": "at", "range_key_type": "B"}, "range_key_type", "must be S or N"),
        (Table, {"hash_key_type": "BOOL"}, "hash_key_type", "must be S or N, got BOOL"),
        (
            Table,
            {"indexes": [{"name": "by-id", "hash_key": "id", "hash_key_type": "N"}]},
            "indexes",
            "must use one type for id, got S and N",
        ),
        (Table, {"indexes": [INDEX, INDEX]}, "indexes", "must have unique names, got by-owner twice"),
        (Table, {"indexes": [INDEX | {"projection": "SOME"}]}, "indexes", "must project ALL, KEYS_ONLY or INCLUDE"),
        (Table, {"indexes": [INDEX | {"projection": "INCLUDE"}]}, "indexes", "must list projected_attributes"),
        (Table, {"indexes": [INDEX | {"projected_attributes": ["at"]}]}, "indexes", "must list projected_attributes"),
        (Schedule, {"expression": "5 minutes"}, "expression", "must be rate(n minutes), cron(six fields) or at("),
        (Schedule, {"expression": "rate(1 week)"}, "expression", "got rate(1 week)"),
        (Schedule, {"max_retries": 3}, "max_retries", "must be 0..2, got 3"),
        (Schedule, {"max_event_age_s": 59}, "max_event_age_s", "must be 60..21600"),
        (Schedule, {"input": "now"}, "input", "must be JSON, got now"),
        (Function, {"memory_mb": 64}, "memory_mb", "must be 128..10240, got 64"),
        (Function, {"layers": ["l"] * 5}, "layers", "must be 4 at most, got 5"),
        (Function, {"timeout_s": 901}, "timeout_s", "must be 1..900, got 901"),
        (Function, {"provisioned_concurrency": -1}, "provisioned_concurrency", "must be 0..1000, got -1"),
        (Function, {"provisioned_concurrency": 1001}, "provisioned_concurrency", "must be 0..1000, got 1001"),
        (
            Function,
            {"snap_start": True, "provisioned_concurrency": 1},
            "snap_start",
            "must be false with 'provisioned_concurrency'",
        ),
        (KinesisStream, {"shards": 0}, "shards", "must be 1..10000"),
        (StreamConsumer, {"batch_size": 10_001}, "batch_size", "must be 1..10000"),
        (StreamConsumer, {"parallelization": 11}, "parallelization", "must be 1..10"),
        (StreamConsumer, {"max_retries": -1}, "max_retries", "must be 0..10000"),
        (StreamConsumer, {"max_record_age_s": -1}, "max_record_age_s", "must be 60..604800"),
        (StreamConsumer, {"kinesis_stream_arn": KINESIS_ARN}, "table_stream_arn", "not both"),
        (StreamConsumer, {"table_stream_arn": None}, "table_stream_arn", "must be given"),
        (StreamConsumer, {"kinesis_consumer_arn": KINESIS_ARN}, "kinesis_consumer_arn", "needs 'kinesis_stream_arn'"),
        (Pipe, {"filter_pattern": "INSERT"}, "filter_pattern", "must be a JSON object"),
        (Pipe, {"partition_key": "material"}, "partition_key", "must be a JSON path"),
        (Pipe, {"max_retries": 0}, "max_retries", "must be 1..10000"),
        (PlayerPool, {"jwt_issuer": "https://id.example"}, "jwt_issuer", "must be given together"),
    ],
)
def test_an_impossible_input_is_named(component: Any, change: dict[str, Any], key: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        record(_program(component, VALID[component] | change))
    assert caught.value.component == component.__name__
    assert caught.value.key == key
    assert rule in str(caught.value)


def test_a_table_without_a_stream_cannot_be_subscribed_to() -> None:
    def program() -> None:
        Table("quiet", cast("Any", VALID[Table])).subscribe(Function("reader", cast("Any", VALID[Function])))

    with pytest.raises(InputError, match="Table 'quiet': input 'stream' must be true"):
        record(program)


def test_a_function_can_subscribe_to_a_table() -> None:
    def program() -> None:
        table = Table("orders", cast("Any", VALID[Table] | {"stream": True}))
        table.subscribe(Function("reader", cast("Any", VALID[Function])), filter_pattern='{"eventName":["INSERT"]}')

    graph = record(program)
    mapping = graph.named("aws:lambda/eventSourceMapping:EventSourceMapping", "orders-to-reader-mapping")
    stream_arn = graph.named("aws:dynamodb/table:Table", "orders-table").outputs["streamArn"]
    assert mapping.inputs["eventSourceArn"] == stream_arn
    assert mapping.inputs["filterCriteria"] == {"filters": [{"pattern": '{"eventName":["INSERT"]}'}]}
    assert stream_consumers_are_bounded(graph) == []
    (reading,) = statements(graph.named("aws:iam/rolePolicy:RolePolicy", "orders-to-reader-read"))
    assert reading["Resource"] == [stream_arn]


def test_a_table_has_its_indexes_and_expiry() -> None:
    indexes = [
        INDEX | {"range_key": "at", "range_key_type": "N", "projection": "KEYS_ONLY"},
        {
            "name": "by-at",
            "hash_key": "at",
            "hash_key_type": "N",
            "projection": "INCLUDE",
            "projected_attributes": ["x"],
        },
    ]
    graph = record(_program(Table, VALID[Table] | {"indexes": indexes, "ttl_attribute": "expires_at_s"}))
    inputs = graph.named("aws:dynamodb/table:Table", "example-table").inputs
    assert inputs["attributes"] == [{"name": n, "type": t} for n, t in (("id", "S"), ("owner", "S"), ("at", "N"))]
    assert inputs["globalSecondaryIndexes"] == [
        {"name": "by-owner", "keySchemas": [_key("HASH", "owner"), _key("RANGE", "at")], "projectionType": "KEYS_ONLY"},
        {
            "name": "by-at",
            "keySchemas": [_key("HASH", "at")],
            "projectionType": "INCLUDE",
            "nonKeyAttributes": ["x"],
        },
    ]
    assert inputs["ttl"] == {"attributeName": "expires_at_s", "enabled": True}


def _key(kind: str, attribute: str) -> dict[str, str]:
    return {"keyType": kind, "attributeName": attribute}


def test_a_right_on_an_index_names_the_index() -> None:
    def program() -> None:
        reader = Function("reader", cast("Any", VALID[Function]))
        table = Table("orders", cast("Any", VALID[Table] | {"indexes": [INDEX]}))
        table.grant(reader, "GetItem")
        table.grant(reader, "Query", index="by-owner")

    graph = record(program)
    arn = graph.named("aws:dynamodb/table:Table", "orders-table").outputs["arn"]
    granted = {
        statement["Action"][0]: statement["Resource"]
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(policy)
    }
    assert granted == {"dynamodb:GetItem": [arn], "dynamodb:Query": [f"{arn}/index/by-owner"]}


ADOPTED = {"table_name": "t", "table_arn": STREAM_ARN.partition("/stream")[0], "table_stream_arn": STREAM_ARN}


def test_an_adopted_table_is_used_like_an_own_one() -> None:
    def program() -> None:
        parent = DeadLetterQueue("parent", {})
        reader = Function("reader", cast("Any", VALID[Function]))
        assert adopt_table("Aggregator", "groups", {}, parent, stream=True) is None
        table = adopt_table("Aggregator", "groups", ADOPTED, parent, stream=True)
        assert table is not None
        table.grant(reader, "Query", index="open")
        table.subscribe(reader)

    graph = record(program)
    mapping = graph.named("aws:lambda/eventSourceMapping:EventSourceMapping", "groups-table-to-reader-mapping")
    assert mapping.inputs["eventSourceArn"] == STREAM_ARN
    (using,) = statements(graph.named("aws:iam/rolePolicy:RolePolicy", "reader-uses-groups-table-open"))
    assert using["Resource"] == [f"{ADOPTED['table_arn']}/index/open"]


@pytest.mark.parametrize("missing", ADOPTED)
def test_a_table_is_adopted_whole_or_not_at_all(missing: str) -> None:
    args = {key: value for key, value in ADOPTED.items() if key != missing}

    def program() -> None:
        adopt_table("Aggregator", "groups", args, DeadLetterQueue("parent", {}), stream=True)

    with pytest.raises(InputError, match=f"Aggregator 'groups': input '{missing}' is missing: table_name, table_arn"):
        record(program)


def test_a_malformed_route_is_named() -> None:
    def program() -> None:
        HttpApi("api", cast("Any", VALID[HttpApi])).route("/asks", Function("f", cast("Any", VALID[Function])))

    with pytest.raises(InputError, match="HttpApi 'api': input 'route_key' must be a method and a path"):
        record(program)


@pytest.mark.parametrize(
    ("action", "resource"), [("dynamodb:*", KINESIS_ARN), ("*", KINESIS_ARN), ("dynamodb:Query", f"{STREAM_ARN}/*")]
)
def test_a_wildcard_cannot_be_granted(action: str, resource: str) -> None:
    def program() -> None:
        pulumi.export("policy", policy_document([{"actions": [action], "resources": [resource]}]))

    with pytest.raises(ValueError, match="must be one"):
        record(program)
