"""The facts of each environment's graph that the rest of the house builds on."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from local.delivery.filters import compile_pattern
from tests.components.graph import ENVIRONMENTS, Graph, environment_graph
from tests.components.rules import statements

TABLE = "aws:dynamodb/table:Table"
FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
PIPE = "aws:pipes/pipe:Pipe"
MATCHER_MAPPING = "market-orders-to-matching-matcher-mapping"

CLIENT = "aws:cognito/userPoolClient:UserPoolClient"

# What is only granted where the setting is on: the express lane's stream and the live feed's channels.
PUBLISHES = {"feed-market": "EventPublish", "feed-players": "EventPublish"}
OPTIONAL = {"orders-stream": "PutRecord", **PUBLISHES}

# Table, index, queue, stream, objects or channels → actions, by what the functions call.
GRANTS = {
    # Places orders in a transaction with what they hold and where that came from; marks them; lists them. By the
    # express lane, if there is one, puts them on the stream.
    "functions.asks_api.handler": {
        "sell-asks": "BatchGetItem PutItem",
        "sell-orders": "BatchGetItem GetItem PutItem Query UpdateItem",
        "accounts-accounts": "Query UpdateItem",
        "accounts-journal": "PutItem",
        "orders-stream": "PutRecord",
    },
    "functions.bids_api.handler": {
        "buy-bids": "GetItem PutItem Query UpdateItem",
        "accounts-accounts": "Query UpdateItem",
        "accounts-journal": "PutItem",
        "orders-stream": "PutRecord",
    },
    # Transfers claim their references with an item; a repeated one is looked up.
    "functions.accounts_api.handler": {
        "accounts-accounts": "GetItem PutItem Query UpdateItem",
        "accounts-journal": "PutItem Query",
    },
    "functions.quotes_api.handler": {
        "sell-asks": "Query",
        "matching-standing-bids": "Query",
        "matching-tape": "Query",
    },
    # Reads the book and named orders, writes both sides of it, and the records of what is not in it.
    "functions.matcher.handler": {
        "sell-asks": "BatchGetItem DeleteItem PutItem Query UpdateItem",
        "sell-orders": "BatchGetItem PutItem UpdateItem",
        "buy-bids": "BatchGetItem PutItem UpdateItem",
        "matching-standing-bids": "BatchGetItem DeleteItem PutItem Query UpdateItem",
        "matching-tape": "PutItem Query",
        "matching-parked-records-queue": "SendMessage",
        **PUBLISHES,
    },
    "functions.expiry.handler": {
        "sell-asks/by-expiry": "Query",
        "matching-standing-bids/by-expiry": "Query",
        "orders-stream": "PutRecords",
    },
    "functions.settlement_submitter.handler": {"settlement-transactions": "PutItem"},
    # Progress, account lines, journal entries and notifications are one transaction; then orders are gathered.
    "functions.settlement.handler": {
        "settlement-transactions": "PutItem UpdateItem",
        "settlement-transactions/due": "Query",
        "matching-tape": "GetItem",
        "accounts-accounts": "UpdateItem",
        "accounts-journal": "GetItem PutItem",
        "notices-notifications": "PutItem",
        "notices-groups": "GetItem PutItem UpdateItem",
    },
    "functions.settlements_api.handler": {
        "settlement-transactions": "GetItem PutItem UpdateItem",
        "settlement-transactions/due": "Query",
        "matching-tape": "GetItem",
    },
    "functions.notifier.handler": {
        "notices-groups": "GetItem Query UpdateItem",
        "notices-notifications": "PutItem",
    },
    "functions.notifications_api.handler": {"notices-notifications": "Query"},
    "functions.candles_collector.handler": {"data-minutes-buckets": "PutItem UpdateItem", **PUBLISHES},
    "functions.candles.handler": {
        "data-minutes-buckets": "GetItem Query UpdateItem",
        "data-minutes-buckets/pending": "Query",
        "data-candles": "GetItem PutItem Query",
    },
    "functions.market_data_api.handler": {
        "data-candles": "Query",
        "data-minutes-buckets": "Query",
        "sell-asks": "Query",
        "matching-standing-bids": "Query",
        "matching-tape": "Query",
    },
    "functions.fills_api.handler": {"accounts-journal": "Query", "matching-tape": "BatchGetItem"},
    "functions.history_recorder.handler": {"history-bids-history": "PartiQLInsert Query"},
    # Whose order it is, then its versions; nobody asks by actor.
    "functions.history_api.handler": {
        "buy-bids": "GetItem",
        "sell-orders": "GetItem",
        "history-bids-history": "Query",
    },
    # Reads everything, writes nothing: single items against their histories, others in pages and by the hundred.
    "functions.audit_api.handler": {
        "sell-asks": "BatchGetItem GetItem Query",
        "sell-orders": "BatchGetItem GetItem Query",
        "buy-bids": "BatchGetItem GetItem Query",
        "matching-standing-bids": "BatchGetItem Query",
        "matching-tape": "BatchGetItem Query",
        "accounts-accounts": "BatchGetItem GetItem Query Scan",
        "accounts-journal": "Query",
        "settlement-transactions": "BatchGetItem GetItem Scan",
        "history-bids-history": "Query",
    },
}

ROUTES = {
    "asks_api": {"/asks": "POST GET DELETE", "/asks/{id}": "GET PATCH DELETE"},
    "bids_api": {"/bids": "POST GET DELETE", "/bids/{id}": "GET PATCH DELETE"},
    "accounts_api": {
        "/account": "GET",
        "/account/journal": "GET",
        "/accounts/{player}/deposits": "POST",
        "/accounts/{player}/withdrawals": "POST",
    },
    "notifications_api": {"/notifications": "GET"},
    "quotes_api": {"/materials/{material}/book": "GET", "/materials/{material}/trades": "GET"},
    "market_data_api": {"/materials/{material}/candles": "GET", "/materials/{material}/ticker": "GET"},
    "fills_api": {"/fills": "GET"},
    "history_api": {"/asks/{id}/history": "GET", "/bids/{id}/history": "GET"},
    "settlements_api": {"/operator/settlements": "GET", "/operator/settlements/{id}": "POST"},
    "audit_api": {
        "/operator/history/order/{id}": "GET",
        "/operator/history/account/{player}": "GET",
        "/operator/history/settlement/{id}": "GET",
        "/operator/audit": "GET",
    },
}

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)


@pytest.fixture
def graph(environment: str) -> Graph:
    return environment_graph(environment)


def test_tables_have_their_keys_and_streams(graph: Graph) -> None:
    found: dict[str, tuple[Any, ...]] = {}
    for table in graph.of_type(TABLE):
        types = {attribute["name"]: attribute["type"] for attribute in table.inputs["attributes"]}
        hash_key, range_key = table.inputs["hashKey"], table.inputs.get("rangeKey")
        keys = (hash_key, types[hash_key], range_key, range_key and types[range_key])
        found[table.name] = (*keys, table.inputs.get("streamViewType"))
    changes = "NEW_AND_OLD_IMAGES"
    assert found == {
        "market-accounts-accounts-table": ("player", "S", "line", "S", changes),
        "market-accounts-journal-table": ("player", "S", "entry_key", "S", None),
        "market-sell-asks-table": ("material", "S", "price_key", "S", changes),
        "market-sell-orders-table": ("seller", "S", "order_key", "S", changes),
        "market-buy-bids-table": ("buyer", "S", "order_key", "S", changes),
        "market-matching-standing-bids-table": ("material", "S", "price_key", "S", None),
        "market-matching-tape-table": ("material", "S", "sequence", "N", changes),
        "market-settlement-transactions-table": ("transaction_id", "S", None, None, changes),
        "market-notices-groups-table": ("group_id", "S", "entry", "S", changes),
        "market-notices-notifications-table": ("player", "S", "notification_key", "S", None),
        "market-data-minutes-buckets-table": ("bucket", "S", "entry", "S", None),
        "market-data-candles-table": ("series", "S", "start_ms", "N", None),
        "market-history-bids-history-table": ("collection", "S", "version_key", "S", None),
    }
    assert {table.inputs["billingMode"] for table in graph.of_type(TABLE)} == {"PAY_PER_REQUEST"}


def test_indexes_find_what_is_due(graph: Graph) -> None:
    assert {
        table.name: {
            index["name"]: ([key["attributeName"] for key in index["keySchemas"]], index["projectionType"])
            for index in table.inputs["globalSecondaryIndexes"]
        }
        for table in graph.of_type(TABLE)
        if table.inputs.get("globalSecondaryIndexes")
    } == {
        "market-sell-asks-table": {"by-expiry": (["material", "expires_at_ms"], "ALL")},
        "market-matching-standing-bids-table": {"by-expiry": (["material", "expires_at_ms"], "ALL")},
        "market-settlement-transactions-table": {"due": (["due_shard", "due_at_ms"], "KEYS_ONLY")},
        "market-notices-groups-table": {"pending": (["pending", "pending_since_ms"], "KEYS_ONLY")},
        "market-data-minutes-buckets-table": {"pending": (["pending", "closes_at_ms"], "KEYS_ONLY")},
        "market-history-bids-history-table": {"by-actor": (["actor", "at_ms"], "KEYS_ONLY")},
    }


def test_pipes_carry_changes_of_orders_keyed_by_material(graph: Graph) -> None:
    tables = ("sell-asks", "sell-orders", "buy-bids")
    assert {pipe.name for pipe in graph.of_type(PIPE)} == {f"market-{table}-to-orders-pipe" for table in tables}
    for table in tables:
        pipe = graph.named(PIPE, f"market-{table}-to-orders-pipe")
        assert pipe.inputs["source"] == graph.named(TABLE, f"market-{table}-table").outputs["streamArn"]
        assert pipe.inputs["target"] == graph.exports["orders_stream_arn"]
        # Without an input template, for the matcher decodes the stream record as DynamoDB wrote it.
        assert pipe.inputs["targetParameters"] == {
            "kinesisStreamParameters": {"partitionKey": "$.dynamodb.NewImage.material.S"}
        }


def test_the_matcher_reads_the_order_stream(graph: Graph, environment: str) -> None:
    mapping = graph.named(MAPPING, MATCHER_MAPPING)
    fan_out = graph.of_type("aws:kinesis/streamConsumer:StreamConsumer")
    (stream,) = graph.of_type("aws:kinesis/stream:Stream")
    called = (graph.functions_by("arn") | graph.functions_by("name"))[mapping.inputs["functionName"]]
    assert called.outputs["name"] == graph.exports["matcher_function_name"]
    assert mapping.inputs["batchSize"] == 500
    assert mapping.inputs["startingPosition"] == "TRIM_HORIZON"
    sources = [consumer.outputs["arn"] for consumer in fan_out] or [stream.outputs["arn"]]
    assert [mapping.inputs["eventSourceArn"]] == sources
    assert bool(fan_out) == (environment != "dev")


def test_functions_read_the_changes_of_tables(graph: Graph) -> None:
    streams = {table.outputs["streamArn"]: table.name for table in graph.of_type(TABLE)}
    functions = {function.outputs["name"]: function.inputs["handler"] for function in graph.of_type(FUNCTION)}
    assert {
        (streams[mapping.inputs["eventSourceArn"]], functions[mapping.inputs["functionName"]])
        for mapping in graph.of_type(MAPPING)
        if mapping.name != MATCHER_MAPPING
    } == {
        ("market-matching-tape-table", "functions.settlement_submitter.handler"),
        ("market-matching-tape-table", "functions.candles_collector.handler"),
        ("market-settlement-transactions-table", "functions.settlement.handler"),
        ("market-notices-groups-table", "functions.notifier.handler"),
        ("market-buy-bids-table", "functions.history_recorder.handler"),
        ("market-sell-asks-table", "functions.history_recorder.handler"),
        ("market-sell-orders-table", "functions.history_recorder.handler"),
        ("market-accounts-accounts-table", "functions.history_recorder.handler"),
        ("market-settlement-transactions-table", "functions.history_recorder.handler"),
    }


@pytest.mark.parametrize(
    ("mapping", "event", "key", "image", "passes"),
    [
        ("matching-tape-to-settlement-submitter", "INSERT", {}, {"orders": {"B": b"o"}}, True),
        ("matching-tape-to-settlement-submitter", "INSERT", {}, {"fills": {"B": b"f"}}, False),
        ("matching-tape-to-data-collector", "INSERT", {}, {"orders": {"B": b"o"}, "fills": {"B": b"f"}}, True),
        ("history-bids-changes", "INSERT", {"order_key": {"S": "0192"}}, {}, True),
        ("history-bids-changes", "REMOVE", {"order_key": {"S": "f192"}}, None, True),
        ("history-bids-changes", "INSERT", {"order_key": {"S": "~a client's id"}}, {}, False),
        ("history-sell-orders", "MODIFY", {"order_key": {"S": "0192"}}, {}, True),
        ("history-sell-orders", "INSERT", {"order_key": {"S": "~a client's id"}}, {}, False),
        ("history-accounts", "MODIFY", {"line": {"S": "wallet"}}, {}, True),
        ("history-accounts", "INSERT", {"line": {"S": "material#copper"}}, {}, True),
        ("history-accounts", "INSERT", {"line": {"S": "~deposit#reference"}}, {}, False),
        ("history-asks", "REMOVE", {}, None, True),
        ("history-settlements", "MODIFY", {}, {}, True),
    ],
)
def test_functions_get_the_changes_that_concern_them(
    graph: Graph, mapping: str, event: str, key: dict[str, Any], image: dict[str, Any] | None, *, passes: bool
) -> None:
    criteria = graph.named(MAPPING, f"market-{mapping}-mapping").inputs.get("filterCriteria")
    patterns = [compile_pattern(entry["pattern"]) for entry in criteria["filters"]] if criteria else []
    change = {"Keys": key} | ({} if image is None else {"NewImage": image})
    record = {"eventName": event, "dynamodb": change}
    assert (not patterns or any(pattern.matches(record) for pattern in patterns)) is passes


def test_the_clock_ends_orders_wakes_settlements_and_closes_minutes(graph: Graph) -> None:
    functions = {function.outputs["arn"]: function.inputs["handler"] for function in graph.of_type(FUNCTION)}
    assert {
        functions[schedule.inputs["target"]["arn"]]: schedule.inputs["scheduleExpression"]
        for schedule in graph.of_type("aws:scheduler/schedule:Schedule")
    } == {f"functions.{function}.handler": "rate(1 minute)" for function in ("expiry", "settlement", "candles")}


def test_stream_readers_wait_for_their_rights(graph: Graph) -> None:
    functions = graph.functions_by("arn") | graph.functions_by("name")
    readers = graph.of_type(MAPPING)
    readers += graph.of_type(PIPE)
    for reader in readers:
        role_arn = reader.inputs.get("roleArn") or functions[reader.inputs["functionName"]].inputs["role"]
        own = {
            policy.urn
            for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
            if policy.inputs["role"] == role_arn.rpartition("/")[2] and policy.parent == reader.parent
        }
        assert own
        assert own <= reader.dependencies


def test_pipes_start_after_the_matcher_reads(graph: Graph) -> None:
    mapping = graph.named(MAPPING, MATCHER_MAPPING)
    for pipe in graph.of_type(PIPE):
        assert mapping.urn in pipe.dependencies
        assert pipe.inputs["desiredState"] == "RUNNING"
        # Only the pipe itself waits: meanwhile its role's rights spread through IAM.
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
            assert policy.parent != pipe.parent or mapping.urn not in policy.dependencies


def test_functions_are_called_after_their_grants(graph: Graph, environment: str) -> None:
    def urns(type_: str, parent: str) -> set[str]:
        return {node.urn for node in graph.of_type(type_) if node.parent == parent}

    grants = {
        invoke_arn: urns("aws:iam/rolePolicy:RolePolicy", function.parent)
        for invoke_arn, function in graph.functions_by("invokeArn").items()
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
    consumer = graph.named("commodities-market:index:StreamConsumer", "market-orders-to-matching-matcher")
    assert len(grants[matcher.outputs["invokeArn"]]) == (6 if environment == "dev" else 7)
    assert grants[matcher.outputs["invokeArn"]] <= consumer.dependencies


def test_functions_get_exactly_their_rights(graph: Graph, environment: str) -> None:
    expected = GRANTS
    if environment == "dev":  # it has neither
        expected = {
            handler: {
                resource: actions for resource, actions in rights.items() if (resource, actions) not in OPTIONAL.items()
            }
            for handler, rights in GRANTS.items()
        }
    if environment in ("staging", "prod"):  # they have an archive
        readers = ("functions.history_api.handler", "functions.audit_api.handler")
        archive = {**dict.fromkeys(readers, "GetObject"), "functions.history_recorder.handler": "GetObject PutObject"}
        expected = GRANTS | {
            handler: GRANTS[handler] | {"history-bids-archive-bucket": "ListBucket", "versions/*": objects}
            for handler, objects in archive.items()
        }
    assert {
        function.inputs["handler"]: _grants(graph, function.inputs["role"]) for function in graph.of_type(FUNCTION)
    } == expected


def _grants(graph: Graph, role_arn: str) -> dict[str, str]:
    """Resource → actions of a role, without the reading of streams and without the queues of what was given up."""
    named = {
        node.outputs[key]: node.name
        for node in graph.nodes
        for key in ("arn", "channelNamespaceArn")
        if key in node.outputs
    }
    granted: dict[str, set[str]] = defaultdict(set)
    for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy"):
        if policy.inputs["role"] != role_arn.rpartition("/")[2] or policy.name.endswith(("-read", "-give-up")):
            continue
        for statement in statements(policy):
            for resource in statement["Resource"]:
                whole, of_index, index = resource.partition("/index/")
                name = named.get(whole) or whole.partition("/")[2]  # the objects of a bucket have no name
                name = name.removeprefix("market-").removesuffix("-table") + ("/" if of_index else "") + index
                granted[name] |= {action.partition(":")[2] for action in statement["Action"]}
    return {name: " ".join(sorted(actions)) for name, actions in granted.items()}


def test_routes_reach_their_functions(graph: Graph) -> None:
    functions = graph.functions_by("invokeArn")
    integrations = {
        f"integrations/{integration.outputs['id']}": functions[integration.inputs["integrationUri"]]
        for integration in graph.of_type("aws:apigatewayv2/integration:Integration")
    }
    routes = {
        route.inputs["routeKey"]: integrations[route.inputs["target"]]
        for route in graph.of_type("aws:apigatewayv2/route:Route")
    }
    assert {key: function.inputs["handler"] for key, function in routes.items()} == {
        f"{method} {path}": f"functions.{function}.handler"
        for function, paths in ROUTES.items()
        for path, methods in paths.items()
        for method in methods.split()
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


def test_only_the_service_and_the_operator_reach_what_is_theirs(graph: Graph) -> None:
    scopes = {
        route.inputs["routeKey"]: route.inputs["authorizationScopes"]
        for route in graph.of_type("aws:apigatewayv2/route:Route")
        if route.inputs.get("authorizationScopes")
    }
    assert scopes == {
        "POST /accounts/{player}/deposits": ["market/accounts.write"],
        "POST /accounts/{player}/withdrawals": ["market/accounts.write"],
        "POST /operator/settlements/{id}": ["market/accounts.write"],
        "GET /operator/settlements": ["market/audit"],
        "GET /operator/history/order/{id}": ["market/audit"],
        "GET /operator/history/account/{player}": ["market/audit"],
        "GET /operator/history/settlement/{id}": ["market/audit"],
        "GET /operator/audit": ["market/audit"],
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
    tables = (
        *("asks", "sell_orders", "bids", "standing_bids", "tape"),
        *("accounts", "journal", "notifications", "settlements", "candles", "history"),
    )
    assert set(graph.exports) == {
        "environment",
        "region",
        "api_url",
        *((f"feed_{part}" for part in ("http_host", "realtime_host", "realtime_url")) if environment != "dev" else ()),
        "materials",
        "currency_digits",
        "tick_size",
        "maker_fee_bps",
        "taker_fee_bps",
        *(f"{table}_table_{part}" for table in tables for part in ("name", "arn")),
        "orders_stream_name",
        "orders_stream_arn",
        "player_pool_id",
        "player_pool_client_id",
        "jwt_issuer",
        "service_client_id",
        "token_url",
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
    client = graph.named(CLIENT, "market-players-client")
    may_impersonate = "ALLOW_ADMIN_USER_PASSWORD_AUTH" in client.inputs["explicitAuthFlows"]
    assert may_impersonate == (environment != "prod")
    assert client.outputs["id"] == graph.exports["player_pool_client_id"]


def test_nobody_signs_in_through_the_services_client(graph: Graph) -> None:
    service = graph.named(CLIENT, "market-players-service-client")
    assert {node.name for node in graph.of_type(CLIENT)} == {"market-players-client", service.name}
    assert service.inputs["allowedOauthFlows"] == ["client_credentials"]
    assert service.inputs["generateSecret"] is True
    assert not [flow for flow in service.inputs["explicitAuthFlows"] if "PASSWORD" in flow or "SRP" in flow]
    assert service.outputs["id"] == graph.exports["service_client_id"]
