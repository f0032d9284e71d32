"""The functions as Lambda and API Gateway call them: from the tape's stream to what a player and an operator read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import notifications_api, notifier, settlement, settlement_submitter, settlements_api
from functions.environment import NotificationsApiEnvironment, SettlementsApiEnvironment
from patterns.processor import Status
from tests.settlement.tape_model import Tape
from tests.settlement.variables import VARIABLES
from tests.settlement.world import LEASE_MS, World

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit

_EVENT = (Path(__file__).parents[1] / "api" / "events" / "http_api_v2.json").read_text("utf-8")


class Invocation:
    """Lambda's context, as far as it is used."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def request(
    world: World, method: str, path: str, *, player: str = "bob", query: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    event = json.loads(_EVENT)
    event["rawPath"] = path
    event["requestContext"]["http"].update(method=method, path=path)
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = player
    if query:
        event["queryStringParameters"] = query

    def clock() -> int:
        return world.now_ms

    if path.startswith("/operator"):
        api = settlements_api.build(SettlementsApiEnvironment.from_environ(VARIABLES), world.store, clock)
    else:
        api = notifications_api.build(NotificationsApiEnvironment.from_environ(VARIABLES), world.store, clock)
    answer = api(event, LambdaContext())
    return answer["statusCode"], json.loads(answer["body"])


def written(commit: TapeCommit) -> dict[str, Any]:
    """The tape's stream record of a commit."""
    keys = {"material": {"S": commit.material}, "sequence": {"N": str(commit.sequence)}}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "SequenceNumber": f"s{commit.sequence}"}}


def stored(store: DynamoDBClient, table: str, *keys: str) -> list[dict[str, Any]]:
    """Stream records of all of a table's items as they are."""
    items: list[Any] = store.scan(TableName=table)["Items"]
    return [
        {
            "eventID": f"{table}-{number}",
            "dynamodb": {
                "Keys": {key: item[key] for key in keys},
                "NewImage": item,
                "SequenceNumber": f"{table}-{number}",
            },
        }
        for number, item in enumerate(items)
    ]


def test_from_the_tape_to_the_player(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    bid, ask = tape.bid("bob", 5, 1234, fee_bps=100), tape.ask("alice", 3, 1234, fee_bps=50)
    tape.commit((bid, ask, 3))
    tape.commit(cancel=(bid,))
    world.place(tape)
    world.write(tape.commits)
    poison = {"eventName": "INSERT", "dynamodb": {"Keys": {"material": {"S": "tin"}}, "SequenceNumber": "s9"}}
    for _ in range(2):
        answer = settlement_submitter.handler({"Records": [*map(written, tape.commits), poison]}, None)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "s9"}]}
    woken = stored(store, "settlements", "transaction_id")
    assert settlement.handler({"Records": woken}, Invocation()) == {"batchItemFailures": []}
    assert world.lines() == tape.settled()
    for _ in range(2):
        assert notifier.handler({"Records": stored(store, "groups", "group_id", "entry")}, None) == {
            "batchItemFailures": []
        }
    assert settlement.handler({}, Invocation()) == {"claimed": 0, "complete": True, "parked": 0}
    assert request(world, "GET", "/notifications", player="alice") == (
        200,
        {
            "notifications": [
                {
                    "order_id": ask.id,
                    "side": "SELL",
                    "material": "copper",
                    "status": "FILLED",
                    "reason": None,
                    "quantity": 3,
                    "filled": 3,
                    "value": "37.02",
                    "fee": "0.18",
                    "received": "36.84",
                    "at": "2026-11-21T08:00:00.000Z",
                }
            ],
            "next": None,
        },
    )
    (told,) = request(world, "GET", "/notifications", player="bob")[1]["notifications"]
    assert (told["status"], told["reason"], told["quantity"], told["filled"]) == ("CANCELED", "requested", 5, 3)
    assert (told["paid"], told["fee"]) == ("37.39", "0.37")
    assert request(world, "GET", "/notifications", player="eve")[1] == {"notifications": [], "next": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_notifications_page_newest_first_while_more_come(store: DynamoDBClient, limit: int) -> None:
    world, tape = World(store), Tape()
    for _ in range(8):
        tape.commit((tape.bid("bob", 1, 100), tape.ask("alice", 1, 100), 1))
    world.place(tape)
    world.write(tape.commits)
    world.finish(tape.commits[:6])
    seen: list[str] = []
    query = {"limit": str(limit)}
    while True:
        status, page = request(world, "GET", "/notifications", query=query)
        assert status == 200
        assert len(page["notifications"]) <= limit
        seen += [entry["order_id"] for entry in page["notifications"]]
        world.finish(tape.commits)
        if page["next"] is None:
            break
        query["next"] = page["next"]
    bought = [order.id for order in tape.orders if order.player == "bob"][:6]
    assert seen == bought[::-1]
    status, page = request(world, "GET", "/notifications", player="alice", query=query | {"next": "x"})
    assert (status, page["error"]["field"]) == (400, "next")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "ten"}, {"next": "AAAA"}])
def test_a_page_that_cannot_be_is_refused(store: DynamoDBClient, query: dict[str, str]) -> None:
    status, body = request(World(store), "GET", "/notifications", query=query)
    assert (status, body["error"]["field"]) == (400, next(iter(query)))


def test_an_operator_settles_a_lost_commit_and_drives_on_a_parked_one(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    lost = tape.commit((tape.bid("bob", 1, 100), tape.ask("alice", 1, 100), 1))
    world.place(tape)
    late = tape.commit((tape.bid("bob", 1, 100), tape.ask("alice", 1, 100), 1))
    world.write([lost])
    path = "/operator/settlements/copper-1"
    assert request(world, "POST", path) == (202, {"id": "copper-1", "status": "SUBMITTED"})
    assert request(world, "POST", path)[1]["status"] == "RUNNING"
    world.finish([lost])
    assert request(world, "POST", path)[1]["status"] == "COMPLETED"

    world.submit([late])  # not on the tape yet
    world.work()
    for _ in range(6):
        world.sweep(LEASE_MS)
    _, body = request(world, "GET", "/operator/settlements")
    (parked,) = body["parked"]
    assert (parked["id"], parked["step"]) == ("copper-2", "settle")
    assert "no commit 2" in parked["error"]
    world.write([late])
    world.store.delete_item(TableName="accounts", Key={"player": {"S": "bob"}, "line": {"S": "material#copper"}})
    world.store.delete_item(TableName="accounts", Key={"player": {"S": "alice"}, "line": {"S": "material#copper"}})
    world.place(tape)
    assert request(world, "POST", "/operator/settlements/copper-2")[1]["status"] == "REDRIVEN"
    world.finish([late])
    assert world.status("copper-2") is Status.COMPLETED
    assert request(world, "GET", "/operator/settlements")[1] == {"parked": []}


@pytest.mark.parametrize("unknown", ["copper-3", "tin-1", "copper", "copper-0", "copper-01", "copper--1", "copper-1e3"])
def test_an_operator_cannot_settle_what_is_not_on_the_tape(store: DynamoDBClient, unknown: str) -> None:
    world, tape = World(store), Tape()
    world.write([tape.commit((tape.bid("bob", 1, 100), tape.ask("alice", 1, 100), 1))])
    status, body = request(world, "POST", f"/operator/settlements/{unknown}")
    assert (status, body["error"]["field"]) == (404, "id")
    assert store.scan(TableName="settlements")["Items"] == []
