"""Sending a day: every step once, whatever the connection does; and what is lost is noticed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.failures import EnvironmentUnavailableError
from cli.simulation import SentOrder, lost_orders, send_orders
from cli.trading_day import PlannedChange, PlannedOrder, PlannedStep, plan_trading_day
from market.tables import SellOrder
from market.whole_tables import MarketTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cli.conftest import Answer, ApiStandIn, Request

DAY = plan_trading_day(players=3, orders=120, materials=["copper", "wheat"], tick_minor=5, seed=1)
PLAN = [step for step in DAY if isinstance(step, PlannedOrder)][:60]
TOKENS = ["token-0", "token-1", "token-2"]
NOTHING = MarketTables(asks=(), sell_orders=(), bids=(), standing_bids=(), tape=())


def send(api: ApiStandIn, clients: int = 4, plan: Sequence[PlannedStep] = PLAN) -> list[SentOrder]:
    return send_orders(
        plan, api_url=api.url, tokens=TOKENS, currency_digits=2, day="day", clients=clients, on_sent=lambda _: None
    )


def accept(request: Request) -> Answer:
    assert request.body is not None
    return 202, {"id": request.body["client_order_id"]}


def test_every_planned_order_is_sent_once_by_its_player_on_kept_connections(api: ApiStandIn) -> None:
    api.answer = accept
    sent = send(api)
    assert [outcome.planned for outcome in sent] == PLAN
    assert [outcome.order_id for outcome in sent] == [f"day-{order.number}" for order in PLAN]
    received = {request.body["client_order_id"]: request for request in api.requests if request.body}
    assert len(api.requests) == len(received) == len(PLAN)
    for order in PLAN:
        request = received[f"day-{order.number}"]
        assert request.token == TOKENS[order.player]
        assert request.path.endswith("/asks" if order.side == "SELL" else "/bids")
        assert request.body is not None
        assert (request.body["material"], request.body["quantity"]) == (order.material, order.quantity)
        if order.price_minor is None:
            assert (request.body["type"], "price" in request.body) == ("market", False)
        else:
            assert round(float(request.body["price"]) * 100) == order.price_minor
        assert request.body.get("time_in_force", "GTC") == order.time_in_force
        assert request.body.get("post_only", False) == order.post_only
        assert ("expires_at" in request.body) == (order.life_s is not None)
    assert len({request.connection for request in api.requests}) <= 4


@pytest.mark.parametrize("fault", [None, (503, {"message": "busy"}), (429, {})], ids=["dropped", "503", "429"])
def test_an_order_whose_answer_is_lost_is_sent_again_under_the_same_id(fault: Answer | None, api: ApiStandIn) -> None:
    attempts: Counter[str] = Counter()

    def fail_once(request: Request) -> Answer | None:
        assert request.body is not None
        order = request.body["client_order_id"]
        attempts[order] += 1
        return fault if attempts[order] == 1 and order in ("day-3", "day-40") else accept(request)

    api.answer = fail_once
    assert all(outcome.order_id for outcome in send(api))
    assert attempts["day-3"] == attempts["day-40"] == 2
    bodies = {json.dumps(request.body) for request in api.requests}
    assert len(bodies) == len(PLAN)


def test_a_refused_order_carries_the_markets_reason_and_is_not_repeated(api: ApiStandIn) -> None:
    api.answer = lambda _: (400, {"error": {"field": "price", "rule": "tick_size", "message": "price must be on tick"}})
    sent = send(api)
    assert len(api.requests) == len(PLAN)
    assert {outcome.order_id for outcome in sent} == {None}
    assert "price must be on tick" in (sent[0].refusal or "")


def test_a_dead_api_ends_the_day_for_all_clients(api: ApiStandIn) -> None:
    api.answer = lambda _: None
    with pytest.raises(EnvironmentUnavailableError):
        send(api)
    assert len(api.requests) < len(PLAN)


def test_an_order_is_changed_and_canceled_under_the_id_the_market_gave_it(api: ApiStandIn) -> None:
    order = PLAN[0]
    cancel = PlannedChange(500, order)
    change = PlannedChange(501, order, price_minor=1_250, quantity=7)
    api.answer = lambda request: (202, {"id": "new"}) if request.method == "PATCH" else (202, {"id": "an-id"})
    sent = send(api, clients=1, plan=[order, cancel, change])
    collection = "asks" if order.side == "SELL" else "bids"
    assert [(r.method, r.path.partition("$default")[2], r.body) for r in api.requests[1:]] == [
        ("DELETE", f"/{collection}/an-id", None),
        ("PATCH", f"/{collection}/an-id", {"price": "12.50", "quantity": 7}),
    ]
    assert [outcome.order_id for outcome in sent] == ["an-id", "an-id", "new"]


def test_a_change_whose_answer_is_lost_is_not_sent_again(api: ApiStandIn) -> None:
    change = PlannedChange(501, PLAN[0], quantity=7)
    api.answer = lambda request: None if request.method == "PATCH" else (202, {"id": "an-id"})
    with pytest.raises(EnvironmentUnavailableError):
        send(api, clients=1, plan=[PLAN[0], change])
    assert [request.method for request in api.requests] == ["POST", "PATCH"]


def test_a_change_of_a_refused_order_is_not_sent(api: ApiStandIn) -> None:
    api.answer = lambda _: (409, {"message": "no"})
    sent = send(api, clients=1, plan=[PLAN[0], PlannedChange(500, PLAN[0])])
    assert [outcome.order_id for outcome in sent] == [None, None]
    assert len(api.requests) == 1


def sell_order(order: PlannedOrder) -> SellOrder:
    return SellOrder(
        seller="s",
        ask_id=f"id-{order.number}",
        material=order.material,
        price_minor=order.price_minor or 1,
        quantity=order.quantity,
        placed_at_ms=1,
    )


def test_an_accepted_order_that_is_stored_otherwise_or_not_at_all_is_lost() -> None:
    asks = [order for order in PLAN if order.side == "SELL"][:3]
    sent = [SentOrder(order, f"id-{order.number}", None, 1.0, 1) for order in asks]
    stored = [sell_order(order) for order in asks]
    assert lost_orders(sent, replace(NOTHING, sell_orders=tuple(stored))) == []
    assert len(lost_orders(sent, replace(NOTHING, sell_orders=tuple(stored[1:])))) == 1
    changed = replace(stored[0], quantity=stored[0].quantity + 1)
    assert len(lost_orders(sent, replace(NOTHING, sell_orders=(changed, *stored[1:])))) == 1
    reduced = replace(stored[0], quantity=stored[0].quantity - 1)
    assert lost_orders(sent, replace(NOTHING, sell_orders=(reduced, *stored[1:]))) == []
    replacement = SentOrder(PlannedChange(500, asks[0], price_minor=5), "new", None, 1.0, 1)
    assert len(lost_orders([replacement], replace(NOTHING, sell_orders=tuple(stored)))) == 1
    refused = [SentOrder(asks[0], None, "refused", 1.0, 1)]
    assert lost_orders(refused, NOTHING) == []
