"""The Pulumi project's files: Pulumi.yaml (name, config schema) and Pulumi.<stack>.yaml (one environment's values)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml

from local.deployer.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Project:
    """A project and the configuration of one of its stacks.

    Attributes
    ----------
    name
        Project name of Pulumi.yaml, the namespace of its own configuration keys.
    stack
        Name of the stack.
    root
        Folder that holds Pulumi.yaml and `__main__.py`.
    config
        Every configuration value under its full key (`namespace:key`) in the form the Pulumi CLI hands to a program:
        strings as they are, everything else as JSON text.
    """

    name: str
    stack: str
    root: Path
    config: dict[str, str]

    @property
    def region(self) -> str:
        """AWS region of the stack (`aws:region`, default us-east-1)."""
        return self.config.get("aws:region", _DEFAULT_REGION)

    @property
    def default_tags(self) -> dict[str, str]:
        """Tags the AWS provider puts on every resource (`aws:defaultTags`)."""
        document = json.loads(self.config.get("aws:defaultTags", "{}"))
        return {key: str(value) for key, value in document.get("tags", {}).items()}


def load_project(root: Path, stack: str) -> Project:
    """Read a project's files and merge the stack's values over the schema's defaults.

    Parameters
    ----------
    root
        Folder of Pulumi.yaml.
    stack
        Name of the stack; its file is `Pulumi.<stack>.yaml`.

    Raises
    ------
    DeployError
        A file is missing or no YAML; a declared key has the wrong type or no value; a value is encrypted.
    """
    document = _read(root / "Pulumi.yaml")
    name = str(document.get("name", ""))
    if not name:
        raise DeployError("Pulumi.yaml: `name` is missing")
    values = _qualified(name, _read(root / f"Pulumi.{stack}.yaml").get("config"))
    for key, declaration in _qualified(name, document.get("config")).items():
        if not isinstance(declaration, dict):
            values.setdefault(key, declaration)
            continue
        declared = cast("dict[str, Any]", declaration)
        if key not in values and ("default" in declared or "value" in declared):
            values[key] = declared.get("default", declared.get("value"))
        if key not in values:
            if "type" in declared:
                raise DeployError(f"Pulumi.{stack}.yaml: the configuration value {key} is missing")
            continue
        _check_type(stack, key, values[key], declared)
    return Project(name, stack, root, {key: _text(stack, key, value) for key, value in values.items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeployError(f"{path.name} does not exist in {path.parent}") from None
    except yaml.YAMLError as error:
        raise DeployError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DeployError(f"{path.name}: the document must be a mapping")
    return cast("dict[str, Any]", document)


def _qualified(project: str, config: Any) -> dict[str, Any]:
    return {
        key if ":" in key else f"{project}:{key}": value for key, value in cast("dict[str, Any]", config or {}).items()
    }


def _check_type(stack: str, key: str, value: Any, declaration: dict[str, Any]) -> None:
    """The Pulumi CLI's rule for typed configuration: string, integer, boolean, or array of these."""
    declared = str(declaration.get("type", "string"))
    if _has_type(value, declared):
        if declared == "array":
            for element in value:
                _check_type(stack, key, element, declaration.get("items", {}))
        return
    raise DeployError(f"Pulumi.{stack}.yaml: {key} must be of type {declared}, but is {json.dumps(value)}")


def _has_type(value: Any, declared: str) -> bool:
    if declared == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if declared == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, str) and value.lstrip("-").isdecimal()
        )
    if declared == "array":
        return isinstance(value, list)
    if declared == "object":
        return isinstance(value, dict)
    return isinstance(value, str)


def _text(stack: str, key: str, value: Any) -> str:
    if isinstance(value, dict) and "secure" in value:
        raise DeployError(f"Pulumi.{stack}.yaml: {key} is encrypted; the local deployer has no key for it")
    return value if isinstance(value, str) else json.dumps(value)
