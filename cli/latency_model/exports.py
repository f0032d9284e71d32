"""Where a deployed graph comes from: the local deployer's state, a Pulumi stack, or a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.environments import LOCAL
from cli.failures import EnvironmentUnavailableError, UnusableCommandError
from cli.latency_model.graph import UnusableExportError, read_export
from local.environment import LocalEnvironment

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph

_PROJECT = Path(__file__).resolve().parents[2]
_PULUMI_LIMIT_S = 120


def graph_of_environment(name: str) -> DeployedGraph:
    """Read what is deployed in an environment.

    Parameters
    ----------
    name
        ``local``, or the name of a Pulumi stack.

    Raises
    ------
    EnvironmentUnavailableError
        It does not run, is not deployed, or cannot be asked for.
    """
    text = _local_state() if name == LOCAL else _stack_export(name)
    try:
        return read_export(json.loads(text))
    except (ValueError, UnusableExportError) as error:
        raise EnvironmentUnavailableError(f"environment {name}: {error}") from error


def graph_of_file(path: Path) -> DeployedGraph:
    """Read a file that ``pulumi stack export`` wrote.

    Raises
    ------
    UnusableCommandError
        It holds something else, or cannot be read.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        return read_export(document)
    except (OSError, ValueError, UnusableExportError) as error:
        raise UnusableCommandError(f"--export {path}: {error}") from error


def _local_state() -> str:
    environment = LocalEnvironment(LOCAL)
    running = environment.find()
    if running is None:
        raise EnvironmentUnavailableError("the local environment is not running: start it with `market up`")
    return environment.state(keep_state=running.keep_state).read_text(encoding="utf-8")


def _stack_export(stack: str) -> str:
    command = ["pulumi", "stack", "export", "--stack", stack]
    try:
        asked = subprocess.run(
            command,
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            timeout=_PULUMI_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise EnvironmentUnavailableError(
            f"environment {stack} is read with the Pulumi command line, which is not installed (no `pulumi` on PATH); "
            "--export reads a file that `pulumi stack export` wrote elsewhere"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentUnavailableError(
            f"environment {stack}: pulumi gave no answer in {_PULUMI_LIMIT_S} s"
        ) from error
    if asked.returncode != 0:
        reasons = [line for line in asked.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise EnvironmentUnavailableError(
            f"environment {stack}: pulumi says: {reasons[-1].strip().removeprefix('error: ')}"
        )
    return asked.stdout
