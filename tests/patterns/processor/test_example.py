"""The game shop of `examples/processor`, deployed locally and used as a player and an operator would."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import down, up
from patterns.processor import ProcessorSettings, StateCodec, TransactionStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.environment import RunningEnvironment

ROOT = Path(__file__).resolve().parents[3] / "examples" / "processor"
PATIENCE_S = 30


@dataclass(frozen=True)
class Potion:
    """An order as some faulty program writes it."""

    player: str
    price_minor: int


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    folder = tmp_path_factory.mktemp("shop")
    running = up("local", root=ROOT, folder=folder)
    try:
        for name, amount in {
            "stock#sword": 1,
            "wallet#ann": 100,
            "wallet#bob": 100,
            "wallet#banned": 100,
            "stock#potion": 9,
        }.items():
            running.client("dynamodb").put_item(
                TableName=running.outputs["shop_table_name"], Item={"name": {"S": name}, "amount": {"N": str(amount)}}
            )
        yield running
    finally:
        down("local", root=ROOT, folder=folder)


def ask(shop: RunningEnvironment, function: str, event: dict[str, Any]) -> Any:
    answer = shop.client("lambda").invoke(FunctionName=shop.outputs[function], Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def final(shop: RunningEnvironment, order_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while (order := ask(shop, "counter_function_name", {"where_is": order_id}))["status"] in (
        "RUNNING",
        "COMPENSATING",
    ):
        assert time.monotonic() < deadline, order
        time.sleep(0.05)
    return order


def amount(shop: RunningEnvironment, name: str) -> int:
    table = shop.outputs["shop_table_name"]
    return int(shop.client("dynamodb").get_item(TableName=table, Key={"name": {"S": name}})["Item"]["amount"]["N"])


def test_orders_are_fulfilled_or_undone(shop: RunningEnvironment) -> None:
    undone = {"buy": "order-1", "player": "banned", "item": "sword", "price_minor": 30}
    bought = {"buy": "order-2", "player": "ann", "item": "sword", "price_minor": 30}
    too_late = {"buy": "order-3", "player": "bob", "item": "sword", "price_minor": 30}

    assert ask(shop, "counter_function_name", undone)["status"] == "RUNNING"
    order = final(shop, "order-1")
    assert (order["status"], order["reason"]) == ("COMPENSATED", "the mail does not deliver to banned players")
    assert [event[:2] for event in order["history"]] == [
        ["submitted", ""],
        ["completed", "reserve"],
        ["completed", "charge"],
        ["rejected", "deliver"],
        ["compensated", "charge"],
        ["compensated", "reserve"],
    ]
    assert (amount(shop, "stock#sword"), amount(shop, "wallet#banned")) == (1, 100)

    ask(shop, "counter_function_name", bought)
    assert final(shop, "order-2")["status"] == "COMPLETED"
    ask(shop, "counter_function_name", too_late)
    assert final(shop, "order-3")["status"] == "COMPENSATED"
    amounts = {name: amount(shop, name) for name in ("stock#sword", "wallet#ann", "wallet#bob")}
    assert amounts == {"stock#sword": 0, "wallet#ann": 70, "wallet#bob": 100}

    assert ask(shop, "counter_function_name", bought)["status"] == "COMPLETED", "asked twice, bought once"
    assert "another initial state" in ask(shop, "counter_function_name", {**bought, "price_minor": 1})["error"]
    assert ask(shop, "fulfilment_function_name", {}) == {"claimed": 0, "complete": True, "parked": 0}


def test_an_operator_finds_a_parked_order_repairs_it_and_redrives_it(shop: RunningEnvironment) -> None:
    dynamodb, table = shop.client("dynamodb"), shop.outputs["orders_table_name"]
    store = TransactionStore[Potion](dynamodb, ProcessorSettings(table=table), StateCodec(Potion))
    item: Any = store.submit_action("order-4", Potion("ann", 5)).get("Put", {}).get("Item")
    dynamodb.put_item(TableName=table, Item=item)  # no field `item`: not what the handlers call an order

    eventually_parked = time.monotonic() + PATIENCE_S
    while ask(shop, "operator_function_name", {}) != ["order-4"]:
        assert time.monotonic() < eventually_parked
        time.sleep(0.05)
    dynamodb.update_item(
        TableName=table,
        Key={"transaction_id": {"S": "order-4"}},
        UpdateExpression="SET #state.#item = :potion",
        ExpressionAttributeNames={"#state": "state", "#item": "item"},
        ExpressionAttributeValues={":potion": {"S": "potion"}},
    )
    assert ask(shop, "operator_function_name", {"redrive": "order-4"}) == []
    assert final(shop, "order-4")["status"] == "COMPLETED"
    assert amount(shop, "stock#potion") == 8
