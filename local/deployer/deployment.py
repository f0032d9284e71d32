"""`up` and `down` of one stack in the emulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.deployer.monitor import DeploymentMonitor
from local.deployer.program import run_program
from local.deployer.reconcile import Reconciler
from local.deployer.resources import RESOURCE_TYPES
from local.deployer.state import Properties, StackState, read_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.deployer.aws import Aws
    from local.deployer.project import Project
    from local.deployer.resources.protocol import ResourceType


@dataclass(frozen=True)
class DeployResult:
    """What a deployment did.

    Attributes
    ----------
    outputs
        The program's exports.
    changes
        Number of resources `created`, `updated`, `replaced`, `deleted`, `unchanged` (keys are absent for none).
    calls
        AWS calls made, by `service:Operation`.
    remaining
        After `down`: resources still in the emulator, as `type id`.
    """

    outputs: Properties = field(default_factory=dict[str, Any])
    changes: dict[str, int] = field(default_factory=dict[str, int])
    calls: dict[str, int] = field(default_factory=dict[str, int])
    remaining: list[str] = field(default_factory=list[str])


def up(
    project: Project,
    aws: Aws,
    state_path: Path,
    *,
    refresh: bool = False,
    types: Mapping[str, ResourceType] = RESOURCE_TYPES,
) -> DeployResult:
    """Bring the emulator to what the program says.

    Parameters
    ----------
    project
        The program and the stack's configuration.
    aws
        The emulator.
    state_path
        The stack's state file; written after every resource.
    refresh
        Look first which of the state's resources the emulator still has (it may have been restarted without them).
    types
        Known resource types by token.

    Raises
    ------
    DeployError
        The deployment stopped. The state file tells how far it came; the next `up` goes on from there.
    """
    state = read_state(state_path)
    _move_endpoint(state, aws.endpoint_url)
    reconciler = Reconciler(aws, types, state, state_path, project.default_tags)
    if refresh:
        reconciler.forget_vanished()
    monitor = DeploymentMonitor(project, aws, reconciler)
    run_program(project, monitor)
    reconciler.finish(monitor.outputs)
    return DeployResult(monitor.outputs, dict(reconciler.changes), dict(aws.calls))


def down(aws: Aws, state_path: Path, *, types: Mapping[str, ResourceType] = RESOURCE_TYPES) -> DeployResult:
    """Delete every resource of the stack, list what is left in the emulator, and remove the state file.

    Raises
    ------
    DeployError
        A deletion failed; the state file holds what is left.
    """
    state = read_state(state_path)
    _move_endpoint(state, aws.endpoint_url)
    reconciler = Reconciler(aws, types, state, state_path)
    reconciler.destroy()
    remaining = sorted(f"{token} {name}" for token, kind in types.items() for name in kind.listing(aws) or ())
    state_path.unlink(missing_ok=True)
    return DeployResult({}, dict(reconciler.changes), dict(aws.calls), remaining)


def _move_endpoint(state: StackState, endpoint_url: str) -> None:
    """An emulator that came back on another port answers under new URLs: rewrite them, and dependants see changed
    inputs.
    """
    old, new = (url.removeprefix("http://") for url in (state.endpoint, endpoint_url))
    if not old or old == new:
        return
    for resource in state.resources:
        resource.id = resource.id.replace(old, new)
        resource.outputs = _rewritten(resource.outputs, old, new)
    state.endpoint = endpoint_url


def _rewritten(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _rewritten(element, old, new) for key, element in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_rewritten(element, old, new) for element in value]  # pyright: ignore[reportUnknownVariableType]
    return value
