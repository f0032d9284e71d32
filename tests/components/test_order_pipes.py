"""Which changes of the order tables reach the matcher: exactly those it has to see, keyed by material."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.buy_pipeline import BuyPipeline
from components.http_api import HttpApi
from components.kinesis_stream import KinesisStream
from components.sell_pipeline import SellPipeline
from components.settings import load_settings
from components.table import Table
from local.delivery.filters import compile_pattern
from tests.components.graph import Graph, record, stack_configuration
from tests.components.rules import statements

if TYPE_CHECKING:
    from components.table import TableArgs

_TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


def _pipelines() -> None:
    settings = load_settings()
    api = HttpApi(
        "http",
        {"jwt_issuer": "https://issuer", "jwt_audience": "players", "log_retention_days": 7, "alarm_topic_arn": _TOPIC},
    )
    line: TableArgs = {
        "hash_key": "player",
        "range_key": "line",
        "point_in_time_recovery": False,
        "deletion_protection": False,
    }
    shared: Any = {
        "settings": settings,
        "api": api,
        "accounts": Table("accounts", line),
        "journal": Table("journal", line),
        "orders": KinesisStream("orders", {"shards": 1, "alarm_topic_arn": _TOPIC}),
        "alarm_topic_arn": _TOPIC,
    }
    for pipeline in (SellPipeline("sell", shared), BuyPipeline("buy", shared)):
        pipeline.feed(start_after=pulumi.Output.from_input("reading"))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return record(_pipelines, stack="local", config=stack_configuration("local"))


ASK = {"ask_id": {"S": "a"}, "material": {"S": "copper"}}
BID = {"bid_id": {"S": "b"}, "material": {"S": "copper"}}
POINTER = {"order_key": {"S": "~mine"}, "fingerprint": {"S": "f"}}
PENDING = {"status": {"S": "PENDING"}}
MARK = {"request": {"S": "CANCEL"}, "request_id": {"S": "r"}}


@pytest.mark.parametrize(
    ("table", "event", "image", "passes"),
    [
        ("sell-asks", "INSERT", ASK, True),
        ("sell-asks", "MODIFY", ASK, False),
        ("sell-asks", "REMOVE", None, False),
        ("sell-orders", "INSERT", ASK | PENDING, True),
        ("sell-orders", "INSERT", ASK, False),
        ("sell-orders", "INSERT", POINTER, False),
        ("sell-orders", "MODIFY", ASK | MARK, True),
        ("sell-orders", "MODIFY", ASK | PENDING | MARK, True),
        ("sell-orders", "MODIFY", ASK | PENDING, False),
        ("sell-orders", "MODIFY", ASK | {"status": {"S": "CANCELED"}}, False),
        ("buy-bids", "INSERT", BID | PENDING, True),
        ("buy-bids", "INSERT", POINTER, False),
        ("buy-bids", "MODIFY", BID | PENDING | MARK, True),
        ("buy-bids", "MODIFY", BID | {"status": {"S": "FILLED"}}, False),
        ("buy-bids", "REMOVE", None, False),
    ],
)
def test_new_orders_and_requests_pass_and_the_matchers_own_writes_do_not(
    graph: Graph, table: str, event: str, image: dict[str, Any] | None, *, passes: bool
) -> None:
    pipe = graph.named("aws:pipes/pipe:Pipe", f"{table}-to-orders-pipe")
    (pattern,) = pipe.inputs["sourceParameters"]["filterCriteria"]["filters"]
    change = {"Keys": {}} | ({} if image is None else {"NewImage": image})
    assert compile_pattern(pattern["pattern"]).matches({"eventName": event, "dynamodb": change}) is passes
    assert pipe.inputs["source"] == graph.named("aws:dynamodb/table:Table", f"{table}-table").outputs["streamArn"]
    assert pipe.inputs["targetParameters"] == {
        "kinesisStreamParameters": {"partitionKey": "$.dynamodb.NewImage.material.S"}
    }


def test_open_asks_are_found_by_their_end(graph: Graph) -> None:
    table = graph.named("aws:dynamodb/table:Table", "sell-asks-table")
    (index,) = table.inputs["globalSecondaryIndexes"]
    assert (index["name"], index["projectionType"]) == ("by-expiry", "ALL")
    assert [key["attributeName"] for key in index["keySchemas"]] == ["material", "expires_at_ms"]


def test_each_api_may_do_what_it_does_and_no_more(graph: Graph) -> None:
    granted = {
        node.name: sorted(action for statement in statements(node) for action in statement["Action"])
        for node in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        if "-uses-" in node.name
    }
    assert granted == {
        "sell-api-uses-sell-asks": ["dynamodb:BatchGetItem", "dynamodb:PutItem"],
        "sell-api-uses-sell-orders": [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
        "sell-api-uses-accounts": ["dynamodb:Query", "dynamodb:UpdateItem"],
        "sell-api-uses-journal": ["dynamodb:PutItem"],
        "buy-api-uses-buy-bids": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"],
        "buy-api-uses-accounts": ["dynamodb:Query", "dynamodb:UpdateItem"],
        "buy-api-uses-journal": ["dynamodb:PutItem"],
    }
