"""A player gives orders up: each is marked for the matcher, whatever happens in between, and nobody else's is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from patterns.dynamodb.items import encode_item
from tests.api.faults import hooked, refusing
from tests.api.front_door import FrontDoor
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Value

ORDER: dict[str, object] = {"material": "copper", "quantity": 3, "price": "12.50"}
SIDES = pytest.mark.parametrize("side", ["asks", "bids"])
RECORDS = {"asks": "sell-orders", "bids": "bids"}
OWNERS = {"asks": "seller", "bids": "buyer"}


def place(market: FrontDoor, side: str, player: str = "alice", /, **fields: object) -> dict[str, Any]:
    """Place an order and return it."""
    return market.send("POST", f"/{side}", ORDER | fields, player=player).body


def record(market: FrontDoor, side: str, order_id: str) -> dict[str, Any]:
    """Return the record of an order."""
    return next(dict(item) for item in market.stored()[RECORDS[side]] if item["order_key"] == order_id)


def close(market: FrontDoor, side: str, order: Mapping[str, Any], status: str, **marks: Value) -> None:
    """Close an order as the matcher does; a sold out ask only leaves the book."""
    item = record(market, side, order["id"])
    if side == "asks":
        book_key = {"material": item["material"], "price_key": f"{item['price_minor']:012d}#{order['id']}"}
        market.client.delete_item(TableName="asks", Key=encode_item(book_key))
    if side == "bids" or status != "FILLED":
        market.put(RECORDS[side], item | {"status": status, **marks})


@SIDES
@pytest.mark.parametrize("kind", [{}, {"post_only": True}, {"time_in_force": "IOC"}])
def test_a_canceled_order_stays_open_and_marked_until_the_matcher_gets_to_it(
    market: FrontDoor, side: str, kind: dict[str, object]
) -> None:
    order = place(market, side, "alice", **kind)
    book = market.stored()["asks"]
    before = record(market, side, order["id"])
    replies = [market.send("DELETE", f"/{side}/{order['id']}") for _ in range(2)]
    assert [(reply.status, reply.body) for reply in replies] == [(202, order | {"request": "CANCEL"})] * 2
    assert market.send("GET", f"/{side}/{order['id']}").body == order | {"request": "CANCEL"}
    marked = record(market, side, order["id"])
    assert marked == before | {"request": "CANCEL", "request_id": marked["request_id"]}
    assert market.stored()["asks"] == book


@SIDES
@pytest.mark.parametrize(
    ("status", "marks"),
    [
        ("FILLED", {"filled": 3}),
        ("CANCELED", {"filled": 1, "reason": "requested"}),
        ("EXPIRED", {"filled": 0, "reason": "expired"}),
        ("REJECTED", {"reason": "would_take", "filled": 0}),
    ],
)
def test_a_closed_order_is_shown_with_its_reason_and_cannot_be_canceled_or_replaced(
    market: FrontDoor, side: str, status: str, marks: dict[str, Value]
) -> None:
    order = place(market, side)
    close(market, side, order, status, **marks)
    shown = market.send("GET", f"/{side}/{order['id']}").body
    expected = order | {"status": status, "filled": marks["filled"], "remaining": 0, "reason": marks.get("reason")}
    assert shown == expected
    assert market.send("GET", f"/{side}").body[side] == [expected]
    stored = market.stored()
    for method, body in (("DELETE", None), ("PATCH", {"quantity": 5}), ("PATCH", {"price": "13"})):
        reply = market.send(method, f"/{side}/{order['id']}", body)
        assert (reply.status, reply.error) == (409, ("order_closed", "id", "open_order"))
    assert market.stored() == stored


@SIDES
def test_an_order_that_closes_while_it_is_canceled_is_left_alone(market: FrontDoor, side: str) -> None:
    order = place(market, side)

    def close_first() -> None:
        close(market, side, order, "CANCELED", filled=0, reason="self_trade")

    faulty = FaultyClient(market.client, {2 if side == "asks" else 1: close_first})
    device = FrontDoor(clock=market.clock, client=cast("DynamoDBClient", faulty))
    reply = device.send("DELETE", f"/{side}/{order['id']}")
    assert (reply.status, reply.error) == (409, ("order_closed", "id", "open_order"))
    assert "request" not in record(market, side, order["id"])


@pytest.mark.parametrize("path", ["/asks", "/asks/id"])
def test_an_ask_canceled_while_it_is_read_is_never_shown_as_sold_out(market: FrontDoor, path: str) -> None:
    """Its record is read before the book: in between it leaves the book, unsold."""
    other, ask = (place(market, "asks") for _ in range(2))
    hooks = [lambda: close(market, "asks", ask, "CANCELED", filled=1, reason="requested")]

    def cancel(**_kwargs: object) -> None:
        hooks.pop()() if hooks else None

    with hooked(market.client, "before-call.dynamodb.BatchGetItem", cancel):
        body = market.send("GET", path.replace("id", ask["id"])).body
    closed = ask | {"status": "CANCELED", "filled": 1, "remaining": 0, "reason": "requested"}
    assert body == ({"asks": [closed, other], "next": None} if path == "/asks" else closed)


@SIDES
def test_nobody_cancels_or_replaces_anybody_elses_order(market: FrontDoor, side: str) -> None:
    order = place(market, side, "bob", client_order_id="secret")
    stored = market.stored()
    for method, body in (("DELETE", None), ("PATCH", {"quantity": 1})):
        for order_id in (order["id"], "01a1fd1e-8c4e-7e2d-ad84-6a46ff8e50ea", "~secret", order["id"].upper()):
            reply = market.send(method, f"/{side}/{order_id}", body)
            assert (reply.status, reply.error) == (404, ("not_found", "id", "own_order"))
    assert market.send("DELETE", f"/{side}").body == {"requested": []}
    assert market.stored() == stored


@SIDES
def test_all_open_orders_of_a_side_are_canceled_or_those_of_one_material(market: FrontDoor, side: str) -> None:
    other = "bids" if side == "asks" else "asks"
    copper = [place(market, side)["id"] for _ in range(9)]
    wheat = [place(market, side, material="wheat")["id"] for _ in range(2)]
    spared = place(market, other)
    closed = place(market, side)
    close(market, side, closed, "CANCELED", filled=0, reason="self_trade")
    reply = market.send("DELETE", f"/{side}", query={"material": "wheat"})
    assert (reply.status, reply.body) == (202, {"requested": wheat})
    for _ in range(2):  # safe to repeat
        reply = market.send("DELETE", f"/{side}")
        assert (reply.status, reply.body) == (202, {"requested": copper + wheat})
    marked = [item["order_key"] for item in market.stored()[RECORDS[side]] if item.get("request") == "CANCEL"]
    assert sorted(str(key) for key in marked) == copper + wheat
    assert market.send("GET", f"/{other}/{spared['id']}").body == spared
    reply = market.send("DELETE", f"/{side}", query={"material": "gold"})
    assert (reply.status, reply.error) == (400, ("invalid_field", "material", "known_material"))


@SIDES
def test_cancel_all_marks_what_it_can_and_says_if_that_was_not_all(market: FrontDoor, side: str) -> None:
    order_ids = [place(market, side)["id"] for _ in range(4)]
    with refusing(market.client, "UpdateItem", "ProvisionedThroughputExceededException", times=1):
        reply = market.send("DELETE", f"/{side}")
    assert (reply.status, reply.error) == (503, ("unavailable", None, None))
    assert market.send("DELETE", f"/{side}").body == {"requested": order_ids}


@SIDES
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "throttle", "conflict"])
@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("path", ["", "/id"])
def test_trouble_at_any_call_of_canceling_and_the_request_again_is_one_mark(
    market: FrontDoor, side: str, trouble: str, call: int, path: str
) -> None:
    order = place(market, side)
    owned = market.ledger.account("alice")
    target = f"/{side}{path.replace('id', order['id'])}"
    device = FrontDoor(clock=market.clock, client=cast("DynamoDBClient", FaultyClient(market.client, {call: trouble})))
    with suppress(Crash):
        assert device.send("DELETE", target).status in (202, 503)
    assert market.send("DELETE", target).status == 202
    assert market.send("GET", f"/{side}/{order['id']}").body == order | {"request": "CANCEL"}
    assert market.ledger.account("alice") == owned
