"""Who may do what to accounts: players look, and only a token with the service's scope writes."""

from __future__ import annotations

from typing import Any, cast

import pulumi
import pytest

from components.accounts import Accounts
from components.http_api import HttpApi
from components.player_pool import PlayerPool
from components.settings import read_settings
from functions.environment import AccountsEnvironment
from tests.components import rules
from tests.components.graph import PROJECT, REGION, Graph, record, stack_configuration


def _program(*, protected: bool = False, **issuer: Any) -> None:
    configuration = {
        key.removeprefix(f"{PROJECT}:"): text
        for key, text in stack_configuration("prod" if protected else "dev").items()
        if key.startswith(f"{PROJECT}:")
    }
    settings = read_settings("test", configuration)
    players = PlayerPool("players", cast("Any", {"deletion_protection": protected, **issuer}))
    service = players.service_client_id
    api = HttpApi(
        "http",
        {
            "jwt_issuer": players.jwt_issuer,
            "jwt_audience": players.jwt_audience,
            "further_jwt_audiences": [] if service is None else [service],
            "allowed_origins": ["https://game.example"],
            "log_retention_days": 7,
        },
    )
    accounts = Accounts("accounts", {"settings": settings, "api": api, "alarm_topic_arn": "arn:aws:sns:x:1:alarms"})
    pulumi.export("token_url", players.token_url)
    pulumi.export("accounts", accounts.accounts.table_name)
    pulumi.export("journal", accounts.journal.table_name)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return record(_program)


def test_only_the_service_writes_and_every_other_route_is_any_players(graph: Graph) -> None:
    routes = graph.of_type("aws:apigatewayv2/route:Route")
    assert {route.inputs["routeKey"]: route.inputs.get("authorizationScopes") for route in routes} == {
        "GET /account": None,
        "GET /account/journal": None,
        "POST /accounts/{player}/deposits": ["market/accounts.write"],
        "POST /accounts/{player}/withdrawals": ["market/accounts.write"],
    }
    assert {route.inputs["authorizationType"] for route in routes} == {"JWT"}


def test_the_service_gets_tokens_for_its_secret_and_players_get_none_of_its_scopes(graph: Graph) -> None:
    service = graph.named("aws:cognito/userPoolClient:UserPoolClient", "players-service-client")
    player = graph.named("aws:cognito/userPoolClient:UserPoolClient", "players-client")
    (server,) = graph.of_type("aws:cognito/resourceServer:ResourceServer")
    scopes = [f"{server.inputs['identifier']}/{scope['scopeName']}" for scope in server.inputs["scopes"]]
    assert sorted(scopes) == ["market/accounts.write", "market/audit"] == sorted(service.inputs["allowedOauthScopes"])
    assert service.inputs["allowedOauthFlows"] == ["client_credentials"]
    assert service.inputs["generateSecret"] is True
    assert not {"allowedOauthScopes", "allowedOauthFlows"} & player.inputs.keys()
    assert server.urn in service.dependencies, "a scope exists before a client asks for it"
    (authorizer,) = graph.of_type("aws:apigatewayv2/authorizer:Authorizer")
    assert authorizer.inputs["jwtConfiguration"]["audiences"] == [player.outputs["id"], service.outputs["id"]]
    (domain,) = graph.of_type("aws:cognito/userPoolDomain:UserPoolDomain")
    assert graph.exports["token_url"] == (
        f"https://{domain.inputs['domain']}.auth.{REGION}.amazoncognito.com/oauth2/token"
    )


def test_a_domain_is_the_pools_own_and_none_that_cognito_reserves(graph: Graph) -> None:
    (domain,) = graph.of_type("aws:cognito/userPoolDomain:UserPoolDomain")
    prefix: str = domain.inputs["domain"]
    assert prefix == record(_program).of_type("aws:cognito/userPoolDomain:UserPoolDomain")[0].inputs["domain"]
    # https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
    assert len(prefix) <= 63
    assert set(prefix) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not any(word in prefix for word in ("aws", "amazon", "cognito"))


def test_what_holds_players_is_protected_like_the_pool() -> None:
    graph = record(lambda: _program(protected=True))
    for type_ in ("aws:cognito/userPool:UserPool", "aws:cognito/userPoolDomain:UserPoolDomain"):
        assert [(node.protect, node.retain_on_delete) for node in graph.of_type(type_)] == [(True, True)]
    for table in graph.of_type("aws:dynamodb/table:Table"):
        assert (table.protect, table.inputs["deletionProtectionEnabled"]) == (True, True)
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}


def test_with_an_external_issuer_tokens_and_scopes_are_its_affair() -> None:
    graph = record(lambda: _program(jwt_issuer="https://id.example/game", jwt_audience="market"))
    assert [node.name for node in graph.nodes if node.type.startswith("aws:cognito/")] == []
    (authorizer,) = graph.of_type("aws:apigatewayv2/authorizer:Authorizer")
    assert authorizer.inputs["jwtConfiguration"] == {"issuer": "https://id.example/game", "audiences": ["market"]}
    assert graph.exports.get("token_url") is None


def test_changes_of_accounts_are_published_and_those_of_the_journal_are_not(graph: Graph) -> None:
    streams = {
        table.outputs["name"]: table.inputs["streamEnabled"] for table in graph.of_type("aws:dynamodb/table:Table")
    }
    assert streams == {graph.exports["accounts"]: True, graph.exports["journal"]: False}


def test_the_function_gets_what_it_reads_and_may_do_no_more_than_it_does(graph: Graph) -> None:
    (function,) = graph.of_type("aws:lambda/function:Function")
    variables = function.inputs["environment"]["variables"]
    assert set(variables) == set(AccountsEnvironment.variables())
    AccountsEnvironment.from_environ(variables)
    granted = {
        action
        for policy in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in rules.statements(policy)
        for action in statement["Action"]
    }
    assert granted == {f"dynamodb:{action}" for action in ("GetItem", "PutItem", "Query", "UpdateItem")}


def test_a_browser_may_change_and_cancel_orders(graph: Graph) -> None:
    (api,) = graph.of_type("aws:apigatewayv2/api:Api")
    assert api.inputs["corsConfiguration"]["allowMethods"] == ["GET", "POST", "PATCH", "DELETE"]
