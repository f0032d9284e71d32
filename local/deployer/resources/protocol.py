"""What the reconciler needs to know about an AWS resource type, and how it makes one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.deployer.aws import Aws
    from local.deployer.state import Properties


@dataclass(frozen=True)
class Naming:
    """How a physical name is made from the logical one: `{logical}-{7 hex digits}`, cut to the type's limit.

    Attributes
    ----------
    property
        Input property that holds the name.
    max_length
        AWS's limit in characters.
    fifo_property
        Boolean property that, when true, makes AWS demand the suffix `.fifo`; empty if the type has none.
    is_id
        Whether the name finds the resource; False where AWS gives it an id of its own.
    """

    property: str = "name"
    max_length: int = 255
    fifo_property: str = ""
    is_id: bool = True

    def physical_name(self, logical: str, token: str, inputs: Mapping[str, Any]) -> str:
        """Name for a new resource; `token` is seven hex digits."""
        suffix = f"-{token}" + (".fifo" if self.fifo_property and inputs.get(self.fifo_property) else "")
        return logical[: self.max_length - len(suffix)] + suffix


@dataclass(frozen=True)
class Created:
    """A resource that exists: the provider's identifier and the properties computed by AWS."""

    id: str
    outputs: Properties


@dataclass(frozen=True)
class Existing:
    """A resource as the state file remembers it. Assets in `inputs` are `{"hash": …}`."""

    id: str
    inputs: Properties
    outputs: Properties


class ResourceType(ABC):
    """One Pulumi resource type.

    Attributes
    ----------
    token
        Pulumi's type token.
    mapped
        Input properties that take effect in the emulator. `tags` here makes the reconciler add `tagsAll` (provider's
        default tags and own ones), which is what the methods read.
    ignored
        Input properties that are accepted without effect, each with the reason.
    replace_on
        Input properties whose change needs a new resource, as in the AWS provider.
    naming
        How to name a resource that the program leaves unnamed; None for types without a physical name.
    delete_before_replace
        A replacement cannot exist beside its predecessor.
    """

    token: ClassVar[str]
    mapped: ClassVar[frozenset[str]]
    ignored: ClassVar[Mapping[str, str]] = {}
    replace_on: ClassVar[frozenset[str]] = frozenset()
    naming: ClassVar[Naming | None] = None
    delete_before_replace: ClassVar[bool] = False

    @abstractmethod
    def create(self, aws: Aws, inputs: Properties) -> Created:
        """Make the resource. Archives and assets in `inputs` are `archives.Content`."""

    @abstractmethod
    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        """Bring the resource to `inputs`, of which `changed` differ, and return all computed properties. May be
        repeated after a failure.
        """

    @abstractmethod
    def delete(self, aws: Aws, existing: Existing) -> None:
        """Delete the resource; AWS's "does not exist" may escape, the reconciler takes it as done."""

    def unlock(self, aws: Aws, existing: Existing) -> None:  # noqa: B027 - most types have no such protection
        """Remove AWS's own deletion protection before the whole stack is destroyed."""

    def listing(self, aws: Aws) -> set[str] | None:
        """Ids of all resources of this type in the emulator; None for types that vanish with another or exist in
        the state file only.
        """
        return None


@dataclass(frozen=True)
class TagChange:
    """Difference between two sets of tags."""

    removed: list[str]
    added: dict[str, str]

    @property
    def added_list(self) -> list[dict[str, str]]:
        """The added tags in the list form of many AWS calls."""
        return tag_list(self.added)


def tag_change(existing: Existing, inputs: Properties) -> TagChange:
    """Tags to remove and to set so that `inputs` hold."""
    old: dict[str, str] = existing.inputs.get("tagsAll", {})
    new: dict[str, str] = inputs.get("tagsAll", {})
    return TagChange(
        removed=[key for key in old if key not in new],
        added={key: value for key, value in new.items() if old.get(key) != value},
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as `[{"Key": …, "Value": …}]`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def without(inputs: Properties, *properties: str) -> Properties:
    """A copy of the inputs without some properties, and without tags and the deployer's own bookkeeping."""
    left_out = {"tags", "tagsAll", "region", "__defaults", *properties}
    return {key: value for key, value in inputs.items() if key not in left_out}
