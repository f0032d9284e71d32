"""What a single setting changes in the graph, and that it changes nothing else unasked."""

from __future__ import annotations

import pytest

from functions.observability import METRICS_NAMESPACE
from tests.components.graph import (
    ENVIRONMENTS,
    PROJECT,
    Graph,
    environment_graph,
    record,
    run_main,
    stack_configuration,
)

MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"


def _graph(**settings: str) -> Graph:
    """The dev environment with some settings changed."""
    changes = {f"{PROJECT}:{key}": text for key, text in settings.items()}
    return record(run_main, stack="dev", config=stack_configuration("dev") | changes)


def _identities(graph: Graph) -> set[str]:
    return {node.urn for node in graph.nodes}


def test_an_external_issuer_replaces_the_pool() -> None:
    graph = _graph(jwtIssuer="https://id.example/game", jwtAudience="market", adminSignIn="false")
    removed = _identities(environment_graph("dev")) - _identities(graph)
    assert {urn.rpartition("::")[2] for urn in removed} == {
        f"market-players-{child}" for child in ("pool", "client", "scopes", "service-client", "domain")
    }
    assert _identities(graph) <= _identities(environment_graph("dev"))
    (authorizer,) = graph.of_type("aws:apigatewayv2/authorizer:Authorizer")
    assert authorizer.inputs["jwtConfiguration"] == {"issuer": "https://id.example/game", "audiences": ["market"]}
    assert graph.exports["jwt_issuer"] == "https://id.example/game"
    assert graph.exports.get("player_pool_id") is None


def test_an_alarm_email_is_subscribed() -> None:
    graph = _graph(alarmEmail="market@example.com")
    (subscription,) = graph.of_type("aws:sns/topicSubscription:TopicSubscription")
    (topic,) = graph.of_type("aws:sns/topic:Topic")
    assert subscription.inputs == {
        "topic": topic.outputs["arn"],
        "protocol": "email",
        "endpoint": "market@example.com",
    }


def test_without_origins_no_browser_may_call() -> None:
    (closed,) = _graph(allowedOrigins="[]").of_type("aws:apigatewayv2/api:Api")
    assert "corsConfiguration" not in closed.inputs
    (open_,) = _graph(allowedOrigins='["https://game.example"]').of_type("aws:apigatewayv2/api:Api")
    assert open_.inputs["corsConfiguration"]["allowOrigins"] == ["https://game.example"]


def test_shards_and_parallelization_follow_the_settings() -> None:
    graph = _graph(kinesisShards="3", matcherParallelization="7")
    (stream,) = graph.of_type("aws:kinesis/stream:Stream")
    mapping = graph.named(
        "aws:lambda/eventSourceMapping:EventSourceMapping", "market-orders-to-matching-matcher-mapping"
    )
    assert stream.inputs["shardCount"] == 3
    assert mapping.inputs["parallelizationFactor"] == 7
    assert _identities(graph) == _identities(environment_graph("dev"))


@pytest.mark.parametrize("settings", [{"provisionedConcurrency": "3"}, {"snapStart": "true"}])
def test_functions_on_an_orders_way_are_called_where_they_are_ready(settings: dict[str, str]) -> None:
    """Whether kept warm or restored from a snapshot, a version is what is ready: every caller must name its alias."""
    graph = _graph(**settings)
    functions = {node.inputs["handler"]: node for node in graph.of_type("aws:lambda/function:Function")}
    aliases = {node.inputs["functionName"]: node for node in graph.of_type("aws:lambda/alias:Alias")}
    ready = {f"functions.{name}.handler" for name in ("asks_api", "bids_api", "matcher")}
    assert aliases.keys() == {functions[handler].outputs["name"] for handler in ready}
    for handler, function in functions.items():
        name, alias = function.outputs["name"], aliases.get(function.outputs["name"])
        assert function.inputs.get("publish", False) == (alias is not None), handler
        assert function.inputs.get("snapStart") == (
            {"applyOn": "PublishedVersions"} if alias is not None and "snapStart" in settings else None
        )
        for permission in graph.of_type("aws:lambda/permission:Permission"):
            if permission.inputs["function"] == name:
                assert permission.inputs.get("qualifier") == (alias.outputs["name"] if alias else None)
        if alias is not None:
            # AWS keeps no instance of $LATEST warm, and makes no snapshot of it.
            assert alias.inputs["functionVersion"] == function.outputs["version"] != "$LATEST"
            uris = [node.inputs["integrationUri"] for node in graph.of_type("aws:apigatewayv2/integration:Integration")]
            mapped = [node.inputs["functionName"] for node in graph.of_type(MAPPING)]
            assert name not in mapped
            assert alias.outputs["invokeArn"] in uris or alias.outputs["arn"] in mapped
    warm = graph.of_type("aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig")
    kept = ("functionName", "qualifier", "provisionedConcurrentExecutions")
    assert {tuple(node.inputs[key] for key in kept) for node in warm} == (
        {(name, alias.outputs["name"], 3) for name, alias in aliases.items()}
        if "provisionedConcurrency" in settings
        else set()
    )


@pytest.mark.parametrize("environment", ["dev with the setting", "staging", "prod"])
def test_tracing_belongs_to_the_functions_on_an_orders_way(environment: str) -> None:
    graph = environment_graph(environment) if environment in ENVIRONMENTS else _graph(tracing="XRAY")
    traced = {
        node.inputs["handler"]: node
        for node in graph.of_type("aws:lambda/function:Function")
        if node.inputs.get("tracingConfig") == {"mode": "Active"}
    }
    assert traced.keys() == {f"functions.{name}.handler" for name in ("asks_api", "bids_api", "matcher")}
    sending = [
        node
        for node in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if node.inputs["policyArn"].endswith("/AWSXRayDaemonWriteAccess")
    ]
    assert len(sending) == len({node.inputs["role"] for node in sending}) == len(traced)
    # A function that is traced before it may send would lose its first traces.
    assert all(any(node.urn in function.dependencies for node in sending) for function in traced.values())


@pytest.mark.parametrize("environment", ["local", "dev"])
def test_an_environment_without_tracing_asks_nothing_of_x_ray(environment: str) -> None:
    graph = environment_graph(environment)
    assert not any("tracingConfig" in node.inputs for node in graph.of_type("aws:lambda/function:Function"))
    attached = graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert not any("XRay" in node.inputs["policyArn"] for node in attached)


def test_an_express_lane_is_rights_variables_and_alarms_and_nothing_else() -> None:
    graph, without = _graph(expressLane="true"), environment_graph("dev")
    added = {urn.rpartition("::")[2] for urn in _identities(graph) - _identities(without)}
    assert added == {
        f"market-{side}-api-{what}"
        for side in ("buy", "sell")
        for what in ("puts-on-market-orders", "express-failures")
    }
    assert _identities(without) <= _identities(graph)
    (stream,) = graph.of_type("aws:kinesis/stream:Stream")
    named = {
        str(node.inputs["handler"]): node.inputs["environment"]["variables"].get("ORDERS_STREAM_NAME")
        for node in graph.of_type("aws:lambda/function:Function")
    }
    assert {handler for handler, name in named.items() if name} == {
        "functions.asks_api.handler",
        "functions.bids_api.handler",
    }
    assert set(named.values()) == {None, stream.outputs["name"]}


def test_alarms_on_our_own_metrics_watch_what_the_functions_count() -> None:
    graph = environment_graph("staging")
    variables = [node.inputs["environment"]["variables"] for node in graph.of_type("aws:lambda/function:Function")]
    counting = [{"service": each["POWERTOOLS_SERVICE_NAME"], "environment": each["ENVIRONMENT"]} for each in variables]
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    own = [alarm for alarm in alarms if alarm.inputs["namespace"] == METRICS_NAMESPACE]
    assert "ExpressFailures" in {alarm.inputs["metricName"] for alarm in own}
    assert [alarm.name for alarm in own if alarm.inputs["dimensions"] not in counting] == []
