"""The state file of a stack: which resources exist in the emulator, in the shape of a Pulumi stack export."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Properties = dict[str, Any]


@dataclass
class ResourceState:
    """One resource as the last deployment left it.

    Attributes
    ----------
    urn, type, id, parent
        Pulumi's identity of the resource; `id` is the provider's identifier, empty for components and for a creation
        that never finished.
    custom
        False for components.
    inputs
        Input properties in the provider's camelCase; an asset is `{"hash": …}`. `__defaults` lists the properties the
        deployer chose (names).
    outputs
        Inputs and computed properties.
    dependencies
        URNs that had to exist first.
    protect, retain_on_delete
        The resource options of these names.
    delete
        The resource has been replaced and waits for its deletion.
    """

    urn: str
    type: str
    id: str
    custom: bool
    parent: str
    inputs: Properties
    outputs: Properties = field(default_factory=dict[str, Any])
    dependencies: list[str] = field(default_factory=list[str])
    protect: bool = False
    retain_on_delete: bool = False
    delete: bool = False

    @property
    def name(self) -> str:
        """Logical name: the last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass
class StackState:
    """All resources of a stack in the order they were registered, which is an order of dependence.

    Attributes
    ----------
    endpoint
        URL of the emulator the outputs were read from.
    resources
        Live resources, and replaced ones that wait for deletion.
    creating
        Resources whose creation was begun and not seen to succeed; `id` is empty. AWS may or may not have them.
    outputs
        The program's exports.
    """

    endpoint: str = ""
    resources: list[ResourceState] = field(default_factory=list[ResourceState])
    creating: list[ResourceState] = field(default_factory=list[ResourceState])
    outputs: Properties = field(default_factory=dict[str, Any])


_OPTIONAL = {"protect": "protect", "retainOnDelete": "retain_on_delete", "delete": "delete"}


def read_state(path: Path) -> StackState:
    """Read a state file; a missing file is an empty stack."""
    if not path.exists():
        return StackState()
    document = json.loads(path.read_text(encoding="utf-8"))
    deployment = document["deployment"]
    return StackState(
        endpoint=document.get("endpoint", ""),
        resources=[_resource(entry) for entry in deployment["resources"]],
        creating=[_resource(operation["resource"]) for operation in deployment.get("pending_operations", [])],
        outputs=document.get("stackOutputs", {}),
    )


def write_state(path: Path, state: StackState) -> None:
    """Replace a state file in one step, so that a reader or a crash sees the old or the new one."""
    document = {
        "version": 3,
        "endpoint": state.endpoint,
        "stackOutputs": state.outputs,
        "deployment": {
            "resources": [_entry(resource) for resource in state.resources],
            "pending_operations": [{"resource": _entry(resource), "type": "creating"} for resource in state.creating],
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document), encoding="utf-8")
    partial.replace(path)


def _resource(entry: dict[str, Any]) -> ResourceState:
    return ResourceState(
        urn=entry["urn"],
        type=entry["type"],
        id=entry["id"],
        custom=entry["custom"],
        parent=entry["parent"],
        inputs=entry["inputs"],
        outputs=entry["outputs"],
        dependencies=entry["dependencies"],
        **{attribute: entry.get(key, False) for key, attribute in _OPTIONAL.items()},
    )


def _entry(resource: ResourceState) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "urn": resource.urn,
        "type": resource.type,
        "id": resource.id,
        "custom": resource.custom,
        "parent": resource.parent,
        "inputs": resource.inputs,
        "outputs": resource.outputs,
        "dependencies": resource.dependencies,
    }
    entry.update({key: True for key, attribute in _OPTIONAL.items() if getattr(resource, attribute)})
    return entry
