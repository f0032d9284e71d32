"""What a player and an operator type, and what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from typer.testing import CliRunner

from cli import settlements
from cli.app import OneLineFailures, choose_environment
from cli.notifications import notifications
from tests.cli import conftest as command_line

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, ApiStandIn, Request

api, local_environment = command_line.api, command_line.local_environment
pytestmark = pytest.mark.usefixtures("local_environment")


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    def token(_environment: object) -> str:
        return "token-of-service"

    monkeypatch.setattr(settlements, "service_token", token)


def run(*arguments: str, code: int = 0) -> str:
    app = typer.Typer(cls=OneLineFailures)
    app.callback()(choose_environment)
    for command in (notifications, settlements.settlements, settlements.settle):
        app.command()(command)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.stderr
    return result.stdout if code == 0 else result.stderr


def told(number: int, side: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": f"order-{number}",
        "side": side,
        "material": "copper",
        "status": "CANCELED",
        "reason": "requested",
        "quantity": 9,
        "filled": 4,
        "value": "5.00",
        "fee": "0.01",
        "at": f"2026-11-21T08:00:0{number}.000Z",
        **more,
    }


def test_notifications_over_all_pages(api: ApiStandIn) -> None:
    def answer(request: Request) -> Answer:
        if "next=older" in request.path:
            return 200, {"notifications": [told(1, "SELL", received="4.99")], "next": None}
        return 200, {"notifications": [told(2, "BUY", paid="5.01")], "next": "older"}

    api.answer = answer
    shown = run("notifications", "--player", "ann")
    assert shown.index("5.01") < shown.index("4.99")
    assert [request.token for request in api.requests] == ["token-of-ann"] * 2
    assert "4.99" not in run("notifications", "--player", "ann", "--limit", "1")
    assert parse_qs(urlsplit(api.requests[-1].path).query) == {"limit": ["1"]}
    api.answer = lambda request: (200, {"notifications": [], "next": None})
    assert "none" in run("notifications", "--player", "ann")


def test_an_operator_lists_what_is_parked(api: ApiStandIn) -> None:
    parked = {"id": "copper-7", "since": "2026-11-21T08:00:00.000Z", "step": "settle", "error": "refused: action 3"}
    api.answer = lambda request: (200, {"parked": [parked]})
    assert "copper-7" in run("settlements")
    assert [(request.path.rpartition("$default")[2], request.token) for request in api.requests] == [
        ("/operator/settlements", "token-of-service")
    ]
    api.answer = lambda request: (200, {"parked": []})
    assert "none" in run("settlements")


def test_an_operator_settles_a_range(api: ApiStandIn) -> None:
    api.answer = lambda request: (202, {"id": request.path.rpartition("/")[2], "status": "SUBMITTED"})
    assert run("settle", "copper", "7", "9").splitlines() == [f"copper-{number}: SUBMITTED" for number in (7, 8, 9)]
    assert {(request.method, request.token) for request in api.requests} == {("POST", "token-of-service")}
    assert run("settle", "copper", "3").splitlines() == ["copper-3: SUBMITTED"]
    assert "before" in run("settle", "copper", "9", "7", code=2)


def test_a_commit_that_is_not_on_the_tape_is_one_line(api: ApiStandIn) -> None:
    error = {"code": "not_found", "field": "id", "value": "tin-1", "rule": None, "message": "no such commit"}
    api.answer = lambda request: (404, {"error": error})
    assert "no such commit" in run("settle", "tin", "1", code=1)
