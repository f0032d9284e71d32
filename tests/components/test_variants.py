"""What a single setting changes in the graph, and that it changes nothing else unasked."""

from __future__ import annotations

from tests.components.graph import PROJECT, Graph, environment_graph, record, run_main, stack_configuration


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
