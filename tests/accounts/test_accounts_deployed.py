"""Accounts deployed on this machine: who is let in by which token, and the commands that use them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli import accounts
from cli.api import MarketApi, path_of
from cli.app import app
from cli.environments import LOCAL, Environment
from cli.players import PlayerPool
from cli.service import service_token
from local.environment import down, up

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import pulumi
from components.accounts import Accounts
from components.http_api import HttpApi
from components.player_pool import PlayerPool
from components.settings import load_settings

settings = load_settings()
players = PlayerPool("players", {"deletion_protection": False, "admin_sign_in": True})
api = HttpApi(
    "http",
    {
        "jwt_issuer": players.jwt_issuer,
        "jwt_audience": players.jwt_audience,
        "further_jwt_audiences": [players.service_client_id],
        "log_retention_days": 1,
    },
)
Accounts("accounts", {"settings": settings, "api": api, "alarm_topic_arn": "arn:aws:sns:us-east-1:000000000000:alarms"})
pulumi.export("api_url", api.url)
pulumi.export("player_pool_id", players.pool_id)
pulumi.export("player_pool_client_id", players.client_id)
pulumi.export("service_client_id", players.service_client_id)
pulumi.export("token_url", players.token_url)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    root = tmp_path_factory.mktemp("accounts-program")
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, root)
    (root / "__main__.py").write_text(PROGRAM)
    running = up("local", root=root, folder=root / ".local")
    try:
        yield Environment(LOCAL, running.outputs, running.client)
    finally:
        down("local", root=root, folder=root / ".local")


@pytest.fixture
def market(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    def find_environment(_name: str) -> Environment:
        return environment

    monkeypatch.setattr(accounts, "find_environment", find_environment)
    return CliRunner()


def test_no_player_gives_themselves_money(environment: Environment) -> None:
    players = PlayerPool(environment)
    path = path_of("accounts", players.player_id("eve"), "deposits")
    body = {"asset": "money", "amount": "100", "reference": "gift"}
    token = players.mint_token("eve")
    with MarketApi(environment.api_url) as api:
        assert api.post(path, token, body).status == 403
        assert api.post(path, "no-token", body).status == 401
        assert api.get("/account", token).accepted()["money"]["available"] == "0.00"
        assert api.post(path, service_token(environment), body).status == 200
        assert api.get("/account", token).accepted()["money"]["available"] == "100.00"


def test_an_account_is_filled_looked_at_and_emptied_by_commands(market: CliRunner) -> None:
    def run(*arguments: str) -> str:
        result = market.invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    assert "12.50 money deposited to ann" in run("deposit", "ann", "money", "12.5", "--reference", "d1")
    assert "12.50 money deposited to ann" in run("deposit", "ann", "money", "12.5", "--reference", "d1")
    assert "40 copper deposited to ann" in run("deposit", "ann", "copper", "40")
    assert "5 copper withdrawn from ann" in run("withdraw", "ann", "copper", "5")
    shown = run("account", "--player", "ann")
    assert [line.split() for line in shown.splitlines()[-2:]] == [
        ["money", "12.50", "0.00"],
        ["copper", "35", "0", "0", "0"],
    ]
    entries = run("journal", "--player", "ann")
    assert entries.count("deposit#") == 2
    assert entries.count("withdrawal#") == 1
    assert "-12.50" in entries


def test_what_the_market_refuses_is_one_line(market: CliRunner) -> None:
    for arguments, reason in (
        (("withdraw", "bob", "money", "1"), "1.00 of money needed, 0.00 available"),
        (("deposit", "bob", "copper", "-1"), "amount must be greater than zero"),
        (("deposit", "bob", "moonstone", "1"), "asset must be one of money"),
    ):
        result = market.invoke(app, list(arguments))
        assert result.exit_code == 1
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 1
