"""The example, deployed on this machine and used."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import LocalEnvironment, RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "aggregator"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storefront")


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[RunningEnvironment]:
    running = up("local", root=EXAMPLE, folder=folder)
    try:
        yield running
    finally:
        down("local", root=EXAMPLE, folder=folder)


def answer_of(shop: RunningEnvironment, output: str, event: dict[str, Any]) -> Any:
    answer = shop.client("lambda").invoke(FunctionName=shop.outputs[output], Payload=json.dumps(event))
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def call(shop: RunningEnvironment, function: str, event: dict[str, Any]) -> str:
    return answer_of(shop, f"{function}_function_name", event)["added"]


def messages(shop: RunningEnvironment, number: int) -> list[dict[str, Any]]:
    client = shop.client("dynamodb")
    deadline = time.monotonic() + 20
    while True:
        items = client.scan(TableName=shop.outputs["outbox_table_name"], ConsistentRead=True)["Items"]
        if len(items) >= number or time.monotonic() > deadline:
            return sorted(items, key=lambda item: item["message_id"]["S"])
        time.sleep(0.1)


def test_sales_hear_once_of_ten_clicks_and_a_mail_waits_for_both_events(shop: RunningEnvironment, folder: Path) -> None:
    for number in range(12):
        added = call(shop, "clicks", {"session": "s1", "click_id": f"c{number}", "page": f"/{number % 3}"})
        assert added == ("ADDED" if number < 9 else "COMPLETED" if number == 9 else "LATE")
    assert call(shop, "clicks", {"session": "s1", "click_id": "c0", "page": "/0"}) == "DUPLICATE"
    events: list[tuple[str, str, dict[str, Any]]] = [
        ("ann", "recommendations", {"goods": ["tea"]}),
        ("bob", "login", {}),
        ("ann", "login", {}),
    ]
    for number, (customer, kind, data) in enumerate(events):
        event = {"customer": customer, "event_id": f"e{number}", "kind": kind, "data": data}
        assert call(shop, "events", event) == ("COMPLETED" if number == 2 else "ADDED")

    found = messages(shop, 2)
    assert [item["message_id"]["S"] for item in found] == ["engaged-s1", "recommendations-ann"]
    assert found[0]["pages"]["L"] == [{"S": "/0"}, {"S": "/1"}, {"S": "/2"}]

    asked = "operator_function_name"
    assert answer_of(shop, asked, {"overdue_s": 0}) == ["bob"]
    assert answer_of(shop, asked, {"unfired_s": 0}) == []
    assert answer_of(shop, asked, {"fire": "ann"}) == "ALREADY_DONE"
    assert answer_of(shop, asked, {"state_of": "ann"}) == {"state": "DONE", "records": 2, "outcome": {"mailed": True}}

    # Neither the other clicks nor the claims and outcomes of the groups invoked anything.
    environment = LocalEnvironment("local", EXAMPLE, folder)
    deadline = time.monotonic() + 20
    counted: list[tuple[int, int, int]] = []
    # Sessions: 10 records, 10 headers, claim, done. Mails: 3 records, 3 headers, claim, done.
    while sum(records for records, _, _ in counted) < 22 + 8 and time.monotonic() < deadline:
        time.sleep(0.1)
        mappings = environment.find_delivery()
        counted = [(mapping.records, mapping.records - mapping.filtered, mapping.failures) for mapping in mappings]
    assert sorted(counted) == [(8, 1, 0), (22, 1, 0)]


def test_the_check_for_timeouts_runs_on_the_layer_alone(shop: RunningEnvironment) -> None:
    client = shop.client("lambda")
    (name,) = [
        function["FunctionName"]
        for function in client.list_functions()["Functions"]
        if function["FunctionName"].startswith("mails-timeouts")
    ]
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    assert json.loads(answer["Payload"].read()) == {"completed_by_timeout": 0}
