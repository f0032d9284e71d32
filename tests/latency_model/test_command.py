"""What `market model` shows, and how it says that it can not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.latency_model import exports
from local.environment import LocalEnvironment
from tests.latency_model.exported import API, export_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.latency_model.exported import Export

FEW = ("--samples", "1000")


class RunningStandIn:
    keep_state = False


def written(export: Export, folder: Path) -> str:
    path = folder / "export.json"
    path.write_text(json.dumps(export.document), encoding="utf-8")
    return str(path)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return result.exit_code, line


def test_it_shows_the_way_its_hops_and_the_default_way(tmp_path: Path) -> None:
    text = shown("model", "--export", written(export_of("prod"), tmp_path), "--sources", "--what-ifs", *FEW)
    assert text.startswith("client → route POST /bids → ")
    assert "commit: transaction of 3" in text
    assert "as deployed" in text
    assert "default: all streams polled" in text
    assert "target p50 < 170 ms, p99 < 300 ms: kept" in text
    assert "github.com/alexdebrie/dynamodb-performance-testing" in text
    assert "whole way to one client, ms (fixed line)" in text
    assert "the matcher reads the tape's head first" in text
    assert "polls" not in text


def test_the_way_may_end_at_the_last_of_many_clients(tmp_path: Path) -> None:
    text = shown("model", "--export", written(export_of("prod"), tmp_path), "--listeners", "100", *FEW)
    assert "whole way to the last of 100 clients, ms" in text


def test_the_same_seed_shows_the_same_figures(tmp_path: Path) -> None:
    path = written(export_of("prod"), tmp_path)
    first, again, other = (shown("model", "--export", path, *FEW, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again != other


def test_a_polled_stream_and_a_missed_target_are_said(tmp_path: Path) -> None:
    export = export_of("prod")
    export.drop_variable(API, "ORDERS_STREAM_NAME")
    text = shown("model", "--export", written(export, tmp_path), *FEW)
    assert "polled: market-buy-bids-to-orders-pipe polls change stream of market-buy-bids-table" in text
    assert "p99 < 300 ms: missed" in text


def test_an_environment_without_feed_is_said_to_push_nothing(tmp_path: Path) -> None:
    text = shown("model", "--export", written(export_of("dev"), tmp_path), *FEW)
    assert "nothing pushes to clients" in text


def test_a_missing_edge_is_one_line(tmp_path: Path) -> None:
    export = export_of("dev")
    export.drop_variable(API, "BIDS_TABLE")
    code, line = refused("model", "--export", written(export, tmp_path))
    assert code == 1
    assert f"no way from POST /bids to the client: {API} stores bids in no table of the stack" in line


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "Expecting value"), ("[]", "not the JSON of"), ('{"deployment": {"resources": []}}', "holds no resources")],
)
def test_a_file_that_is_no_export_is_one_line(content: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    code, line = refused("model", "--export", str(path))
    assert code == 2
    assert complaint in line
    code, line = refused("model", "--export", str(tmp_path / "none.json"))
    assert code == 2
    assert "No such file" in line


@pytest.mark.parametrize("samples", ["999", "-1", "many"])
def test_too_few_samples_are_refused(samples: str) -> None:
    assert CliRunner().invoke(app, ["model", "--samples", samples]).exit_code == 2


def test_the_local_environment_is_read_from_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def local(_stack: str) -> LocalEnvironment:
        return LocalEnvironment("local", tmp_path, tmp_path)

    monkeypatch.setattr(exports, "LocalEnvironment", local)
    code, line = refused("model")
    assert code == 3
    assert "not running" in line
    environment = LocalEnvironment("local", tmp_path, tmp_path)
    environment.state(keep_state=False).write_text(json.dumps(export_of("local").document), encoding="utf-8")

    def running(_environment: LocalEnvironment) -> RunningStandIn:
        return RunningStandIn()

    monkeypatch.setattr(LocalEnvironment, "find", running)
    assert "as deployed" in shown("model", *FEW)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (None, "not installed"),
        ("echo 'error: no stack named prod found' >&2; exit 255", "pulumi says: no stack named prod found"),
        ("echo '{\"deployment\": {}}'", "not the JSON of"),
    ],
)
def test_a_stack_that_can_not_be_read_is_one_line(
    script: str | None, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        command = tmp_path / "pulumi"
        command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if script else str(tmp_path))
    code, line = refused("--environment", "prod", "model")
    assert code == 3
    assert complaint in line


def test_a_stack_is_read_with_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(export_of("staging"), tmp_path)
    command = tmp_path / "pulumi"
    command.write_text(
        f'#!/bin/sh\n[ "$*" = "stack export --stack staging" ] && exec cat {path}\nexit 1\n', encoding="utf-8"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert "as deployed" in shown("--environment", "staging", "model", *FEW)
