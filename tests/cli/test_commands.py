"""What the commands ask of the API, and what a person or a script reads afterwards."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import pytest
from typer.testing import CliRunner

from cli.app import app
from local.delivery.stats import MappingStats
from local.environment import LocalEnvironment

if TYPE_CHECKING:
    from tests.cli.conftest import ApiStandIn, Request, RunningStandIn

COPPER_ASK: dict[str, Any] = {
    "id": "0190163d-8694-739b-aea5-966c26f8ad91",
    "side": "SELL",
    "material": "copper",
    "price": "2.50",
    "quantity": 10,
    "filled": 4,
    "remaining": 6,
    "status": "PARTIALLY_FILLED",
    "placed_at": "2026-11-21T08:00:00.000Z",
}


def market(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100 or arguments[0] in ("token", "outputs")
    return result.stdout


def test_outputs_as_json_are_one_object_for_any_client(local_environment: RunningStandIn) -> None:
    assert json.loads(market("outputs", "--json")) == local_environment.outputs


def test_outputs_for_a_person_name_every_output(local_environment: RunningStandIn) -> None:
    shown = market("outputs")
    assert all(name in shown for name in local_environment.outputs)
    assert "copper, wheat" in shown


def test_status_says_where_the_environment_is(local_environment: RunningStandIn) -> None:
    shown = market("status")
    assert str(local_environment.pid) in shown
    assert local_environment.outputs["api_url"] in shown


def test_status_shows_what_delivery_last_complained_about_letter_by_letter(
    local_environment: RunningStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = 'function error: ["[/red] of [bold]"]'
    counters = {each.name: 0 for each in fields(MappingStats)}
    stats = MappingStats(**cast("dict[str, Any]", counters | {"name": "matcher", "last_error": complaint}))

    def find_delivery(_environment: LocalEnvironment) -> list[MappingStats]:
        return [stats]

    monkeypatch.setattr(LocalEnvironment, "find_delivery", find_delivery)
    assert f"matcher: {complaint}" in market("status")


@pytest.mark.usefixtures("local_environment")
def test_a_players_name_is_shown_letter_by_letter(api: ApiStandIn) -> None:
    api.answer = lambda _: (200, {"asks": [COPPER_ASK], "bids": [], "next": None})
    assert "orders of [/red]" in market("orders", "--player", "[/red]")
    api.answer = lambda _: (200, {"asks": [], "bids": [], "next": None})
    assert market("orders", "--player", "[/red]") == "orders of [/red]: none\n"


@pytest.mark.usefixtures("local_environment")
def test_a_token_is_alone_on_its_line_for_new_and_known_players() -> None:
    assert [market("token", "--player", player) for player in ("ann", "bob", "ann")] == [
        "token-of-ann\n",
        "token-of-bob\n",
        "token-of-ann\n",
    ]


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(("command", "path"), [("sell", "/asks"), ("buy", "/bids")])
def test_an_order_is_sent_as_typed_with_an_id_that_makes_it_safe_to_repeat(
    command: str, path: str, api: ApiStandIn
) -> None:
    api.answer = lambda request: (201, COPPER_ASK)
    shown = market(command, "copper", "10", "2.50", "--player", "ann")
    assert COPPER_ASK["id"] in shown
    (request,) = api.requests
    assert request.path.endswith(f"/a1/$default{path}")
    assert request.body is not None
    assert 0 < len(request.body.pop("client_order_id")) <= 36
    assert request.body == {"material": "copper", "quantity": 10, "price": "2.50"}
    assert request.token == "token-of-ann"


@pytest.mark.usefixtures("local_environment")
def test_orders_of_both_sides_are_listed_over_all_pages(api: ApiStandIn) -> None:
    def answer(request: Request) -> tuple[int, dict[str, object]]:
        if "/bids" in request.path:
            return 200, {"bids": [COPPER_ASK | {"id": "a-bid", "side": "BUY"}], "next": None}
        if "next=page2" in request.path:
            return 200, {"asks": [COPPER_ASK | {"id": "second-ask"}], "next": None}
        return 200, {"asks": [COPPER_ASK | {"id": "first-ask"}], "next": "page2"}

    api.answer = answer
    shown = market("orders", "--player", "ann")
    assert all(order_id in shown for order_id in ("first-ask", "second-ask", "a-bid", "PARTIALLY_FILLED"))


@pytest.mark.usefixtures("local_environment")
def test_a_whole_order_id_fits_a_piped_listing(api: ApiStandIn) -> None:
    api.answer = lambda request: (200, {"asks": [COPPER_ASK], "bids": [], "next": None})
    assert COPPER_ASK["id"] in market("orders", "--player", "ann")


@pytest.mark.usefixtures("local_environment")
def test_the_book_shows_best_prices_in_the_middle(api: ApiStandIn) -> None:
    api.answer = lambda request: (
        200,
        {
            "material": "copper",
            "sequence": 7,
            "asks": [{"price": "2.50", "quantity": 3, "orders": 1}, {"price": "2.60", "quantity": 9, "orders": 2}],
            "bids": [{"price": "2.40", "quantity": 5, "orders": 2}],
        },
    )
    shown = market("book", "copper", "--depth", "3")
    assert api.requests[0].path.endswith("/materials/copper/book?depth=3")
    assert shown.index("2.60") < shown.index("2.50") < shown.index("2.40")


@pytest.mark.usefixtures("local_environment")
def test_trades_are_listed_and_an_empty_list_says_so(api: ApiStandIn) -> None:
    trade = {"id": "copper-1-1", "price": "2.50", "quantity": 3, "at": "2026-11-21T08:00:00.000Z", "taker_side": "BUY"}
    api.answer = lambda request: (200, {"trades": [trade], "next": None})
    assert "copper-1-1" in market("trades", "copper")
    api.answer = lambda request: (200, {"trades": [], "next": None})
    assert "none" in market("trades", "copper")
