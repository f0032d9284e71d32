"""The live feed: by whose tokens players listen, who may publish, and what it costs an environment to have none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.graph import (
    ENVIRONMENTS,
    PROJECT,
    Graph,
    environment_graph,
    record,
    run_main,
    stack_configuration,
)

API = "aws:appsync/api:Api"
NAMESPACE = "aws:appsync/channelNamespace:ChannelNamespace"
FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"


def _graph(**settings: str) -> Graph:
    changes = {f"{PROJECT}:{key}": text for key, text in settings.items()}
    return record(run_main, stack="dev", config=stack_configuration("dev") | changes)


def _config(graph: Graph) -> dict[str, Any]:
    (api,) = graph.of_type(API)
    return api.inputs["eventConfig"]


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "dev"])
def test_players_listen_with_the_pools_tokens_and_only_functions_publish(environment: str) -> None:
    graph = environment_graph(environment)
    tokens = [{"authType": "AMAZON_COGNITO_USER_POOLS"}]
    config = _config(graph)
    assert config["authProviders"] == [
        {
            "authType": "AMAZON_COGNITO_USER_POOLS",
            "cognitoConfig": {"awsRegion": "eu-central-1", "userPoolId": graph.exports["player_pool_id"]},
        },
        {"authType": "AWS_IAM"},
    ]
    assert config["connectionAuthModes"] == config["defaultSubscribeAuthModes"] == tokens
    assert config["defaultPublishAuthModes"] == [{"authType": "AWS_IAM"}]
    assert graph.exports["feed_realtime_url"] == f"wss://{graph.exports['feed_realtime_host']}/event/realtime"


def test_players_of_an_external_issuer_listen_with_its_tokens() -> None:
    graph = _graph(liveFeed="true", jwtIssuer="https://id.example/game", jwtAudience="market", adminSignIn="false")
    tokens = {"issuer": "https://id.example/game", "clientId": "market"}
    config = _config(graph)
    assert config["authProviders"][0] == {"authType": "OPENID_CONNECT", "openidConnectConfig": tokens}
    assert config["connectionAuthModes"] == config["defaultSubscribeAuthModes"] == [{"authType": "OPENID_CONNECT"}]


def test_only_the_players_channels_ask_whose_they_are() -> None:
    namespaces = {node.inputs["name"]: node.inputs for node in environment_graph("prod").of_type(NAMESPACE)}
    assert namespaces.keys() == {"market", "players"}
    assert "codeHandlers" not in namespaces["market"]
    assert "export function onSubscribe" in namespaces["players"]["codeHandlers"]


def test_alarms_name_all_dimensions_of_their_metric() -> None:
    """With one left out CloudWatch shows no data, and the alarm never fires.

    https://docs.aws.amazon.com/appsync/latest/eventapi/cw-metrics.html: metrics of the HTTP endpoint are counted by
    API, those of the real-time endpoint by API and namespace.
    """
    graph = environment_graph("prod")
    (api,) = graph.of_type(API)
    of_api = ("EventAPIId", api.outputs["apiId"])
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    found = {
        (alarm.inputs["metricName"], frozenset(alarm.inputs["dimensions"].items()))
        for alarm in alarms
        if alarm.inputs["namespace"] == "AWS/AppSync"
    }
    assert found == {
        ("5XXError", frozenset({of_api})),
        *(
            (metric, frozenset({of_api, ("ChannelNamespaceName", namespace)}))
            for namespace in ("market", "players")
            for metric in ("SubscribeServerError", "BroadcastEventServerError")
        ),
    }


def test_without_a_feed_nothing_of_it_exists() -> None:
    without, having = environment_graph("dev"), _graph(liveFeed="true")
    added = {node.urn for node in having.nodes} - {node.urn for node in without.nodes}
    assert {node.urn for node in without.nodes} < {node.urn for node in having.nodes}
    assert all("feed" in urn.rpartition("::")[2] or urn.endswith("-publishes") for urn in added)
    for graph, known in (
        (without, set[str]()),
        (having, {"functions.matcher.handler", "functions.candles_collector.handler"}),
    ):
        publishers = {
            node.inputs["handler"]
            for node in graph.of_type(FUNCTION)
            if "FEED_HTTP_HOST" in node.inputs["environment"]["variables"]
        }
        assert publishers == known
