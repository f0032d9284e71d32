"""The local environment as others see it: start it, find it, stop it.

The environment is a supervisor process (`local.supervisor`) with the emulator as its child.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from local.emulator import PortTaken
from local.environment_files import (
    PROJECT_ROOT,
    DeployFailed,
    EnvironmentBusy,
    EnvironmentNotRunning,
    LocalEnvironment,
    RunningEnvironment,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PROJECT_ROOT",
    "DeployFailed",
    "EnvironmentBusy",
    "EnvironmentNotRunning",
    "LocalEnvironment",
    "PortTaken",
    "RunningEnvironment",
    "down",
    "find",
    "up",
]

_UP_TIMEOUT_S = 180.0
_DOWN_TIMEOUT_S = 90.0
_POLL_S = 0.05


def up(
    stack: str,
    *,
    port: int | None = None,
    keep_state: bool = False,
    root: Path = PROJECT_ROOT,
    folder: Path | None = None,
) -> RunningEnvironment:
    """Start an environment in the background, or bring a running one to what the program says now.

    Parameters
    ----------
    stack
        Name of the stack.
    port
        Port on 127.0.0.1; chosen freely by default.
    keep_state
        Go on with the data of the last run that kept its state, and keep it again.
    root, folder
        See `LocalEnvironment`.

    Raises
    ------
    PortTaken
        Another process listens on the port.
    EnvironmentBusy
        The environment already runs on another port or with the other choice of `keep_state`.
    DeployFailed
        It could not be brought up; details are in `supervisor.log`.
    """
    environment = LocalEnvironment(stack, root, folder)
    if environment.held:
        return _redeploy(environment, port, keep_state=keep_state)
    environment.folder.mkdir(parents=True, exist_ok=True)
    environment.description.unlink(missing_ok=True)
    environment.failure.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "local.supervisor",
        "--stack",
        stack,
        "--root",
        str(environment.root),
        "--folder",
        str(environment.folder),
    ]
    command += ["--port", str(port)] if port is not None else []
    command += ["--keep-state"] if keep_state else []
    with environment.log.open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=PROJECT_ROOT
        )
    try:
        return _wait_until_ready(environment, process)
    except BaseException:
        if process.poll() is None:
            process.terminate()
            process.wait(_DOWN_TIMEOUT_S)
        raise


def down(stack: str, *, root: Path = PROJECT_ROOT, folder: Path | None = None) -> None:
    """Stop a running environment. Without kept state, every resource is deleted first.

    Raises
    ------
    EnvironmentNotRunning
        There is none.
    DeployFailed
        It is stopped, but a resource could not be deleted or was left over, or a function was refused a call for want
        of a grant.
    """
    environment = LocalEnvironment(stack, root, folder)
    if not environment.held:
        environment.description.unlink(missing_ok=True)
        raise EnvironmentNotRunning(stack)
    pid = environment.supervisor_pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_TIMEOUT_S
    while environment.held:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            raise DeployFailed(
                f"the {stack} environment did not stop within {_DOWN_TIMEOUT_S:g} s and was killed; "
                f"see {environment.log}"
            )
        time.sleep(_POLL_S)
    environment.description.unlink(missing_ok=True)
    if (failure := environment.take_failure()) is not None:
        raise failure


def find(stack: str, *, root: Path = PROJECT_ROOT, folder: Path | None = None) -> RunningEnvironment | None:
    """The running environment of a stack, or None."""
    return LocalEnvironment(stack, root, folder).find()


def _redeploy(environment: LocalEnvironment, port: int | None, *, keep_state: bool) -> RunningEnvironment:
    running = _wait_until_ready(environment, None)
    if port not in (None, running.port):
        raise EnvironmentBusy(
            f"the {environment.stack} environment already runs on port {running.port}, not on {port}; stop it first"
        )
    if keep_state != running.keep_state:
        kept = "keeps" if running.keep_state else "does not keep"
        raise EnvironmentBusy(f"the {environment.stack} environment already runs and {kept} its state; stop it first")
    environment.failure.unlink(missing_ok=True)
    os.kill(running.pid, signal.SIGHUP)
    deadline = time.monotonic() + _UP_TIMEOUT_S
    while time.monotonic() < deadline:
        now = environment.find()
        if now is None:
            raise environment.take_failure() or DeployFailed(
                f"the environment ended during the deployment; see {environment.log}"
            )
        if now.deployments > running.deployments:
            if (failure := environment.take_failure()) is not None:
                raise failure
            return now
        time.sleep(_POLL_S)
    raise DeployFailed(f"the deployment took longer than {_UP_TIMEOUT_S:g} s; see {environment.log}")


def _wait_until_ready(environment: LocalEnvironment, process: subprocess.Popen[bytes] | None) -> RunningEnvironment:
    deadline = time.monotonic() + _UP_TIMEOUT_S
    while time.monotonic() < deadline:
        running = environment.find()
        if running is not None and (process is None or running.pid == process.pid):
            return running
        ended = process.poll() is not None if process is not None else not environment.held
        if ended:
            raise environment.take_failure() or DeployFailed(
                f"the environment ended during its start; see {environment.log}"
            )
        time.sleep(_POLL_S)
    raise DeployFailed(f"the environment was not ready within {_UP_TIMEOUT_S:g} s; see {environment.log}")
