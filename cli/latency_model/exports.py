"""Where a deployed graph comes from: the local deployer's state, a Pulumi stack, or a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.environments import LOCAL, ask_pulumi
from cli.failures import EnvironmentUnavailableError, UnusableCommandError
from cli.latency_model.graph import UnusableExportError, read_export
from local.environment import LocalEnvironment

if TYPE_CHECKING:
    from pathlib import Path

    from cli.latency_model.graph import DeployedGraph


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
    text = _local_state() if name == LOCAL else ask_pulumi(name, "export")
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
