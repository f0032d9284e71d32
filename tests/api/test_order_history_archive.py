"""A player's order history is the same when its versions have left the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import history_api
from functions.environment import HistoryApiEnvironment
from functions.history.attribution import attribute_order
from functions.history.sources import BIDS
from patterns.historic import Archive, Recorder, Retention
from tests.api.front_door import FrontDoor, request_event
from tests.api.variables import VARIABLES
from tests.patterns.historic.world import DAY_MS, START_MS, Source

if TYPE_CHECKING:
    from patterns.historic.archive import ObjectStore


def test_all_questions_before_and_after_the_hot_days(market: FrontDoor) -> None:
    table = VARIABLES["HISTORY_TABLE"]
    names = ("collection", "version_key")
    market.client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": names[0], "KeyType": "HASH"}, {"AttributeName": names[1], "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
    )
    client: Any = cast("Any", boto3).client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="versions-of-orders")
    archive = Archive(cast("ObjectStore", client), "versions-of-orders")

    bid_id = str(market.send("POST", "/bids", {"material": "copper", "quantity": 10, "price": "12.50"}).body["id"])
    key: dict[str, Any] = {"buyer": {"S": "alice"}, "order_key": {"S": bid_id}}
    source = Source(BIDS)
    for filled in range(3):
        source.put(
            key,
            material={"S": "copper"},
            quantity={"N": "10"},
            price_minor={"N": "1250"},
            status={"S": "NEW"},
            filled={"N": str(filled)},
        )
    now_ms = START_MS
    retention = Retention(archive, 30)
    recorder = Recorder(market.client, table, BIDS, attribute_order, retention=retention, clock=lambda: now_ms)
    assert recorder.record(source.records).recorded == 3
    environment = HistoryApiEnvironment.from_environ(VARIABLES)
    handler = history_api.build(environment, market.client, lambda: now_ms, archive)

    def ask(**query: str) -> Any:
        event = request_event("GET", f"/bids/{bid_id}/history", player="alice", query=query)
        answer = handler(event, LambdaContext())
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    questions: list[dict[str, str]] = [{}, {"limit": "2"}, {"as_of": "2025-10-09T08:53:21Z"}]
    questions.append({"from": "2025-10-09T08:53:21Z", "to": "2025-10-09T08:53:22Z"})
    before = [ask(**question) for question in questions]
    assert [len(answer["versions"]) for answer in before] == [3, 2, 1, 1]

    now_ms += 31 * DAY_MS
    for row in market.client.scan(TableName=table)["Items"]:
        market.client.delete_item(TableName=table, Key={name: row[name] for name in names})
    assert [ask(**question) for question in questions] == before
