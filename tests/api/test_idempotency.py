"""However often a request to place an order arrives, there is one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.api.timestamps import iso_utc
from patterns.dynamodb.client import LEAN_CONFIG
from tests.api.faults import losing_answers, refusing

if TYPE_CHECKING:
    from tests.api.front_door import FrontDoor

ORDER = {"material": "copper", "quantity": 3, "price": "12.50"}
SIDES = pytest.mark.parametrize("path", ["/asks", "/bids"])


@SIDES
def test_the_same_request_again_returns_the_stored_order(market: FrontDoor, path: str) -> None:
    first = market.send("POST", path, ORDER | {"client_order_id": "a"})
    stored = market.stored()
    again = [market.send("POST", path, ORDER | {"client_order_id": "a", "price": price}) for price in ("12.50", 12.5)]
    assert [(reply.status, reply.body) for reply in again] == [(200, first.body)] * 2
    assert market.stored() == stored


@SIDES
@pytest.mark.parametrize("change", [{"material": "wheat"}, {"quantity": 4}, {"price": "12.55"}])
def test_another_order_under_the_same_id_is_a_conflict(market: FrontDoor, path: str, change: dict[str, object]) -> None:
    market.send("POST", path, ORDER | {"client_order_id": "a"})
    stored = market.stored()
    reply = market.send("POST", path, ORDER | {"client_order_id": "a"} | change)
    assert (reply.status, reply.error) == (409, ("conflict", "client_order_id", "unrepeated_id"))
    assert market.stored() == stored


def test_ids_are_a_players_own_and_each_sides_own(market: FrontDoor) -> None:
    request = ORDER | {"client_order_id": "a"}
    replies = [market.send("POST", path, request, player=who) for path in ("/asks", "/bids") for who in ("ann", "ben")]
    assert [reply.status for reply in replies] == [201, 201, 202, 202]
    assert len({reply.body["id"] for reply in replies}) == 4


def test_without_a_client_order_id_each_request_is_an_order(market: FrontDoor) -> None:
    for _ in range(2):
        assert market.send("POST", "/asks", ORDER).status == 201
    assert len(market.stored()["asks"]) == 2


def test_a_replayed_ask_that_has_traded_since_is_shown_as_it_stands(market: FrontDoor) -> None:
    request = ORDER | {"client_order_id": "a"}
    market.send("POST", "/asks", request)
    market.put("asks", market.stored()["asks"][0] | {"remaining": 1})
    reply = market.send("POST", "/asks", request)
    assert (reply.status, reply.body["status"], reply.body["filled"]) == (200, "PARTIALLY_FILLED", 2)


@SIDES
@pytest.mark.parametrize("client_order_id", [{}, {"client_order_id": "a"}])
def test_a_write_whose_answer_is_lost_is_one_order(
    market: FrontDoor, path: str, client_order_id: dict[str, str]
) -> None:
    with losing_answers(market.client, "TransactWriteItems"):
        reply = market.send("POST", path, ORDER | client_order_id)
    assert reply.status in (201, 202)
    orders = [item for item in market.stored()[path[1:]] if not str(item.get("order_key", "")).startswith("~")]
    assert [item.get("ask_id", item.get("bid_id")) for item in orders] == [reply.body["id"]]


@SIDES
def test_a_write_whose_answers_are_all_lost_is_repeated_safely_with_its_id(market: FrontDoor, path: str) -> None:
    request = ORDER | {"client_order_id": "a"}
    attempts = cast("Any", LEAN_CONFIG).retries["total_max_attempts"]
    with losing_answers(market.client, "TransactWriteItems", times=attempts):
        undecided = market.send("POST", path, request)
    assert (undecided.status, undecided.error) == (503, ("unavailable", None, None))
    assert "client_order_id" in undecided.body["error"]["message"]
    again = market.send("POST", path, request)
    assert again.status == 200
    assert len([item for item in market.stored()[path[1:]] if "price_minor" in item]) == 1


@SIDES
def test_an_order_asked_for_again_after_its_end_is_returned(market: FrontDoor, path: str) -> None:
    request = ORDER | {"time_in_force": "GTD", "expires_at": iso_utc(market.clock() + 60_000)}
    first = market.send("POST", path, request | {"client_order_id": "a"})
    stored = market.stored()
    market.clock.now_ms += 120_000
    again = market.send("POST", path, request | {"client_order_id": "a"})
    assert (again.status, again.body) == (200, first.body)
    for late, status, rule in (
        (request | {"client_order_id": "b"}, 400, "future"),
        (request, 400, "future"),
        (request | {"client_order_id": "a", "quantity": 4}, 409, "unrepeated_id"),
        (request | {"client_order_id": "a", "price": "12.51"}, 400, "tick_size"),
    ):
        reply = market.send("POST", path, late)
        assert (reply.status, reply.error[2]) == (status, rule)
    assert market.stored() == stored


@SIDES
def test_an_overloaded_table_is_answered_with_retry_after_and_stores_nothing(market: FrontDoor, path: str) -> None:
    with refusing(market.client, "TransactWriteItems", "ProvisionedThroughputExceededException"):
        reply = market.send("POST", path, ORDER)
    assert (reply.status, reply.error, reply.headers["Retry-After"]) == (503, ("unavailable", None, None), "1")
    assert not any(market.stored().values())


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize("collisions", [1, 4, 5])
def test_a_transaction_that_collides_is_repeated_a_few_times(market: FrontDoor, collisions: int, reason: str) -> None:
    cancelled = "TransactionCanceledException"
    with refusing(market.client, "TransactWriteItems", cancelled, times=collisions, reasons=["None", reason]):
        reply = market.send("POST", "/asks", ORDER)
    assert reply.status == (201 if collisions < 5 else 503)
    assert len(market.stored()["asks"]) == (collisions < 5)


def test_a_refusal_that_no_repetition_changes_is_an_internal_error_without_details(market: FrontDoor) -> None:
    with refusing(market.client, "TransactWriteItems", "AccessDeniedException"):
        reply = market.send("POST", "/bids", ORDER)
    assert (reply.status, reply.error) == (500, ("internal", None, None))
    assert "AccessDenied" not in str(reply.body)
