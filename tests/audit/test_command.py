"""`market audit`: all parts of the audit, over all pages, as a table and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from typer.testing import CliRunner

from cli import audit
from cli.failures import UnsoundMarketError
from tests.cli.conftest import ApiStandIn, api, local_environment

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Request

__all__ = ["api", "local_environment"]

FINDING = {"kind": "balance", "subject": "account ann", "expected": "5 of money available", "found": "6 available"}


def market_with(findings: list[dict[str, str]]) -> Any:
    def answer(request: Request) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        match query:
            case {"part": part, "next": "two"}:
                return 200, {
                    "findings": findings,
                    "checked": 1,
                    "undecided": ["account ben"],
                    "next": None,
                    "part": part,
                }
            case {"part": "account"}:
                return 200, {"findings": [], "checked": 200, "undecided": [], "next": "two"}
            case {"part": _}:
                return 200, {"findings": [], "checked": 3, "undecided": [], "next": None}
            case {"next": _}:
                return 200, {"parts": [{"part": "account", "of": "ann"}], "next": None}
            case _:
                parts = [{"part": "tape", "of": "copper"}, {"part": "account", "of": "ann"}]
                return 200, {"parts": parts, "next": "more"}

    return answer


def run() -> Any:
    command = typer.Typer()
    command.command()(audit.audit)
    return CliRunner().invoke(command, [], obj="local")


def _service_token(_environment: object) -> str:
    return "of the service"


@pytest.fixture(autouse=True)
def _service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "service_token", _service_token)


@pytest.mark.usefixtures("local_environment")
def test_a_sound_market_says_what_was_looked_at(api: ApiStandIn) -> None:
    api.answer = market_with([])
    result = run()
    assert result.exit_code == 0, result.output
    assert "201 account, 3 tape" in result.stdout
    assert "kept moving: account ben" in result.stdout
    assert "nothing is wrong" in result.stdout
    assert {request.token for request in api.requests} == {"of the service"}
    assert len(api.requests) == 5  # two pages of parts, each part once


@pytest.mark.usefixtures("local_environment")
def test_a_finding_is_shown_and_fails_the_command(api: ApiStandIn) -> None:
    api.answer = market_with([FINDING])
    result = run()
    assert isinstance(result.exception, UnsoundMarketError)
    assert "account ann" in result.stdout
    assert "balance" in result.stdout
