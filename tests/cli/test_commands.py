"""What the commands ask of the API, and what a person or a script reads afterwards."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from typer.testing import CliRunner

from cli.app import app
from local.delivery.stats import MappingStats, ScheduleStats
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
def test_status_shows_when_each_schedule_fired_and_will_fire(monkeypatch: pytest.MonkeyPatch) -> None:
    day_ms = 1_763_683_200_000  # 2025-11-21
    schedules = [
        ScheduleStats("close", True, day_ms, day_ms + 60_000, 1_200, 1, 2, "throttled [/red]"),
        ScheduleStats("expire", True, None, None, 0, 0, 0, ""),
        ScheduleStats("off", False, None, None, 0, 0, 0, ""),
    ]

    def find_schedules(_environment: LocalEnvironment) -> list[ScheduleStats]:
        return schedules

    monkeypatch.setattr(LocalEnvironment, "find_schedules", find_schedules)
    shown = market("status")
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}
    assert rows["close"] == ["2025-11-21", "00:00:00Z", "2025-11-21", "00:01:00Z", "1,200", "1", "2"]
    assert rows["expire"] == ["not", "yet", "never", "0", "0", "0"]
    assert rows["off"] == ["not", "yet", "disabled", "0", "0", "0"]
    assert "close: throttled [/red]" in shown


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
@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (["--type", "market"], {"type": "market"}),
        (["2.50", "--time-in-force", "FOK"], {"price": "2.50", "time_in_force": "FOK"}),
        (
            ["2.50", "--expires-at", "2026-11-22T00:00:00Z"],
            {"price": "2.50", "time_in_force": "GTD", "expires_at": "2026-11-22T00:00:00Z"},
        ),
        (["2.50", "--post-only"], {"price": "2.50", "post_only": True}),
        (["-2.50"], {"price": "-2.50"}),
        (["2.50", "--type", "market"], {"price": "2.50", "type": "market"}),  # the market says what is wrong with it
    ],
    ids=["market", "fill or kill", "until", "post-only", "negative", "market with a limit"],
)
def test_every_kind_of_order_is_sent_as_typed(typed: list[str], sent: dict[str, object], api: ApiStandIn) -> None:
    api.answer = lambda request: (201, COPPER_ASK)
    market("sell", "copper", "10", *typed, "--player", "ann")
    (request,) = api.requests
    assert request.body is not None
    del request.body["client_order_id"]
    assert request.body == {"material": "copper", "quantity": 10, **sent}


@pytest.mark.usefixtures("local_environment")
def test_an_order_may_end_after_a_duration(api: ApiStandIn) -> None:
    api.answer = lambda request: (201, COPPER_ASK)
    before = datetime.now(UTC)
    market("buy", "copper", "1", "2.50", "--expires-in", "90s", "--player", "ann")
    body = api.requests[0].body
    assert body is not None
    assert body["time_in_force"] == "GTD"
    end = datetime.fromisoformat(body["expires_at"])
    assert timedelta(seconds=89) < end - before < timedelta(minutes=5)


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(
    "typed",
    [
        ["sell", "copper", "1", "2.50", "--expires-in", "soon"],
        ["sell", "copper", "1", "2.50", "--expires-in", "9s", "--expires-at", "2026-11-22T00:00:00Z"],
        ["replace", "an-id"],
        ["cancel-all", "--side", "both"],
    ],
    ids=["no duration", "two ends", "nothing to change", "no side"],
)
def test_what_makes_no_sense_is_not_sent(typed: list[str], api: ApiStandIn) -> None:
    result = CliRunner().invoke(app, [*typed, "--player", "ann"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert api.requests == []


@pytest.mark.usefixtures("local_environment")
def test_an_order_is_canceled_on_whichever_side_it_is(api: ApiStandIn) -> None:
    def answer(request: Request) -> tuple[int, dict[str, Any]]:
        if "/asks/" in request.path:
            return 404, {"error": {"message": "no ask"}}
        return 202, COPPER_ASK | {"side": "BUY", "request": "CANCEL"}

    api.answer = answer
    shown = market("cancel", "an-id", "--player", "ann")
    assert [(request.method, request.path.rpartition("$default")[2]) for request in api.requests] == [
        ("DELETE", "/asks/an-id"),
        ("DELETE", "/bids/an-id"),
    ]
    assert "BUY" in shown
    assert "to be canceled" in shown


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ([], ["/asks", "/bids"]),
        (["--side", "buy"], ["/bids"]),
        (["--side", "sell", "--material", "copper"], ["/asks?material=copper"]),
    ],
    ids=["both sides", "bids", "asks of a material"],
)
def test_all_orders_are_canceled(typed: list[str], asked: list[str], api: ApiStandIn) -> None:
    api.answer = lambda request: (202, {"requested": [f"id-of-{request.path[-4:]}"]})
    shown = market("cancel-all", *typed, "--player", "ann")
    assert [request.path.rpartition("$default")[2] for request in api.requests] == asked
    assert {request.method for request in api.requests} == {"DELETE"}
    assert shown.count("id-of-") == len(asked)


@pytest.mark.usefixtures("local_environment")
def test_an_order_is_replaced_by_what_is_typed(api: ApiStandIn) -> None:
    api.answer = lambda request: (202, COPPER_ASK | {"request": "REDUCE", "request_quantity": 6})
    shown = market("replace", "an-id", "--quantity", "6", "--player", "ann")
    assert "to become 6" in shown
    market("replace", "an-id", "--price", "2.60", "--player", "ann")
    assert [(request.method, request.body) for request in api.requests] == [
        ("PATCH", {"quantity": 6}),
        ("PATCH", {"price": "2.60"}),
    ]


@pytest.mark.usefixtures("local_environment")
def test_orders_show_their_kind_and_why_they_closed(api: ApiStandIn) -> None:
    closed = {"status": "CANCELED", "reason": "no_match", "type": "market", "price": None}
    asks = [COPPER_ASK | closed, COPPER_ASK | {"post_only": True}, COPPER_ASK | {"time_in_force": "FOK"}]
    api.answer = lambda request: (200, {"asks": asks if "/asks" in request.path else [], "bids": [], "next": None})
    shown = market("orders", "--player", "ann")
    assert all(text in shown for text in ("market", "any", "no_match", "post-only", "FOK")), shown


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
