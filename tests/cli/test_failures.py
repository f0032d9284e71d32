"""Whatever goes wrong, a person reads one clear line and a script gets an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from cli import lifecycle
from cli.app import app
from local.environment import DeployFailed, PortTaken

if TYPE_CHECKING:
    from tests.cli.conftest import ApiStandIn, RunningStandIn

REFUSED, USAGE, UNAVAILABLE = 1, 2, 3


def market(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def one_line(result: Result) -> str:
    """The line a failed command leaves on stderr: exactly one, and no trace of the program's inside."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("market: ")
    assert "\x1b" not in lines[0]
    return lines[0]


@pytest.mark.usefixtures("no_local_environment")
@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("outputs", "--json"),
        ("token", "--player", "ann"),
        ("sell", "copper", "1", "2.50", "--player", "ann"),
        ("buy", "copper", "1", "2.50", "--player", "ann"),
        ("orders", "--player", "ann"),
        ("book", "copper"),
        ("trades", "copper"),
        ("simulate",),
    ],
    ids=lambda command: command[0],
)
def test_without_an_environment_every_command_says_how_to_start_one(command: tuple[str, ...]) -> None:
    result = market(*command)
    assert result.exit_code == UNAVAILABLE
    assert "not running" in one_line(result)
    assert "market up" in one_line(result)


@pytest.mark.parametrize("name", ["../local", "", "a b", "-x", "--json"])
def test_a_text_that_names_no_environment_is_a_usage_error(name: str) -> None:
    result = market(f"--environment={name}", "status")
    assert result.exit_code == USAGE
    assert "--environment" in one_line(result)


@pytest.mark.parametrize("command", ["up", "down", "serve", "run"])
def test_only_the_local_environment_is_started_and_stopped_here(command: str) -> None:
    result = market("--environment", "prod", command)
    assert result.exit_code == USAGE
    assert "pulumi" in one_line(result)


def test_a_stack_without_the_pulumi_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    result = market("--environment", "staging", "outputs")
    assert result.exit_code == UNAVAILABLE
    assert "staging" in one_line(result)
    assert "not installed" in one_line(result)


def test_the_environment_variable_chooses_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("MARKET_ENVIRONMENT", "dev")
    assert "environment dev" in one_line(market("outputs"))


@pytest.mark.usefixtures("no_local_environment")
@pytest.mark.parametrize(
    "failure",
    [
        PortTaken(4566),
        DeployFailed("Pulumi.local.yaml: tickSize is '0': must be greater than zero"),
    ],
    ids=["port taken", "broken config"],
)
@pytest.mark.parametrize("command", ["up", "serve"])
def test_an_environment_that_does_not_start_says_why(
    command: str, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_start(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(lifecycle, "start_local", failing_start)
    result = market(command, "--port", "4566")
    assert result.exit_code == UNAVAILABLE
    assert str(failure) in one_line(result)


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize("command", ["run", "serve"])
def test_an_environment_that_runs_already_is_not_taken_over(command: str) -> None:
    result = market(command)
    assert result.exit_code == UNAVAILABLE
    assert "running already" in one_line(result)


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize("price", ["0.01", "-1", "NaN", "1e400"])
def test_the_markets_reason_is_passed_on(price: str, api: ApiStandIn) -> None:
    error = {
        "code": "invalid_field",
        "field": "price",
        "value": price,
        "rule": "tick_size",
        "message": "price must be a multiple of the tick size 0.05",
    }
    api.answer = lambda _: (400, {"error": error})
    result = market("sell", "copper", "1", price, "--player", "ann")
    assert result.exit_code == REFUSED
    line = one_line(result)
    assert "price must be a multiple of the tick size 0.05" in line
    assert f'"{price}"' in line
    assert '"tick_size"' in line
    assert [request.body and request.body["price"] for request in api.requests] == [price]


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(401, {"message": "Unauthorized"}, "Unauthorized"), (500, {}, "no reason given")],
)
def test_a_refusal_without_the_markets_error_object_is_one_line_too(
    status: int, body: dict[str, str], expected: str, api: ApiStandIn
) -> None:
    api.answer = lambda _: (status, body)
    result = market("book", "copper")
    assert result.exit_code == REFUSED
    assert f"({status}): {expected}" in one_line(result)


def test_an_api_that_does_not_answer_is_an_unavailable_environment(
    local_environment: RunningStandIn, api: ApiStandIn
) -> None:
    api.answer = lambda _: None
    result = market("buy", "copper", "1", "2.50", "--player", "ann")
    assert result.exit_code == UNAVAILABLE
    assert local_environment.outputs["api_url"] in one_line(result)


def test_a_player_pool_of_another_issuer_is_named(local_environment: RunningStandIn) -> None:
    local_environment.outputs |= {"player_pool_id": None, "jwt_issuer": "https://login.example"}
    result = market("token", "--player", "ann")
    assert result.exit_code == UNAVAILABLE
    assert "https://login.example" in one_line(result)


@pytest.mark.usefixtures("local_environment")
def test_a_quantity_that_is_no_number_is_a_usage_error() -> None:
    result = market("sell", "copper", "many", "2.50", "--player", "ann")
    assert result.exit_code == USAGE
    assert "quantity" in result.stderr
