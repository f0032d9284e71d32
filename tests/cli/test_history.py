"""What `market history order` asks, and what a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli import history as history_commands
from cli.app import app

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, ApiStandIn, Request

ORDER = "0190163d-8694-739b-aea5-966c26f8ad91"


def version(number: int, by: str, status: str, filled: int) -> dict[str, Any]:
    changed = {"field": "filled", "before": 0, "after": filled}
    return {
        "part": "order",
        "version": str(number),
        "at": f"2026-11-21T08:00:0{number}.000Z",
        "by": by,
        "why": "matched" if by == "matcher" else "placed",
        "order": {"price": "2.50", "quantity": 10, "filled": filled, "remaining": 10 - filled, "status": status},
        "changes": [changed] if filled else [],
    }


def history(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["history", "order", ORDER, "--player", "ann", *arguments])
    assert result.exit_code == code, result.stderr
    return result.stdout if code == 0 else result.stderr


def ask_of_two_pages(request: Request) -> Answer:
    if "/bids/" in request.path:
        return 404, {"error": {"code": "not_found", "rule": "own_order", "message": "no"}}
    if "next=page2" in request.path:
        return 200, {"versions": [version(2, "matcher", "PARTIALLY_FILLED", 4)], "next": None}
    return 200, {"versions": [version(1, "ann-id", "NEW", 0)], "next": "page2"}


@pytest.mark.usefixtures("local_environment")
def test_all_versions_of_an_ask_over_all_pages(api: ApiStandIn) -> None:
    api.answer = ask_of_two_pages
    shown = history()
    assert shown.index("ann-id") < shown.index("matcher")
    assert "filled: 0" not in shown
    assert "filled: 0 → 4" in history("--diff")
    only = history("--by", "matcher")
    assert "PARTIALLY_FILLED" in only
    assert "ann-id" not in only
    assert "none" in history("--by", "nobody")


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["--as-of", "2026-11-21T08:00:00"], {"as_of": ["2026-11-21T08:00:00.000Z"]}),
        (["--as-of", "2026-11-21T10:00:00.5+02:00"], {"as_of": ["2026-11-21T08:00:00.500Z"]}),
        (["--as-of", "1760000000007"], {"as_of": ["2025-10-09T08:53:20.007Z"]}),
        (
            ["--between", "2026-11-21", "2026-11-22"],
            {"from": ["2026-11-21T00:00:00.000Z"], "to": ["2026-11-22T00:00:00.000Z"]},
        ),
    ],
)
def test_times_are_asked_in_utc(api: ApiStandIn, arguments: list[str], query: dict[str, list[str]]) -> None:
    api.answer = lambda request: (200, {"versions": [version(1, "ann-id", "NEW", 0)], "next": None})
    history(*arguments)
    assert parse_qs(urlsplit(api.requests[0].path).query) == query


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--as-of", "noon"], "--as-of 'noon' is no time"),
        (["--between", "2026-11-21", "9" * 15], "--between '999999999999999' is no time"),
        (["--as-of", "1", "--between", "1", "2"], "exclude each other"),
    ],
)
def test_an_unusable_time_is_one_line_and_exit_code_2(arguments: list[str], text: str) -> None:
    assert text in history(*arguments, code=2)


def _service_token(_environment: object) -> str:
    return "of the service"


class TestOperator:
    """Without a player, the question goes to the operator's routes, with the service's token."""

    @pytest.fixture(autouse=True)
    def _service(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history_commands, "service_token", _service_token)

    @pytest.mark.usefixtures("local_environment")
    @pytest.mark.parametrize(
        ("arguments", "path"),
        [
            (["order", ORDER], f"/operator/history/order/{ORDER}"),
            (["order", ORDER, "--of", ORDER], f"/operator/history/order/{ORDER}?player={ORDER}"),
            (["account", ORDER], f"/operator/history/account/{ORDER}"),
            (["account", "~house"], "/operator/history/account/~house"),
            (["settlement", "copper-12"], "/operator/history/settlement/copper-12"),
        ],
    )
    def test_what_is_asked(self, api: ApiStandIn, arguments: list[str], path: str) -> None:
        shown = {
            "part": "wallet",
            "version": "1",
            "at": "2026-11-21T08:00:01.000Z",
            "by": "service",
            "why": "deposit#7",
        }
        item = {"available_minor": 250, "status": "COMPLETED"}
        changes = [{"field": "available_minor", "before": None, "after": 250}]
        answer = {**shown, "item": item, "changes": changes}
        api.answer = lambda request: (200, {"versions": [answer], "next": None})
        result = CliRunner().invoke(app, ["history", *arguments, "--diff"])
        assert result.exit_code == 0, result.stderr
        assert "deposit#7" in result.stdout
        assert "available_minor: → 250" in result.stdout
        (request,) = api.requests
        assert request.path.endswith(path)
        assert request.token == "of the service"

    def test_a_player_cannot_name_another(self) -> None:
        assert "exclude each other" in history("--of", "ben", code=2)
