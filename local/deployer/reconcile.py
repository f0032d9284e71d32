"""Brings the emulator to what a program registers, one resource at a time, and keeps the state file true at every
step.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from local.deployer.archives import Content, content_of
from local.deployer.errors import DeployError, ProtectedResourceError, UnknownPropertyError, UnknownResourceTypeError
from local.deployer.resources.protocol import Existing
from local.deployer.state import Properties, ResourceState, StackState, write_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.deployer.aws import Aws
    from local.deployer.resources.protocol import ResourceType

_log = logging.getLogger(__name__)

_DEFAULTS = "__defaults"
_AWS_PROVIDER = "pulumi:providers:aws"
_ABSENT = {
    "ResourceNotFoundException",
    "NotFoundException",
    "NotFound",
    "NoSuchEntity",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFound",
}


@dataclass(frozen=True)
class Registration:
    """One `RegisterResource` call of a program, options included."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: Properties
    dependencies: list[str] = field(default_factory=list[str])
    provider: str = ""
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    ignore_changes: list[str] = field(default_factory=list[str])
    replace_on_changes: list[str] = field(default_factory=list[str])
    aliases: list[str] = field(default_factory=list[str])


class Reconciler:
    """The difference between a program and the emulator, applied while the program runs.

    Parameters
    ----------
    aws
        The emulator.
    types
        Known resource types by token.
    state
        The stack as it was; changed in place.
    state_path
        Where to write it after each step.
    default_tags
        Tags of the default AWS provider.
    """

    def __init__(
        self,
        aws: Aws,
        types: Mapping[str, ResourceType],
        state: StackState,
        state_path: Path,
        default_tags: Mapping[str, str] | None = None,
    ) -> None:
        self._aws = aws
        self._types = types
        self._state = state
        self._path = state_path
        self._previous = list(state.resources)
        self._creating = {resource.urn: resource for resource in state.creating}
        self._done: dict[str, ResourceState] = {}
        self._provider_tags: dict[str, dict[str, str]] = {"": dict(default_tags or {})}
        self._lock = threading.Lock()
        self.changes: Counter[str] = Counter()

    def register(self, registration: Registration) -> ResourceState:
        """Make one resource so. Serialised: a program's registrations come from several threads.

        Raises
        ------
        DeployError
            The type or a property is unknown, the resource is protected against a replacement, or AWS refuses.
        """
        with self._lock:
            if registration.urn in self._done:
                raise DeployError(f"resource '{registration.name}' ({registration.type}) is registered twice")
            old = self._take_previous(registration)
            if not registration.custom or registration.type == _AWS_PROVIDER:
                return self._pass_through(registration)
            resource_type = self._types.get(registration.type)
            if resource_type is None:
                raise UnknownResourceTypeError(registration.type, registration.name)
            try:
                return self._apply(resource_type, registration, old)
            except (DeployError, ClientError, BotoCoreError) as error:
                raise _named(error, registration.name, registration.type) from error

    def record_outputs(self, urn: str, outputs: Properties) -> None:
        """Remember the outputs of a component."""
        with self._lock:
            if urn in self._done:
                self._done[urn].outputs = outputs

    def finish(self, outputs: Properties) -> None:
        """The program is complete: delete what it no longer has, and what has been replaced, dependants first.

        Raises
        ------
        DeployError
            A resource is protected, or AWS refuses a deletion. What is left stays in the state file.
        """
        with self._lock:
            self._state.outputs = outputs
            for resource in self._previous:
                if resource.protect:
                    raise ProtectedResourceError(resource.type, resource.name, "deleted")
            self._abandon_all()
            for resource in reversed(self._previous.copy()):
                if resource.retain_on_delete:
                    self._forget(resource)
                else:
                    self._delete(resource)
            self._save()

    def destroy(self) -> None:
        """Delete every resource of the stack, protected ones too: destroying an environment on one's own machine is
        always meant.
        """
        with self._lock:
            self._abandon_all()
            for resource in reversed(self._previous.copy()):
                resource_type = self._types.get(resource.type)
                if resource_type is not None and resource.custom:
                    self._attempt(resource, lambda t=resource_type, r=resource: t.unlock(self._aws, _existing(r)))
                self._delete(resource)
            self._state.outputs = {}
            self._save()

    def forget_vanished(self) -> None:
        """Drop resources the emulator no longer has, so that the program's next registration makes them again."""
        listings = {token: resource_type.listing(self._aws) for token, resource_type in self._types.items()}
        for resource in self._previous.copy():
            known = listings.get(resource.type)
            if resource.custom and known is not None and resource.id not in known:
                _log.info("vanished %s %s", resource.type, resource.name)
                self._forget(resource)

    def _take_previous(self, registration: Registration) -> ResourceState | None:
        for urn in (registration.urn, *registration.aliases):
            for resource in self._previous:
                if resource.urn == urn and not resource.delete:
                    return resource
        return None

    def _pass_through(self, registration: Registration) -> ResourceState:
        resource = ResourceState(
            urn=registration.urn,
            type=registration.type,
            id=registration.name if registration.custom else "",
            custom=registration.custom,
            parent=registration.parent,
            inputs=registration.inputs if registration.custom else {},
            dependencies=registration.dependencies,
        )
        if registration.custom:
            region = registration.inputs.get("region", self._aws.region)
            if region != self._aws.region:
                raise DeployError(
                    f"provider '{registration.name}': the emulator runs in {self._aws.region}, not in {region}"
                )
            tags = registration.inputs.get("defaultTags", {})
            document = json.loads(tags) if isinstance(tags, str) else tags
            self._provider_tags[f"{resource.urn}::{resource.id}"] = document.get("tags", {})
        self._move_on(registration, resource)
        return resource

    def _apply(
        self, resource_type: ResourceType, registration: Registration, old: ResourceState | None
    ) -> ResourceState:
        inputs = self._checked(resource_type, registration)
        unfinished = self._creating.get(registration.urn)
        if unfinished is not None:
            self._abandon(unfinished)
        if old is None:
            return self._create(resource_type, registration, self._named_anew(resource_type, registration, inputs))
        inputs = _with_name(resource_type, inputs, old.inputs)
        for path in registration.ignore_changes:
            top = path.split(".")[0].split("[")[0]
            inputs.pop(top, None)
            if top in old.inputs:
                inputs[top] = old.inputs[top]
        inputs = self._named_anew(resource_type, registration, inputs)
        changed = _changed(old.inputs, _recorded(inputs))
        if not changed:
            return self._keep(registration, old)
        if changed & (resource_type.replace_on | {path.split(".")[0] for path in registration.replace_on_changes}):
            return self._replace(resource_type, registration, inputs, old)
        outputs = resource_type.update(self._aws, _existing(old), inputs, changed)
        self.changes["updated"] += 1
        _log.info("updated %s %s (%s)", registration.type, registration.name, ", ".join(sorted(changed)))
        resource = self._new_state(registration, inputs, old.id, outputs)
        self._settle(registration, resource)
        return resource

    def _keep(self, registration: Registration, old: ResourceState) -> ResourceState:
        resource = replace(
            old,
            urn=registration.urn,
            parent=registration.parent,
            dependencies=registration.dependencies,
            protect=registration.protect,
            retain_on_delete=registration.retain_on_delete,
        )
        self.changes["unchanged"] += 1
        # Nothing to save: the state file already says so.
        self._move_on(registration, resource)
        return resource

    def _create(self, resource_type: ResourceType, registration: Registration, inputs: Properties) -> ResourceState:
        # Written first: should the call fail half-way or this process die in it, the next deployment clears up.
        self._creating[registration.urn] = self._new_state(registration, inputs, "", {})
        self._save()
        created = resource_type.create(self._aws, inputs)
        del self._creating[registration.urn]
        self.changes["created"] += 1
        _log.info("created %s %s", registration.type, registration.name)
        resource = self._new_state(registration, inputs, created.id, created.outputs)
        self._settle(registration, resource)
        return resource

    def _replace(
        self, resource_type: ResourceType, registration: Registration, inputs: Properties, old: ResourceState
    ) -> ResourceState:
        if old.protect:
            raise ProtectedResourceError(registration.type, registration.name, "replaced")
        naming = resource_type.naming
        same_name = naming is not None and old.inputs.get(naming.property) == inputs.get(naming.property)
        if naming is not None and naming.property in inputs.get(_DEFAULTS, []):
            unnamed = {key: value for key, value in inputs.items() if key not in (naming.property, _DEFAULTS)}
            inputs = self._named_anew(resource_type, registration, unnamed)
            same_name = False
        first_delete = same_name or registration.delete_before_replace or resource_type.delete_before_replace
        if first_delete:
            self._delete(old)
        created = self._create(resource_type, registration, inputs)
        if not first_delete:
            # Only now: had the creation failed, the old one would still be the resource.
            old.delete = True
            self._previous.append(old)
            self._save()
        self.changes["replaced"] += 1
        return created

    def _abandon_all(self) -> None:
        for unfinished in list(self._creating.values()):
            self._abandon(unfinished)

    def _abandon(self, unfinished: ResourceState) -> None:
        """Clear away what an unfinished creation may have made. Without a name that is the id, nothing can be found."""
        resource_type = self._types.get(unfinished.type)
        naming = resource_type.naming if resource_type is not None else None
        if resource_type is not None and naming is not None and naming.is_id:
            guess = replace(unfinished, id=str(unfinished.inputs[naming.property]))
            self._attempt(guess, lambda: resource_type.delete(self._aws, _existing(guess)))
        del self._creating[unfinished.urn]
        self._save()

    def _delete(self, resource: ResourceState) -> None:
        if resource.custom and resource.type != _AWS_PROVIDER:
            resource_type = self._types.get(resource.type)
            if resource_type is None:
                raise UnknownResourceTypeError(resource.type, resource.name)
            self._attempt(resource, lambda: resource_type.delete(self._aws, _existing(resource)))
            self.changes["deleted"] += 1
            _log.info("deleted %s %s", resource.type, resource.name)
        self._forget(resource)

    def _attempt(self, resource: ResourceState, action: Any) -> None:
        try:
            action()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _ABSENT:
                raise _named(error, resource.name, resource.type) from error
        except BotoCoreError as error:
            raise _named(error, resource.name, resource.type) from error

    def _forget(self, resource: ResourceState) -> None:
        self._previous = [other for other in self._previous if other is not resource]
        self._save()

    def _settle(self, registration: Registration, resource: ResourceState) -> None:
        self._move_on(registration, resource)
        self._save()

    def _move_on(self, registration: Registration, resource: ResourceState) -> None:
        """The registration is done: its predecessor, unless it waits for deletion, is no more."""
        known = {registration.urn, *registration.aliases}
        self._previous = [old for old in self._previous if old.delete or old.urn not in known]
        self._done[registration.urn] = resource

    def _save(self) -> None:
        self._state.endpoint = self._aws.endpoint_url
        self._state.resources = [*self._done.values(), *self._previous]
        self._state.creating = list(self._creating.values())
        write_state(self._path, self._state)

    def _checked(self, resource_type: ResourceType, registration: Registration) -> Properties:
        allowed = resource_type.mapped | resource_type.ignored.keys() | {"region"}
        unknown = sorted(key for key in registration.inputs if key not in allowed)
        if unknown:
            raise UnknownPropertyError(registration.type, registration.name, unknown)
        region = registration.inputs.get("region", self._aws.region)
        if region != self._aws.region:
            raise DeployError(f"the emulator runs in {self._aws.region}, not in {region}")
        inputs = {key: _with_content(value) for key, value in registration.inputs.items()}
        if "tags" in resource_type.mapped:
            defaults = self._provider_tags.get(registration.provider, self._provider_tags[""])
            inputs["tagsAll"] = {**defaults, **inputs.get("tags", {})}
        return inputs

    def _named_anew(self, resource_type: ResourceType, registration: Registration, inputs: Properties) -> Properties:
        naming = resource_type.naming
        if naming is None or naming.property in inputs:
            return inputs
        name = naming.physical_name(registration.name, secrets.token_hex(4)[:7], inputs)
        return {**inputs, naming.property: name, _DEFAULTS: [naming.property]}

    def _new_state(
        self, registration: Registration, inputs: Properties, identifier: str, outputs: Properties
    ) -> ResourceState:
        recorded = _recorded(inputs)
        return ResourceState(
            urn=registration.urn,
            type=registration.type,
            id=identifier,
            custom=True,
            parent=registration.parent,
            inputs=recorded,
            outputs={**{key: value for key, value in recorded.items() if key != _DEFAULTS}, **outputs},
            dependencies=registration.dependencies,
            protect=registration.protect,
            retain_on_delete=registration.retain_on_delete,
        )


def _existing(resource: ResourceState) -> Existing:
    return Existing(resource.id, resource.inputs, resource.outputs)


def _with_name(resource_type: ResourceType, inputs: Properties, old: Properties) -> Properties:
    """Keep the name the deployer chose earlier while the program still leaves it open."""
    naming = resource_type.naming
    if naming is None or naming.property in inputs or naming.property not in old.get(_DEFAULTS, []):
        return inputs
    return {**inputs, naming.property: old[naming.property], _DEFAULTS: [naming.property]}


def _with_content(value: Any) -> Any:
    if isinstance(value, (pulumi.Asset, pulumi.Archive)):
        return content_of(value)
    if isinstance(value, dict):
        return {key: _with_content(element) for key, element in cast("Properties", value).items()}
    if isinstance(value, list):
        return [_with_content(element) for element in cast("list[Any]", value)]
    return value


def _recorded(value: Any) -> Any:
    if isinstance(value, Content):
        return {"hash": value.sha256}
    if isinstance(value, dict):
        return {key: _recorded(element) for key, element in cast("Properties", value).items()}
    if isinstance(value, list):
        return [_recorded(element) for element in cast("list[Any]", value)]
    return value


def _changed(old: Properties, new: Properties) -> frozenset[str]:
    return frozenset(key for key in {*old, *new} - {_DEFAULTS, "tags"} if old.get(key) != new.get(key))


def _named(error: Exception, name: str, resource_type: str) -> DeployError:
    if isinstance(error, (UnknownPropertyError, UnknownResourceTypeError, ProtectedResourceError)):
        return error
    text = " ".join(str(error).split())
    return DeployError(f"resource '{name}' ({resource_type}): {text}")
