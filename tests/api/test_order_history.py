"""A player's own order histories over HTTP: what came through the streams, and nobody else's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import history_api
from functions.environment import HistoryApiEnvironment
from functions.history.attribution import attribute_ask, attribute_order
from functions.history.sources import ASKS, BIDS, SELL_ORDERS
from market.keys import ask_price_key
from patterns.dynamodb.items import encode_item
from patterns.historic import ItemKeys, Recorder
from tests.api.front_door import FrontDoor, Reply, request_event
from tests.api.variables import VARIABLES
from tests.patterns.historic.world import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

START_MS = 1_760_000_000_000
AT = "2025-10-09T08:53:20.000Z"


@dataclass
class Archive:
    """The history of a front door's tables, and the handler that shows it."""

    market: FrontDoor
    sources: dict[str, Source] = field(default_factory=dict[str, Source])

    def __post_init__(self) -> None:
        self.market.client.create_table(
            TableName=VARIABLES["HISTORY_TABLE"],
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "collection", "KeyType": "HASH"},
                {"AttributeName": "version_key", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "collection", "AttributeType": "S"},
                {"AttributeName": "version_key", "AttributeType": "S"},
            ],
        )
        self._handler = history_api.build(
            HistoryApiEnvironment.from_environ(VARIABLES), self.market.client, self.market.clock
        )

    def change(self, keys: ItemKeys, item: Mapping[str, Any] | None, key: Mapping[str, Any]) -> None:
        """Change an item as the API or the matcher does, and let its record arrive."""
        source = self.sources.setdefault(keys.source, Source(keys))
        if item is None:
            source.delete(encode_item(key))
        else:
            others = {name: value for name, value in encode_item(item).items() if name not in key}
            source.put(encode_item(key), by=None, why="", **others)
        attribution = attribute_ask if keys is ASKS else attribute_order
        report = Recorder(self.market.client, VARIABLES["HISTORY_TABLE"], keys, attribution).record(source.records)
        assert not report.errors

    def get(self, path: str, player: str = "alice", **query: str) -> Reply:
        answer = self._handler(request_event("GET", path, player=player, query=query), LambdaContext())
        return Reply(answer["statusCode"], json.loads(answer["body"]), {})


@pytest.fixture
def archive(market: FrontDoor) -> Archive:
    return Archive(market)


def placed_bid(archive: Archive) -> str:
    """A bid of alice that the matcher found no ask for, then filled in two steps."""
    body = {"material": "copper", "quantity": 10, "price": "12.50"}
    bid_id = str(archive.market.send("POST", "/bids", body).body["id"])
    key = {"buyer": "alice", "order_key": bid_id}
    bid = next(item for item in archive.market.stored()["bids"] if item["order_key"] == bid_id)
    bid["placed_at_ms"] = START_MS
    archive.change(BIDS, bid, key)
    bid |= {"status": "NEW", "sequenced_at_ms": START_MS + 500, "matched_at_ms": START_MS + 700}
    archive.change(BIDS, bid, key)
    archive.change(BIDS, bid | {"status": "PARTIALLY_FILLED", "filled": 4}, key)
    return bid_id


def test_a_bid_from_placing_to_its_fills(archive: Archive) -> None:
    bid_id = placed_bid(archive)
    shown = archive.get(f"/bids/{bid_id}/history").body
    assert shown["next"] is None
    told = [(v["version"], v["by"], v["why"], v["order"]["status"], v["order"]["filled"]) for v in shown["versions"]]
    assert told == [
        ("1", "alice", "placed", "PENDING", 0),
        ("2", "matcher", "found no match yet", "NEW", 0),
        ("3", "matcher", "matched", "PARTIALLY_FILLED", 4),
    ]
    assert shown["versions"][0]["at"] == AT
    assert shown["versions"][2]["changes"] == [
        {"field": "filled", "before": 0, "after": 4},
        {"field": "remaining", "before": 10, "after": 6},
        {"field": "status", "before": "NEW", "after": "PARTIALLY_FILLED"},
    ]
    first = archive.get(f"/bids/{bid_id}/history", limit="2").body
    second = archive.get(f"/bids/{bid_id}/history", limit="2", next=first["next"]).body
    assert first["versions"] + second["versions"] == shown["versions"]


def placed_ask(archive: Archive) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """An ask of alice; returns its id, its record, and its item of the book."""
    body = {"material": "copper", "quantity": 10, "price": "12.50"}
    ask_id = str(archive.market.send("POST", "/asks", body).body["id"])
    (ask,) = archive.market.stored()["asks"]
    record = next(item for item in archive.market.stored()["sell-orders"] if item["order_key"] == ask_id)
    archive.change(SELL_ORDERS, record, {"seller": "alice", "order_key": ask_id})
    archive.change(ASKS, ask, {"material": "copper", "price_key": ask_price_key(1250, ask_id)})
    return ask_id, dict(record), dict(ask)


def test_an_ask_until_it_is_sold_out(archive: Archive) -> None:
    ask_id, _, ask = placed_ask(archive)
    key = {"material": "copper", "price_key": ask_price_key(1250, ask_id)}
    archive.change(ASKS, ask | {"remaining": 3}, key)
    archive.change(ASKS, None, key)
    versions = archive.get(f"/asks/{ask_id}/history").body["versions"]
    told = [(v["part"], v["by"], v["why"], v["order"]["status"], v["order"]["remaining"]) for v in versions]
    assert told == [
        ("order", "alice", "placed", None, None),
        ("book", "alice", "placed", "NEW", 10),
        ("book", "matcher", "matched", "PARTIALLY_FILLED", 3),
        ("book", "matcher", "left the book", "FILLED", 0),
    ]
    first = archive.get(f"/asks/{ask_id}/history", limit="3").body
    second = archive.get(f"/asks/{ask_id}/history", limit="3", next=first["next"]).body
    assert first["versions"] + second["versions"] == versions


def test_an_ask_that_its_player_cancels(archive: Archive) -> None:
    ask_id, record, _ = placed_ask(archive)
    place = {"seller": "alice", "order_key": ask_id}
    archive.change(SELL_ORDERS, record | {"request": "CANCEL", "request_id": ask_id}, place)
    closed = record | {"status": "CANCELED", "reason": "requested", "filled": 4}
    archive.change(SELL_ORDERS, closed, place)
    archive.market.put("sell-orders", closed)
    archive.change(ASKS, None, {"material": "copper", "price_key": ask_price_key(1250, ask_id)})
    versions = archive.get(f"/asks/{ask_id}/history").body["versions"]
    told = [(v["by"], v["why"], v["order"]["status"], v["order"]["reason"], v["order"]["filled"]) for v in versions]
    assert told[1:3] == [
        ("alice", "asked to cancel", None, None, None),
        ("matcher", "canceled: requested", "CANCELED", "requested", 4),
    ]
    assert told[-1] == ("matcher", "left the book", "CANCELED", "requested", 4)


def test_as_of_a_time_and_between_two(archive: Archive) -> None:
    path = f"/bids/{placed_bid(archive)}/history"

    def numbers(**query: str) -> list[str]:
        return [version["version"] for version in archive.get(path, **query).body["versions"]]

    assert numbers(as_of=AT) == ["1"]
    assert numbers(as_of="2025-10-09T08:53:20.699Z") == ["1"]
    assert numbers(as_of="2025-10-09T08:53:20.7Z") == ["2"]
    assert numbers(as_of="2026-01-01T00:00:00Z") == ["3"]
    assert numbers(**{"from": AT, "to": "2025-10-09T08:53:20.700Z"}) == ["1"]
    assert numbers(**{"from": "2025-10-09T08:53:20.001Z"}) == ["2", "3"]
    assert numbers(to=AT) == []


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ({"as_of": "2025-10-09T08:53:19.999Z"}, 404, ("not_found", "as_of", "first_version")),
        ({"as_of": "yesterday"}, 400, ("invalid_field", "as_of", "time")),
        ({"as_of": "2025-13-09T08:53:20Z"}, 400, ("invalid_field", "as_of", "time")),
        ({"as_of": "1960-10-09T08:53:20Z"}, 400, ("invalid_field", "as_of", "time")),
        ({"from": "1760000000000"}, 400, ("invalid_field", "from", "time")),
        ({"as_of": AT, "to": AT}, 400, ("invalid_field", "as_of", "span")),
        ({"from": AT, "to": "2025-10-09T08:53:19Z"}, 400, ("invalid_field", "to", "span")),
        ({"limit": "0"}, 400, ("invalid_field", "limit", "page_size")),
        ({"next": "abc"}, 400, ("invalid_field", "next", "page_token")),
    ],
)
def test_a_wrong_question_names_field_and_rule(
    archive: Archive, query: dict[str, str], status: int, error: tuple[str, str, str]
) -> None:
    reply = archive.get(f"/bids/{placed_bid(archive)}/history", **query)
    assert (reply.status, reply.error) == (status, error)


def test_nobody_sees_anybody_elses_history(archive: Archive) -> None:
    bid_id = placed_bid(archive)
    for path, player in (
        (f"/bids/{bid_id}/history", "mallory"),
        (f"/asks/{bid_id}/history", "alice"),
        ("/bids/~mine/history", "alice"),
    ):
        reply = archive.get(path, player)
        assert (reply.status, reply.error) == (404, ("not_found", "id", "own_order"))


def test_an_order_whose_records_are_on_their_way_has_no_versions_yet(archive: Archive) -> None:
    body = {"material": "copper", "quantity": 10, "price": "12.50"}
    bid_id = str(archive.market.send("POST", "/bids", body).body["id"])
    assert archive.get(f"/bids/{bid_id}/history").body == {"versions": [], "next": None}
    assert archive.get(f"/bids/{bid_id}/history", to=AT).body["versions"] == []
