"""The guild bank of `examples/historic`, deployed to this machine and used."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import PROJECT_ROOT, down, up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.environment import RunningEnvironment

ROOT = PROJECT_ROOT / "examples" / "historic"
PATIENCE_S = 30


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[RunningEnvironment]:
    running = up("local", root=ROOT, folder=tmp_path)
    yield running
    down("local", root=ROOT, folder=tmp_path)


def call(bank: RunningEnvironment, function: str, **event: Any) -> Any:
    answer = bank.client("lambda").invoke(FunctionName=bank.outputs[function], Payload=json.dumps(event))
    result = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, result
    return result


def test_the_auditor_sees_every_move_of_the_teller(bank: RunningEnvironment) -> None:
    account = {"guild": "owls", "account": "gold"}
    assert call(bank, "teller", **account, amount=50, player="ann", reason="loot") == 50
    assert call(bank, "teller", **account, amount=-20, player="bob", reason="repairs") == 30
    assert call(bank, "teller", guild="owls", account="iron", amount=7, player="bob", reason="mine") == 7

    deadline = time.monotonic() + PATIENCE_S
    while len((books := call(bank, "auditor", **account))["moves"]) < 2:
        assert time.monotonic() < deadline, books
        time.sleep(0.1)
    first, second = books["moves"]
    assert (first["by"], first["why"], first["balance"]) == ("ann", "loot", 50)
    assert (second["by"], second["why"], second["balance"]) == ("bob", "repairs", 30)
    assert books["holds"]
    assert call(bank, "auditor", **account, as_of=first["at_ms"])["balance"] == 50
    assert call(bank, "auditor", **account, as_of=first["at_ms"] - 1)["balance"] is None
    while (found := call(bank, "auditor", player="bob")["accounts"]) != ["gold", "iron"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)

    table = bank.outputs["history_table"]
    rows = bank.client("dynamodb").scan(TableName=table)["Items"]
    for row in rows:
        place = {name: row[name] for name in ("collection", "version_key")}
        bank.client("dynamodb").delete_item(TableName=table, Key=place)  # as DynamoDB does after the hot days
    assert len(rows) == 3
    assert call(bank, "auditor", **account) == books
    assert call(bank, "teller", **account, amount=1, player="ann", reason="found") == 31
    while len((books := call(bank, "auditor", **account))["moves"]) < 3:
        assert time.monotonic() < deadline, books
        time.sleep(0.1)
    assert books["holds"]
    assert books["moves"][:2] == [first, second]
