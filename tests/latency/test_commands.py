"""The command lines: bad input is one line and nothing is sent; a run without a feed says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cli import trading_day_commands
from cli.app import app
from cli.failures import EnvironmentUnavailableError
from cli.latency import command

if TYPE_CHECKING:
    from pathlib import Path

    from cli.environments import Environment
    from cli.latency.measuring import Progress, RunPlan
    from tests.cli.conftest import ApiStandIn, RunningStandIn


@pytest.mark.parametrize(
    "typed",
    [
        ("--rate", "0"),
        ("--players", "1"),
        ("--minutes", "51"),
        ("--watchers", "-1"),
        ("--pattern", "wild"),
        ("--seed", "x"),
        ("--report", "nowhere/report.html"),
        ("--json", "nowhere/samples.json"),
    ],
    ids=lambda typed: typed[0],
)
def test_bad_input_is_refused_before_anything_is_sent(
    typed: tuple[str, str], api: ApiStandIn, local_environment: RunningStandIn
) -> None:
    result = CliRunner().invoke(app, ["latency", *typed])
    assert result.exit_code == 2
    assert typed[0] in result.stderr or typed[1] in result.stderr
    assert api.requests == []


def test_an_environment_without_a_feed_cannot_be_measured(api: ApiStandIn, local_environment: RunningStandIn) -> None:
    result = CliRunner().invoke(app, ["latency"])
    assert result.exit_code == 3
    assert "has no live feed: its setting liveFeed is off" in result.stderr
    assert api.requests == []


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What `market run` starts: a stand-in of an environment whose day is played at once."""
    outputs: dict[str, Any] = {"feed_http_host": "feed.example"}

    class Started:
        name = "local"

        def __init__(self) -> None:
            self.outputs = outputs

    def nothing(*_: Any, **__: Any) -> None:
        pass

    for name in ("require_stopped", "interrupt_on_termination", "stop", "_play"):
        monkeypatch.setattr(trading_day_commands, name, nothing)

    def start(**_: Any) -> Started:
        return Started()

    monkeypatch.setattr(trading_day_commands, "start", start)
    monkeypatch.setattr(trading_day_commands, "LATENCY_REPORT", tmp_path / "latency.html")
    return outputs


def test_a_day_whose_latencies_cannot_be_measured_is_sound_all_the_same(
    played: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(environment: Environment, plan: RunPlan, progress: Progress) -> None:
        raise EnvironmentUnavailableError("the live feed at ws://x does not answer")

    monkeypatch.setattr(command, "measure", fail)
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 0, result.output
    assert "latencies were not measured: the live feed at ws://x does not answer" in result.output


def test_a_day_without_a_feed_measures_no_latencies(played: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    played["feed_http_host"] = None

    def measure(*_: Any) -> None:
        pytest.fail("measured")

    monkeypatch.setattr(command, "measure", measure)
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 0, result.output
    assert "latenc" not in result.output
