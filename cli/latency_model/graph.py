"""The resources of a deployed stack, as `pulumi stack export` and the local deployer's state file give them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SECRET = "4dabf18193072939515e22adb298388d"
"""Key that marks a secret in an export: Pulumi, `sdk/go/common/resource/sig.go`."""


class UnusableExportError(Exception):
    """A document is no export of a stack's resources."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One deployed resource.

    Attributes
    ----------
    urn, type, id
        Pulumi's identity, its type token, and the provider's identifier.
    properties
        What the provider says of it, under the provider's camelCase names; inputs where it says nothing.
    """

    urn: str
    type: str
    id: str
    properties: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def text(self, name: str) -> str:
        """Return a property as text, empty if there is none."""
        value = self.properties.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """Return a property as a whole number, 0 if there is none; JSON from the engine's side has only floats."""
        return int(float(self.properties.get(name) or 0))

    def is_off(self, name: str) -> bool:
        """Tell whether a property is false, not just absent."""
        return self.properties.get(name) is False

    def inner(self, name: str) -> Mapping[str, Any]:
        """Return a property that is an object, empty if there is none."""
        value = self.properties.get(name)
        return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


class DeployedGraph:
    """Resources, and the edges between them: one resource's output is another one's input.

    Parameters
    ----------
    resources
        Of one stack.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_type: defaultdict[str, list[Resource]] = defaultdict(list)
        for resource in resources:
            self._by_type[resource.type].append(resource)

    def of_type(self, type_: str) -> list[Resource]:
        """Return all resources of a type, such as ``aws:kinesis/stream:Stream``."""
        return self._by_type[type_]

    def find(self, type_: str, **properties: str) -> Resource | None:
        """Return the first resource of a type with these texts as properties, None if there is none."""
        return next(self.find_all(type_, **properties), None)

    def find_all(self, type_: str, **properties: str) -> Iterator[Resource]:
        """Yield every resource of a type with these texts as properties; ``id`` is the provider's identifier."""
        for resource in self._by_type[type_]:
            if all(
                value and value == (resource.id if name == "id" else resource.text(name))
                for name, value in properties.items()
            ):
                yield resource

    def may(self, role_arn: str, action: str, resource_arn: str) -> bool:
        """Tell whether an inline policy of a role allows an action on exactly this resource."""
        role = self.find("aws:iam/role:Role", arn=role_arn)
        if role is None:
            return False
        for policy in self._by_type["aws:iam/rolePolicy:RolePolicy"]:
            if policy.text("role") == role.text("name"):
                for statement in _statements(policy.text("policy")):
                    if (
                        statement.get("Effect") == "Allow"
                        and action in _listed(statement.get("Action"))
                        and resource_arn in _listed(statement.get("Resource"))
                    ):
                        return True
        return False


def read_export(document: Any) -> DeployedGraph:
    """Read the JSON of ``pulumi stack export``, or of the local deployer's state file.

    Parameters
    ----------
    document
        ``{"deployment": {"resources": [{"urn", "type", "id", "inputs", "outputs", …}]}}``. Replaced resources that
        wait for their deletion are left out.

    Raises
    ------
    UnusableExportError
        It has another form, or holds no resources.
    """
    try:
        entries = document["deployment"]["resources"]
        resources = [_resource(entry) for entry in entries if not entry.get("delete")]
    except (KeyError, TypeError, AttributeError) as error:
        raise UnusableExportError("not the JSON of `pulumi stack export`: no deployment.resources in it") from error
    if not resources:
        raise UnusableExportError("the export holds no resources: the stack is not deployed")
    return DeployedGraph(resources)


def _resource(entry: Mapping[str, Any]) -> Resource:
    inputs: dict[str, Any] = entry.get("inputs") or {}
    outputs: dict[str, Any] = entry.get("outputs") or {}
    return Resource(
        urn=entry["urn"],
        type=entry["type"],
        id=entry.get("id", ""),
        properties={name: _revealed(value) for name, value in (inputs | outputs).items()},
    )


def _revealed(value: Any) -> Any:
    """Open secrets that were exported in plain text; ciphertext stays what it is and matches nothing."""
    if isinstance(value, list):
        return [_revealed(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if _SECRET in fields:
            return json.loads(fields["plaintext"]) if "plaintext" in fields else None
        return {name: _revealed(item) for name, item in fields.items()}
    return value


def _statements(policy: str) -> list[Mapping[str, Any]]:
    try:
        document: Any = json.loads(policy)
        return [statement for statement in _listed(document["Statement"]) if isinstance(statement, dict)]
    except (ValueError, KeyError, TypeError):
        return []  # encrypted in the export, or the provider refused it


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
