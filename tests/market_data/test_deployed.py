"""Market data deployed on this machine: from the tape's stream to what the commands print."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import typer
from typer.testing import CliRunner

from cli import market_data
from cli.environments import LOCAL, Environment
from functions.accounts.journal import entry_put, journal_entries, settlement_cause
from local.environment import down, up
from market.accounts.changes import settlement_slices
from market.tape import encode_commit
from patterns.dynamodb.items import encode_item
from tests.market_data.reference import traded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import pulumi
from components.http_api import HttpApi
from components.market_data import MarketData
from components.player_pool import PlayerPool
from components.settings import load_settings
from components.table import KeyType, Table

settings = load_settings()
players = PlayerPool("players", {"deletion_protection": False, "admin_sign_in": True})
api = HttpApi(
    "http", {"jwt_issuer": players.jwt_issuer, "jwt_audience": players.jwt_audience, "log_retention_days": 1}
)
plain = {"point_in_time_recovery": False, "deletion_protection": False}
book = {**plain, "hash_key": "material", "range_key": "price_key"}
tape = Table("tape", {**book, "range_key": "sequence", "range_key_type": KeyType.NUMBER, "stream": True})
journal = Table("journal", {**plain, "hash_key": "player", "range_key": "entry_key"})
data = MarketData(
    "data",
    {
        "settings": settings,
        "api": api,
        "tape": tape,
        "journal": journal,
        "asks": Table("asks", book),
        "standing_bids": Table("standing-bids", book),
        "alarm_topic_arn": "arn:aws:sns:us-east-1:000000000000:alarms",
    },
)
pulumi.export("api_url", api.url)
pulumi.export("materials", list(settings.materials))
pulumi.export("player_pool_id", players.pool_id)
pulumi.export("player_pool_client_id", players.client_id)
pulumi.export("tape", tape.table_name)
pulumi.export("journal", journal.table_name)
pulumi.export("candles", data.candles.table_name)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    root = tmp_path_factory.mktemp("market-data-program")
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, root)
    (root / "__main__.py").write_text(PROGRAM)
    running = up("local", root=root, folder=root / ".local")
    try:
        yield Environment(LOCAL, running.outputs, running.client)
    finally:
        down("local", root=root, folder=root / ".local")


@pytest.fixture
def run(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def found(_name: str) -> Environment:
        return environment

    monkeypatch.setattr(market_data, "find_environment", found)
    app = typer.Typer()
    for command in (market_data.candles, market_data.ticker, market_data.fills):
        app.command()(command)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_what_is_traded_is_shown_at_once_and_then_closed(environment: Environment, run: Callable[..., str]) -> None:
    client = cast("DynamoDBClient", environment.client("dynamodb"))
    now_ms = time.time_ns() // 1_000_000
    old = traded(1, now_ms - 2 * 3_600_000, (1250, 4), (1300, 1))
    recent = traded(2, now_ms, (1200, 3))
    for commit in (old, recent):
        client.put_item(TableName=environment.output("tape"), Item=encode_item(cast("Item", encode_commit(commit))))
    assert run("fills", "--player", "ann") == "fills of ann: none\n"
    until(lambda: "12.00" in run("candles", "copper", "--interval", "1h"))
    fire(environment)
    (row,) = [line for line in run("ticker").splitlines() if line.startswith("copper")]
    assert row.split() == ["copper", "12.00", "-0.50", "13.00", "12.00", "8", "3", "-", "-"]
    assert [line.split()[1:] for line in run("candles", "copper", "--limit", "5").splitlines()[3:]] == [
        ["12.00", "12.00", "12.00", "12.00", "3", "36.00", "1", "no"],
        ["12.50", "13.00", "12.50", "13.00", "5", "63.00", "2", "yes"],
    ]


def fire(environment: Environment) -> None:
    """Close what is due, as the schedule does each minute."""
    functions = environment.client("lambda")
    (closing,) = [
        function["FunctionName"]
        for function in functions.list_functions()["Functions"]
        if function["Handler"] == "functions.candles.handler"
    ]
    answer = functions.invoke(FunctionName=closing, Payload=b'{"execution_id": "by hand"}')
    assert "FunctionError" not in answer, answer["Payload"].read()


def until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait for what the stream brings."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.5)


def test_a_player_lists_their_own_trades(environment: Environment, run: Callable[..., str]) -> None:
    client = cast("DynamoDBClient", environment.client("dynamodb"))
    run("fills", "--player", "bob")  # signs bob up
    users = environment.client("cognito-idp").admin_get_user(
        UserPoolId=environment.output("player_pool_id"), Username="bob"
    )
    (bob,) = [attribute["Value"] for attribute in users["UserAttributes"] if attribute["Name"] == "sub"]
    commit = traded(1, 1_795_248_000_000, (1250, 4), material="iron", players=("somebody", bob))
    client.put_item(TableName=environment.output("tape"), Item=encode_item(cast("Item", encode_commit(commit))))
    (settled,) = settlement_slices(commit)
    for entry in journal_entries(settled, settlement_cause("iron", 1, 0), commit.committed_at_ms):
        client.transact_write_items(TransactItems=[entry_put(environment.output("journal"), entry)])
    fill = commit.fills[0]
    side, role, fee = ("BUY", "taker", "0.50") if fill.buyer == bob else ("SELL", "maker", "0.25")
    shown = run("fills", "--player", "bob").splitlines()[-1].split()
    assert shown == ["2026-11-21T08:00:00.000Z", side, role, "iron", "12.50", "4", fee, "iron-1-1"]
