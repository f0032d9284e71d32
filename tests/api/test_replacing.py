"""A player changes an order: less of it keeps its place, anything else is a new order that takes the hold over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.fees import hold_minor
from tests.api.front_door import FrontDoor, opened
from tests.api.test_canceling import OWNERS, RECORDS, SIDES, place, record
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.accounts.bookkeeping import MaterialLine


def fill(market: FrontDoor, side: str, order_id: str, filled: int) -> None:
    """Trade a part of an order as the matcher does, accounts aside."""
    if side == "bids":
        market.put("bids", record(market, side, order_id) | {"filled": filled, "status": "PARTIALLY_FILLED"})
    else:
        ask = next(item for item in market.stored()["asks"] if item["ask_id"] == order_id)
        market.put("asks", ask | {"remaining": cast("int", ask["quantity"]) - filled})


def line(market: FrontDoor) -> MaterialLine:
    """Return alice's line of copper."""
    return market.ledger.account("alice").lines["copper"]


@SIDES
@pytest.mark.parametrize("wanted", [{"quantity": 2}, {"quantity": 2, "price": 12.5}])
def test_a_smaller_quantity_is_a_mark_and_the_order_keeps_id_and_hold(
    market: FrontDoor, side: str, wanted: dict[str, object]
) -> None:
    order = place(market, side)
    before, owned = record(market, side, order["id"]), market.ledger.account("alice")
    for _ in range(2):
        reply = market.send("PATCH", f"/{side}/{order['id']}", wanted)
        assert reply.body == order | {"request": "REDUCE", "request_quantity": 2}
    marked = record(market, side, order["id"])
    marks = {"request": "REDUCE", "request_id": marked["request_id"], "request_quantity": 2}
    assert marked == before | marks
    assert market.ledger.account("alice") == owned
    assert market.send("PATCH", f"/{side}/{order['id']}", {"quantity": 1}).body["request_quantity"] == 1
    canceled = market.send("DELETE", f"/{side}/{order['id']}")
    assert canceled.body == order | {"request": "CANCEL"}
    refused = market.send("PATCH", f"/{side}/{order['id']}", {"quantity": 1})
    assert (refused.status, refused.error) == (409, ("order_closed", "id", "open_order"))
    assert "request_quantity" not in record(market, side, order["id"])


@SIDES
@pytest.mark.parametrize("wanted", [{"quantity": 3}, {"price": "12.50"}, {"price": 12.5, "quantity": 3}])
def test_an_order_that_is_as_wanted_is_returned(market: FrontDoor, side: str, wanted: dict[str, object]) -> None:
    order = place(market, side)
    stored = market.stored()
    reply = market.send("PATCH", f"/{side}/{order['id']}", wanted)
    assert (reply.status, reply.body) == (200, order)
    assert market.stored() == stored


@SIDES
@pytest.mark.parametrize(
    ("wanted", "quantity", "price_minor"),
    [
        ({"quantity": 7}, 5, 1250),
        ({"price": "11"}, 8, 1100),
        ({"price": "13.05", "quantity": 3}, 1, 1305),
        ({"price": "13.05", "quantity": 12}, 10, 1305),
    ],
)
def test_any_other_change_is_a_new_order_that_holds_what_the_old_one_does_not(
    side: str, wanted: dict[str, object], quantity: int, price_minor: int
) -> None:
    """The order wanted 10 and has traded 2; the new one asks for what is still to be traded."""
    with opened() as market:
        ends = "2026-12-24T18:00:00.500Z"
        order = place(market, side, quantity=10, time_in_force="GTD", expires_at=ends)
        fill(market, side, order["id"], 2)
        if wanted == {"quantity": 7}:  # a smaller one at the same price would be a reduction
            wanted = {"quantity": 7, "price": "12.45"}
            price_minor = 1245
        before, old = market.ledger.account("alice"), record(market, side, order["id"])
        reply = market.send("PATCH", f"/{side}/{order['id']}", wanted)
        assert (reply.status, reply.body["status"]) == (202, "PENDING")
        new = reply.body
        assert (new["replaces"], new["quantity"], new["filled"]) == (order["id"], quantity, 0)
        assert (new["time_in_force"], new["expires_at"]) == ("GTD", ends)
        stored = record(market, side, new["id"])
        assert (stored["replaces"], stored["replaced_filled"]) == (order["id"], 2)
        assert (stored["price_minor"], stored["status"], stored[OWNERS[side]]) == (price_minor, "PENDING", "alice")
        assert record(market, side, order["id"]) == old
        if side == "asks":
            assert len(market.stored()["asks"]) == 1
            assert stored["hold"] == max(quantity - 8, 0)
            assert line(market).held == 10 + stored["hold"]
        else:
            assert stored["hold"] >= hold_minor(price_minor, quantity, 20) - hold_minor(1250, 8, 20)
            assert before.available_minor - market.ledger.account("alice").available_minor == stored["hold"]
        opened_orders = line(market).open_asks if side == "asks" else line(market).open_bids
        assert opened_orders == (order["id"], new["id"])


@SIDES
def test_a_change_that_is_asked_for_again_under_its_id_is_one_new_order(market: FrontDoor, side: str) -> None:
    order = place(market, side)
    path, wanted = f"/{side}/{order['id']}", {"quantity": 7, "price": "13.00", "client_order_id": "mine"}
    new = market.send("PATCH", path, wanted)
    assert (new.status, new.body["client_order_id"]) == (202, "mine")
    stored = market.stored()
    # By then, the order may have traded as much as was wanted, or have made room.
    for state in (record(market, side, order["id"]), {"filled": 3, "status": "CANCELED", "reason": "replaced"}):
        market.put(RECORDS[side], record(market, side, order["id"]) | state)
        again = market.send("PATCH", path, wanted | {"price": 13})
        assert (again.status, again.body) == (200, new.body)
        for other in ({"price": "13.05"}, {"quantity": 8}):
            refused = market.send("PATCH", path, wanted | other)
            assert (refused.status, refused.error) == (409, ("conflict", "client_order_id", "unrepeated_id"))
    elsewhere = place(market, side)
    for method, where, body in (
        ("PATCH", f"/{side}/{elsewhere['id']}", wanted),
        ("POST", f"/{side}", {"material": "copper", "quantity": 7, "price": "13.00", "client_order_id": "mine"}),
    ):
        assert market.send(method, where, body).error == ("conflict", "client_order_id", "unrepeated_id")
    assert [item for item in market.stored()[RECORDS[side]] if "replaces" in item] == [
        item for item in stored[RECORDS[side]] if "replaces" in item
    ]


@SIDES
@pytest.mark.parametrize("call", range(4))
def test_a_change_asked_for_by_two_at_once_is_one_new_order_for_both(side: str, call: int) -> None:
    """Also if it takes all the player has."""
    with opened(rich=()) as market:
        market.fund("alice", hold_minor(1300, 5, 20) + 5, copper=5)
        order = place(market, side)
        path, wanted = f"/{side}/{order['id']}", {"quantity": 5, "price": "13.00", "client_order_id": "mine"}
        other: list[str] = []
        faulty = FaultyClient(
            market.client, {call: lambda: other.append(market.send("PATCH", path, wanted).body["id"])}
        )
        device = FrontDoor(clock=market.clock, client=cast("DynamoDBClient", faulty))
        assert [device.send("PATCH", path, wanted).body["id"]] == other
        assert len([item for item in market.stored()[RECORDS[side]] if "replaces" in item]) == 1


@SIDES
def test_what_a_bigger_order_lacks_is_told(side: str) -> None:
    with opened(rich=()) as market:
        market.fund("alice", hold_minor(1250, 3, 20), copper=3)
        order = place(market, side)
        before, stored = market.ledger.account("alice"), market.stored()
        reply = market.send("PATCH", f"/{side}/{order['id']}", {"quantity": 5})
        code = "insufficient_goods" if side == "asks" else "insufficient_funds"
        assert (reply.status, reply.error) == (409, (code, "quantity", "available"))
        assert (market.ledger.account("alice"), market.stored()) == (before, stored)


@SIDES
def test_a_player_with_all_orders_allowed_may_still_replace_one(side: str) -> None:
    with opened(MAX_OPEN_ORDERS="1") as market:
        order = place(market, side)
        assert market.send("PATCH", f"/{side}/{order['id']}", {"price": "13"}).status == 202
        assert market.send("PATCH", f"/{side}/{order['id']}", {"price": "14"}).error[0] == "too_many_open_orders"


BAD_CHANGES: list[tuple[str, object, int, tuple[str, str, str]]] = [
    ("nothing", {}, 400, ("invalid_field", "quantity", "required")),
    ("unknown field", {"material": "wheat"}, 400, ("invalid_field", "material", "known_field")),
    ("a type", {"quantity": 2, "type": "market"}, 400, ("invalid_field", "type", "known_field")),
    ("zero", {"quantity": 0}, 400, ("invalid_field", "quantity", "positive")),
    ("a fraction", {"quantity": 2.5}, 400, ("invalid_field", "quantity", "whole_number")),
    ("too many", {"quantity": 1_000_001}, 400, ("invalid_field", "quantity", "maximum")),
    ("off the tick", {"price": "12.51"}, 400, ("invalid_field", "price", "tick_size")),
    ("no price", {"price": None}, 400, ("invalid_field", "price", "type")),
    ("no quantity", {"quantity": None}, 400, ("invalid_field", "quantity", "type")),
    ("worth too little", {"price": "1"}, 400, ("invalid_field", "quantity", "minimum_value")),
    ("no more than filled", {"quantity": 2}, 409, ("conflict", "quantity", "above_filled")),
    ("less than filled", {"quantity": 1, "price": "13"}, 409, ("conflict", "quantity", "above_filled")),
    ("only an id", {"client_order_id": "a"}, 400, ("invalid_field", "quantity", "required")),
    (
        "an id with spaces",
        {"quantity": 2, "client_order_id": "a b"},
        400,
        ("invalid_field", "client_order_id", "pattern"),
    ),
    ("no JSON", "quantity=2", 400, ("invalid_field", "body", "json")),
]


@SIDES
def test_a_change_that_cannot_be_is_named_and_nothing_is_changed(side: str) -> None:
    with opened(MIN_ORDER_VALUE_MINOR="1000") as market:
        order = place(market, side)
        fill(market, side, order["id"], 2)
        before, stored = market.ledger.account("alice"), market.stored()
        replies = {name: market.send("PATCH", f"/{side}/{order['id']}", body) for name, body, _, _ in BAD_CHANGES}
        assert {name: (reply.status, reply.error) for name, reply in replies.items()} == {
            name: (status, error) for name, _, status, error in BAD_CHANGES
        }
        assert (market.ledger.account("alice"), market.stored()) == (before, stored)


@SIDES
def test_a_market_order_has_nothing_to_change(market: FrontDoor, side: str) -> None:
    order = market.send("POST", f"/{side}", {"material": "copper", "quantity": 3, "type": "market"}).body
    reply = market.send("PATCH", f"/{side}/{order['id']}", {"quantity": 2})
    assert (reply.status, reply.error) == (409, ("conflict", "id", "limit_order"))


@settings(max_examples=40)
@given(
    side=st.sampled_from(["asks", "bids"]),
    old=st.tuples(st.integers(2, 12), st.none() | st.integers(1, 11), st.integers(0, 11)),
    new=st.tuples(st.integers(1, 14), st.integers(200, 300)),
    data=st.data(),
)
def test_a_replacement_is_covered_whatever_trades_before_its_turn(
    side: str, old: tuple[int, int | None, int], new: tuple[int, int], data: st.DataObject
) -> None:
    """Also if its player has asked for less before, which takes effect first."""
    quantity, reduced, filled = old
    filled = min(filled, quantity - 1)
    reduced = None if reduced is None or not filled < reduced < quantity else reduced
    wanted, price_minor = max(new[0], filled + 1), new[1] * 5
    with opened() as market:
        order = place(market, side, quantity=quantity)
        fill(market, side, order["id"], filled)
        if reduced is not None:
            assert market.send("PATCH", f"/{side}/{order['id']}", {"quantity": reduced}).status == 202
        body = {"quantity": wanted, "price": price_minor / 100}
        reply = market.send("PATCH", f"/{side}/{order['id']}", body)
        if reply.body["id"] == order["id"]:
            assert price_minor == 1250
            return
        stored = record(market, side, reply.body["id"])
        open_old = (reduced or quantity) - filled
        traded = data.draw(st.integers(0, min(open_old - 1, stored["quantity"] - 1)))
        left, left_old = stored["quantity"] - traded, open_old - traded
        if side == "asks":
            assert left_old + stored["hold"] >= left
        else:
            assert hold_minor(1250, left_old, 20) + stored["hold"] >= hold_minor(price_minor, left, 20)


@SIDES
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "throttle", "conflict"])
@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("wanted", [{"quantity": 2}, {"price": "13.00", "quantity": 5}])
def test_trouble_at_any_call_of_replacing_leaves_accounts_and_orders_in_agreement(
    market: FrontDoor, side: str, trouble: str, call: int, wanted: dict[str, object]
) -> None:
    order = place(market, side)
    device = FrontDoor(clock=market.clock, client=cast("DynamoDBClient", FaultyClient(market.client, {call: trouble})))
    with suppress(Crash):
        assert device.send("PATCH", f"/{side}/{order['id']}", wanted).status in (202, 503)
    assert market.send("PATCH", f"/{side}/{order['id']}", wanted).status == 202
    holds: list[dict[str, Any]] = [dict(item) for item in market.stored()[RECORDS[side]] if "hold" in item]
    assert sum(item["hold"] for item in holds) == (line(market).held if side == "asks" else line(market).held_minor)
    assert {item["order_key"] for item in holds} == {*line(market).open_asks, *line(market).open_bids}
    if "price" not in wanted:
        assert len(holds) == 1
