"""The example, deployed on this machine and used."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "optimistic_locking"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    folder = tmp_path_factory.mktemp("guild-bank")
    running = up("local", root=EXAMPLE, folder=folder)
    try:
        yield running
    finally:
        down("local", root=EXAMPLE, folder=folder)


def call(bank: RunningEnvironment, function: str, event: dict[str, Any]) -> dict[str, Any]:
    name = bank.outputs[f"{function}_function_name"]
    answer = bank.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def test_players_deposit_at_once_and_rename_in_turn(bank: RunningEnvironment) -> None:
    def deposit(number: int) -> dict[str, Any]:
        body = {"gold": 5, "deposit_id": f"d{number % 10}"}  # every one is sent twice
        return call(bank, "chests", {"method": "POST", "chest": "east", "body": body})

    with ThreadPoolExecutor(4) as players:
        assert {answer["status"] for answer in players.map(deposit, range(20))} == {200}
    shown = call(bank, "chests", {"method": "GET", "chest": "east"})
    assert (shown["status"], shown["body"]["gold"]) == (200, 50)
    etag = shown["headers"]["etag"]
    again = call(bank, "chests", {"method": "GET", "chest": "east", "headers": {"if-none-match": etag}})
    assert again["status"] == 304

    rename = {"method": "PUT", "chest": "east", "body": {"name": "Armoury"}}
    assert call(bank, "chests", rename)["status"] == 428
    renamed = call(bank, "chests", rename | {"headers": {"if-match": etag}})
    assert (renamed["status"], renamed["body"]["name"]) == (200, "Armoury")
    stale = call(bank, "chests", rename | {"headers": {"if-match": etag}})
    assert (stale["status"], stale["headers"]["etag"]) == (412, renamed["headers"]["etag"])
    assert stale["body"]["current"] == renamed["body"]


def test_a_late_auditor_writes_nothing(bank: RunningEnvironment) -> None:
    call(bank, "chests", {"method": "POST", "chest": "west", "body": {"gold": 1, "deposit_id": "d"}})
    audit = {"chest": "west", "day": "2026-11-21"}
    late = call(bank, "audit", audit | {"auditor": "ann", "lease_ms": 1, "pause_s": 0.05})
    assert late == {"result": "late", "token": 1}
    assert call(bank, "audit", audit | {"auditor": "bob", "lease_ms": 60_000}) == {"result": "audited", "token": 2}
