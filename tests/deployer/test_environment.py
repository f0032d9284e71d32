"""The environment as a whole: started, found, changed, killed, kept, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from local import environment
from local.environment import DeployFailed, EnvironmentBusy, EnvironmentNotRunning, PortTaken
from tests.deployer.test_emulator import alive

if TYPE_CHECKING:
    from pathlib import Path

    from local.environment import RunningEnvironment

_PATIENCE_S = 20.0


def test_up_find_redeploy_down(sample_project: Path) -> None:
    started = environment.up("test", root=sample_project)
    try:
        assert environment.find("test", root=sample_project) == started
        tables = started.client("dynamodb").list_tables()["TableNames"]
        assert tables == [started.outputs["table"]]
        with pytest.raises(EnvironmentBusy, match=f"already runs on port {started.port}"):
            environment.up("test", root=sample_project, port=1)

        _configure(sample_project, "greeting: good evening")
        again = environment.up("test", root=sample_project)
        assert (again.pid, again.outputs, again.deployments) == (started.pid, started.outputs, 2)
        answer = started.client("lambda").invoke(FunctionName=again.outputs["function"])
        assert json.loads(answer["Payload"].read()) == "good evening"

        _configure(sample_project, "greeting: [not, text]")
        with pytest.raises(DeployFailed, match="sample:greeting must be of type string"):
            environment.up("test", root=sample_project)
        assert environment.find("test", root=sample_project) is not None, "a failed deployment does not end it"
    finally:
        _configure(sample_project, "greeting: good night")
        environment.down("test", root=sample_project)
    assert environment.find("test", root=sample_project) is None
    _wait_until_gone(started)
    with pytest.raises(EnvironmentNotRunning, match="the test environment is not running"):
        environment.down("test", root=sample_project)


def test_a_killed_supervisor_takes_the_emulator_along_and_the_next_up_starts_anew(sample_project: Path) -> None:
    killed = environment.up("test", root=sample_project)
    killed.client("lambda").invoke(FunctionName=killed.outputs["function"])
    os.kill(killed.pid, signal.SIGKILL)
    _wait_until_gone(killed)
    assert environment.find("test", root=sample_project) is None
    assert _members_of_group(killed.emulator_pid) == []

    started = environment.up("test", root=sample_project)
    try:
        assert started.client("dynamodb").list_tables()["TableNames"] == [started.outputs["table"]]
    finally:
        environment.down("test", root=sample_project)


def test_kept_state_survives_a_restart(sample_project: Path) -> None:
    first = environment.up("test", root=sample_project, keep_state=True)
    first.client("dynamodb").put_item(TableName=first.outputs["table"], Item={"id": {"S": "a"}})
    environment.down("test", root=sample_project)
    second = environment.up("test", root=sample_project, keep_state=True)
    try:
        assert second.outputs == first.outputs
        item = second.client("dynamodb").get_item(TableName=second.outputs["table"], Key={"id": {"S": "a"}})
        assert item["Item"] == {"id": {"S": "a"}}
    finally:
        environment.down("test", root=sample_project)


def test_failures_of_the_start_are_typed_and_leave_no_process(sample_project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} "):
            environment.up("test", root=sample_project, port=port)
    (sample_project / "__main__.py").write_text("raise ValueError('tick size: must be above 0')\n")
    with pytest.raises(DeployFailed) as failure:
        environment.up("test", root=sample_project)
    assert "ValueError: tick size: must be above 0" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert environment.find("test", root=sample_project) is None


def test_in_the_foreground_ctrl_c_ends_it(sample_project: Path) -> None:
    command = [sys.executable, "-m", "local.supervisor", "--stack", "test", "--root", str(sample_project)]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + _PATIENCE_S
        while (running := environment.find("test", root=sample_project)) is None:
            assert time.monotonic() < deadline, "the environment was not ready"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE_S) == 0
    assert _members_of_group(running.emulator_pid) == []
    assert not (sample_project / ".local" / "test" / "state.json").exists(), "every resource has been deleted"


def test_down_ends_an_environment_that_is_still_starting(sample_project: Path) -> None:
    (sample_project / "__main__.py").write_text("import time\ntime.sleep(60)\n")
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(environment.up, "test", root=sample_project)
        log = sample_project / ".local" / "test" / "emulator.log"
        deadline = time.monotonic() + _PATIENCE_S
        while not log.exists():
            assert time.monotonic() < deadline, "the emulator was not started"
            time.sleep(0.02)
        environment.down("test", root=sample_project)
        with pytest.raises(DeployFailed, match="ended during its start"):
            starting.result()


def _configure(root: Path, line: str) -> None:
    (root / "Pulumi.test.yaml").write_text(f"config:\n  aws:region: us-east-1\n  {line}\n")


def _wait_until_gone(running: RunningEnvironment) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while alive(running.pid) or alive(running.emulator_pid) or _members_of_group(running.emulator_pid):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.02)


def _members_of_group(group: int) -> list[int]:
    members: list[int] = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a folder of the kernel
        if entry.isdigit() and alive(int(entry)):
            try:
                if os.getpgid(int(entry)) == group:
                    members.append(int(entry))
            except ProcessLookupError:
                continue
    return members
