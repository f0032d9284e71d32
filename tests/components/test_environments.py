"""The facts of each environment's graph that the rest of the house builds on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.components.graph import ENVIRONMENTS, Graph, environment_graph
from tests.components.rules import statements

TABLE = "aws:dynamodb/table:Table"
FUNCTION = "aws:lambda/function:Function"
MATCHER_MAPPING = "market-orders-to-market-matching-matcher-mapping"

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)


@pytest.fixture
def graph(environment: str) -> Graph:
    return environment_graph(environment)


def test_tables_have_their_keys_and_streams(graph: Graph) -> None:
    found: dict[str, tuple[Any, ...]] = {}
    for table in graph.of_type(TABLE):
        types = {attribute["name"]: attribute["type"] for attribute in table.inputs["attributes"]}
        hash_key, range_key = table.inputs["hashKey"], table.inputs["rangeKey"]
        found[table.name] = (hash_key, types[hash_key], range_key, types[range_key], table.inputs.get("streamViewType"))
    assert found == {
        "market-sell-asks-table": ("material", "S", "price_key", "S", "NEW_AND_OLD_IMAGES"),
        "market-sell-orders-table": ("seller", "S", "order_key", "S", None),
        "market-buy-bids-table": ("buyer", "S", "order_key", "S", "NEW_AND_OLD_IMAGES"),
        "market-matching-standing-bids-table": ("material", "S", "price_key", "S", None),
        "market-matching-tape-table": ("material", "S", "sequence", "N", "NEW_AND_OLD_IMAGES"),
        "market-history-bids-history-table": ("collection", "S", "version_key", "S", None),
    }
    assert {table.inputs["billingMode"] for table in graph.of_type(TABLE)} == {"PAY_PER_REQUEST"}


@pytest.mark.parametrize(("side", "id_attribute"), [("sell-asks", "ask_id"), ("buy-bids", "bid_id")])
def test_pipes_carry_new_orders_keyed_by_material(graph: Graph, side: str, id_attribute: str) -> None:
    pipe = graph.named("aws:pipes/pipe:Pipe", f"market-{side}-to-market-orders-pipe")
    (pattern,) = pipe.inputs["sourceParameters"]["filterCriteria"]["filters"]
    assert json.loads(pattern["pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {id_attribute: {"S": [{"exists": True}]}}},
    }
    assert pipe.inputs["source"] == graph.named(TABLE, f"market-{side}-table").outputs["streamArn"]
    assert pipe.inputs["target"] == graph.exports["orders_stream_arn"]
    assert pipe.inputs["targetParameters"] == {
        "kinesisStreamParameters": {"partitionKey": "$.dynamodb.NewImage.material.S"}
    }
    # The matcher decodes the stream record as DynamoDB wrote it.
    assert "inputTemplate" not in pipe.inputs["targetParameters"]


def test_the_matcher_reads_the_order_stream(graph: Graph, environment: str) -> None:
    mapping = graph.named("aws:lambda/eventSourceMapping:EventSourceMapping", MATCHER_MAPPING)
    fan_out = graph.of_type("aws:kinesis/streamConsumer:StreamConsumer")
    (stream,) = graph.of_type("aws:kinesis/stream:Stream")
    assert mapping.inputs["functionName"] == graph.exports["matcher_function_name"]
    assert mapping.inputs["batchSize"] == 500
    assert mapping.inputs["startingPosition"] == "TRIM_HORIZON"
    sources = [consumer.outputs["arn"] for consumer in fan_out] or [stream.outputs["arn"]]
    assert [mapping.inputs["eventSourceArn"]] == sources
    assert bool(fan_out) == (environment in ("staging", "prod"))


def test_histories_read_every_change_of_both_order_tables(graph: Graph) -> None:
    for side, table in (("asks", "market-sell-asks-table"), ("bids", "market-buy-bids-table")):
        mapping = graph.named(
            "aws:lambda/eventSourceMapping:EventSourceMapping", f"market-history-{side}-changes-mapping"
        )
        assert mapping.inputs["eventSourceArn"] == graph.named(TABLE, table).outputs["streamArn"]
        recorder = graph.named(FUNCTION, f"market-history-{side}-recorder-function")
        assert mapping.inputs["functionName"] == recorder.outputs["name"]


def test_stream_readers_wait_for_their_rights(graph: Graph) -> None:
    role_of = {function.outputs["name"]: function.inputs["role"] for function in graph.of_type(FUNCTION)}
    readers = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    readers += graph.of_type("aws:pipes/pipe:Pipe")
    for reader in readers:
        role_arn = reader.inputs.get("roleArn") or role_of[reader.inputs["functionName"]]
        own = {
            policy.urn
            for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
            if policy.inputs["role"] == role_arn.rpartition("/")[2] and policy.parent == reader.parent
        }
        assert own
        assert own <= reader.dependencies


def test_pipes_start_after_the_matcher_reads(graph: Graph) -> None:
    mapping = graph.named("aws:lambda/eventSourceMapping:EventSourceMapping", MATCHER_MAPPING)
    for pipe in graph.of_type("aws:pipes/pipe:Pipe"):
        assert mapping.urn in pipe.dependencies
        assert pipe.inputs["desiredState"] == "RUNNING"
        # Only the pipe itself waits: meanwhile its role's rights spread through IAM.
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
            assert policy.parent != pipe.parent or mapping.urn not in policy.dependencies


def test_functions_are_called_after_their_grants(graph: Graph) -> None:
    def urns(type_: str, parent: str) -> set[str]:
        return {node.urn for node in graph.of_type(type_) if node.parent == parent}

    grants = {
        function.outputs["invokeArn"]: urns("aws:iam/rolePolicy:RolePolicy", function.parent)
        for function in graph.of_type(FUNCTION)
    }
    for function in graph.of_type(FUNCTION):
        assert urns("aws:iam/rolePolicyAttachment:RolePolicyAttachment", function.parent) <= function.dependencies
    integrations = {
        f"integrations/{integration.outputs['id']}": integration.inputs["integrationUri"]
        for integration in graph.of_type("aws:apigatewayv2/integration:Integration")
    }
    for route in graph.of_type("aws:apigatewayv2/route:Route"):
        permission = route.urn.replace("aws:apigatewayv2/route:Route", "aws:lambda/permission:Permission")
        permission = permission.removesuffix("-route") + "-permission"
        assert {permission} | grants[integrations[route.inputs["target"]]] <= route.dependencies
    matcher = graph.named(FUNCTION, "market-matching-matcher-function")
    consumer = graph.named("commodities-market:index:StreamConsumer", "market-orders-to-market-matching-matcher")
    assert len(grants[matcher.outputs["invokeArn"]]) == 5
    assert grants[matcher.outputs["invokeArn"]] <= consumer.dependencies


def test_functions_get_exactly_their_rights(graph: Graph) -> None:
    tables = {table.outputs["arn"]: table.name for table in graph.of_type(TABLE)}
    queues = {queue.outputs["arn"]: queue.name for queue in graph.of_type("aws:sqs/queue:Queue")}
    named = {**tables, **queues}
    found: dict[str, dict[str, str]] = {}
    for function in graph.of_type(FUNCTION):
        role = function.inputs["role"].rpartition("/")[2]
        found[function.name] = {
            named[resource]: " ".join(action.partition(":")[2] for action in statement["Action"])
            for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
            if policy.inputs["role"] == role
            for statement in statements(policy)
            for resource in statement["Resource"]
            if resource in named
        }
    assert found == {
        "market-sell-api-function": {
            "market-sell-asks-table": "BatchGetItem GetItem PutItem",
            "market-sell-orders-table": "GetItem PutItem Query",
        },
        "market-buy-api-function": {"market-buy-bids-table": "GetItem PutItem Query"},
        "market-quotes-api-function": {
            "market-sell-asks-table": "Query",
            "market-matching-standing-bids-table": "Query",
            "market-matching-tape-table": "Query",
        },
        "market-matching-matcher-function": {
            "market-sell-asks-table": "DeleteItem Query UpdateItem",
            "market-buy-bids-table": "BatchGetItem PutItem UpdateItem",
            "market-matching-standing-bids-table": "DeleteItem PutItem Query UpdateItem",
            "market-matching-tape-table": "PutItem Query",
            "market-matching-parked-records-queue": "SendMessage",
            "market-orders-to-market-matching-matcher-failures-queue": "SendMessage",
        },
        "market-history-bids-recorder-function": {
            "market-history-bids-history-table": "PutItem Query",
            "market-history-bids-changes-failures-queue": "SendMessage",
        },
        "market-history-asks-recorder-function": {
            "market-history-bids-history-table": "PutItem Query",
            "market-history-asks-changes-failures-queue": "SendMessage",
        },
        "market-history-api-function": {
            "market-buy-bids-table": "GetItem",
            "market-sell-orders-table": "GetItem",
            "market-history-bids-history-table": "GetItem Query",
        },
    }


def test_routes_reach_their_functions(graph: Graph) -> None:
    functions = {function.outputs["invokeArn"]: function for function in graph.of_type(FUNCTION)}
    integrations = {
        f"integrations/{integration.outputs['id']}": functions[integration.inputs["integrationUri"]]
        for integration in graph.of_type("aws:apigatewayv2/integration:Integration")
    }
    routes = {
        route.inputs["routeKey"]: integrations[route.inputs["target"]]
        for route in graph.of_type("aws:apigatewayv2/route:Route")
    }
    assert {key: function.inputs["handler"] for key, function in routes.items()} == {
        "POST /asks": "functions.asks_api.handler",
        "GET /asks": "functions.asks_api.handler",
        "GET /asks/{id}": "functions.asks_api.handler",
        "POST /bids": "functions.bids_api.handler",
        "GET /bids": "functions.bids_api.handler",
        "GET /bids/{id}": "functions.bids_api.handler",
        "GET /asks/{id}/history": "functions.history_api.handler",
        "GET /bids/{id}/history": "functions.history_api.handler",
        "GET /materials/{material}/book": "functions.quotes_api.handler",
        "GET /materials/{material}/trades": "functions.quotes_api.handler",
    }
    permitted = {
        (permission.inputs["function"], permission.inputs["sourceArn"])
        for permission in graph.of_type("aws:lambda/permission:Permission")
    }
    (stage,) = graph.of_type("aws:apigatewayv2/stage:Stage")
    assert permitted == {
        (function.outputs["name"], f"{stage.outputs['executionArn']}/{key.replace(' ', '')}")
        for key, function in routes.items()
    }


def test_functions_run_the_pinned_runtime(graph: Graph) -> None:
    for function in graph.of_type(FUNCTION):
        assert function.inputs["runtime"] == "python3.13"
        assert function.inputs["architectures"] == ["arm64"]
        (layer,) = function.inputs["layers"]
        assert layer.startswith(
            "arn:aws:lambda:eu-central-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:"
        )
        assert function.inputs["environment"]["variables"]["ENVIRONMENT"] == graph.exports["environment"]


def test_exports_are_complete(graph: Graph, environment: str) -> None:
    tables = ("asks", "sell_orders", "bids", "standing_bids", "tape")
    assert set(graph.exports) == {
        "environment",
        "region",
        "api_url",
        "materials",
        "currency_digits",
        "tick_size",
        *(f"{table}_table_{part}" for table in tables for part in ("name", "arn")),
        "history_table_name",
        "history_table_arn",
        "orders_stream_name",
        "orders_stream_arn",
        "player_pool_id",
        "player_pool_client_id",
        "jwt_issuer",
        "matcher_function_name",
        "parked_records_queue_url",
        "failed_batches_queue_url",
    }
    assert graph.exports["environment"] == environment
    assert (
        graph.exports["jwt_issuer"]
        == f"https://cognito-idp.eu-central-1.amazonaws.com/{graph.exports['player_pool_id']}"
    )
    assert not graph.exports["api_url"].endswith("/")
    assert len(graph.exports["materials"]) >= 8


def test_nobody_signs_in_as_a_player_in_prod(graph: Graph, environment: str) -> None:
    (client,) = graph.of_type("aws:cognito/userPoolClient:UserPoolClient")
    may_impersonate = "ALLOW_ADMIN_USER_PASSWORD_AUTH" in client.inputs["explicitAuthFlows"]
    assert may_impersonate == (environment != "prod")
