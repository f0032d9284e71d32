"""The command lines: bad input is one line and nothing is sent; a run without a feed says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cli import trading_day_commands
from cli.app import app
from cli.failures import EnvironmentUnavailableError
from cli.latency import command
from cli.latency.measuring import INTERRUPTED
from cli.latency.samples import read_run
from tests.latency.ways import mutation, run_of

if TYPE_CHECKING:
    from cli.environments import Environment
    from cli.latency.measuring import Progress, RunPlan
    from cli.latency.samples import Run
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


CUT = replace(run_of([mutation(0, 0)]), unsent=9)
NONE_TAKEN = run_of([replace(mutation(0, 0), order_id=None, receipts={}, told_ms=None, stamps={}, failed=True)])


@pytest.mark.usefixtures("local_environment")
@pytest.mark.parametrize(
    ("run", "exit_code", "says"),
    [
        (run_of([mutation(0, 0)]), 0, ""),
        (replace(CUT, ended_early=INTERRUPTED), 130, "market: interrupted"),
        (replace(CUT, ended_early="no answer from http://x"), 3, "market: no answer from http://x"),
        (NONE_TAKEN, 1, "market: the market took no order, so nothing was measured"),
    ],
    ids=["whole", "interrupted", "silent", "none taken"],
)
def test_a_run_that_is_not_whole_shows_its_figures_and_fails(
    run: Run, exit_code: int, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(_environment: Environment, _plan: RunPlan, _progress: Progress) -> Run:
        return run

    monkeypatch.setattr(command, "measure", measure)
    report, samples = tmp_path / "report.html", tmp_path / "samples.json"
    result = CliRunner().invoke(app, ["latency", "--report", str(report), "--json", str(samples)])
    assert result.exit_code == exit_code, result.output
    assert result.stderr.strip() == says
    assert "due → every client" in result.stdout
    assert ("9 were not sent" in result.stdout) == (run.ended_early is not None)
    assert read_run(samples) == run
    assert "<svg" in report.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device without space")
@pytest.mark.parametrize("full", ["--report", "--json"])
def test_a_file_that_cannot_be_written_costs_one_line_and_no_figures(
    full: str, local_environment: RunningStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(_environment: Environment, _plan: RunPlan, _progress: Progress) -> Run:
        return run_of([mutation(0, 0)])

    monkeypatch.setattr(command, "measure", measure)
    paths = {"--report": tmp_path / "report.html", "--json": tmp_path / "samples.json"}
    written = next(path for name, path in paths.items() if name != full)
    paths[full] = Path("/dev/full")
    result = CliRunner().invoke(app, ["latency", *(word for name, path in paths.items() for word in (name, str(path)))])
    assert result.exit_code == 1
    assert result.stderr.strip() == "market: /dev/full cannot be written: No space left on device"
    assert "due → every client" in result.stdout
    assert written.stat().st_size > 0


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
