"""The guild banks of `examples/sequenced_log`, deployed locally and used as players and an operator would."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import down, up
from patterns.dynamodb.retries import Retries
from patterns.sequenced_log import Checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.environment import RunningEnvironment

ROOT = Path(__file__).resolve().parents[3] / "examples" / "sequenced_log"
PATIENCE_S = 30


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    folder = tmp_path_factory.mktemp("bank")
    running = up("local", root=ROOT, folder=folder)
    try:
        yield running
    finally:
        down("local", root=ROOT, folder=folder)


def ask(bank: RunningEnvironment, event: dict[str, Any], function: str = "counter_function_name") -> dict[str, Any]:
    answer = bank.client("lambda").invoke(FunctionName=bank.outputs[function], Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def order(number: int, amount: int, kind: str = "deposit", guild: str = "owls") -> dict[str, Any]:
    return {"id": f"order-{number}", "kind": kind, "guild": guild, "amount": amount}


def balance(bank: RunningEnvironment, guild: str = "owls", view: str = "balance") -> int:
    table = bank.outputs["balances_table_name"]
    item = bank.client("dynamodb").get_item(TableName=table, Key={"guild": {"S": guild}}).get("Item", {})
    return int(item.get(view, {"N": "0"})["N"])


def eventually(bank: RunningEnvironment, expected: int, guild: str = "owls", view: str = "balance") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (found := balance(bank, guild, view)) != expected:
        assert time.monotonic() < deadline, f"{view} of {guild}: {found}, not {expected}"
        time.sleep(0.05)


def test_balances_follow_the_ledger_once_past_poison_and_splits(bank: RunningEnvironment) -> None:
    first = {"bank": "north", "orders": [order(1, 10), order(2, 3, "withdrawal"), order(3, 5)]}
    assert ask(bank, first) == {"bank": "north", "sequences": [1, 2, 3], "duplicates": 0}
    eventually(bank, 12)
    assert ask(bank, first) == {"bank": "north", "sequences": [1, 2, 3], "duplicates": 3}, "asked twice, booked once"

    ask(bank, {"bank": "north", "orders": [order(4, 1, "theft"), order(5, 100)]})
    eventually(bank, 112)
    (parked,) = ask(bank, {"parked": {"partition": "north"}}, "consumer_function_name")["parked"]
    assert (parked["sequence"], parked["reason"]) == (4, "UnknownKindError: event 4: kind 'theft'")

    assert ask(bank, {"bank": "north", "into": ["north-a", "north-b"]}) == {"closed_at": 6}
    moved = ask(bank, {"bank": "north", "orders": [order(6, 7, guild="foxes")]})
    assert (moved["bank"] in ("north-a", "north-b"), moved["sequences"]) == (True, [1])
    eventually(bank, 7, "foxes")
    assert balance(bank) == 112
    eventually(bank, 5, view="booked")
    eventually(bank, 1, "foxes", view="booked")

    # A replay that nothing triggers: the sweep finds it, in one of the two invocations that it divides itself into.
    # The consumer may still be giving its lease back: rewinding takes the lease from it, so its checkpoint is refused.
    Checkpoints(
        client=bank.client("dynamodb"),
        table_name=bank.outputs["consumers_table_name"],
        consumer="ledger",
        clock=lambda: int(time.time() * 1000),
        retries=Retries(sleep=time.sleep, random=random.random),
        lease_ms=60_000,
    ).rewind(moved["bank"], 0)
    ask(bank, {}, "consumer_function_name")
    eventually(bank, 14, "foxes")
    ask(bank, {"replay": {"partition": moved["bank"], "after": 0}}, "consumer_function_name")
    eventually(bank, 21, "foxes")
    assert balance(bank, "foxes", "booked") == 1, "the other consumer has checkpoints of its own"

    assert ask(bank, {"partition": "north"}, "consumer_function_name") == {"batchItemFailures": []}
    assert balance(bank) == 112, "whoever comes again finds nothing to do"
