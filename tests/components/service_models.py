"""Would AWS accept these parameters? Asked of botocore's service models: members, types, enums, ranges, patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Mapping

_SESSION = botocore.session.get_session()
# What a ConditionCheck in TransactWriteItems needs, and `POST /event` of an Event API, which no SDK has.
_WITHOUT_OPERATION = {"dynamodb:ConditionCheckItem", "dynamodb:PartiQLInsert", "appsync:EventPublish"}
# The actions we grant whose operations have other names.
_OPERATION_OF = {"lambda:InvokeFunction": "lambda:Invoke", "s3:ListBucket": "s3:ListObjectsV2"}


def violations(service: str, operation: str, parameters: Mapping[str, Any]) -> list[str]:
    """Compare request parameters with the operation's input shape.

    Returns
    -------
    list[str]
        One line for each parameter AWS would refuse; empty if none.
    """
    shape = cast("StructureShape", _SESSION.get_service_model(service).operation_model(operation).input_shape)
    return _check(shape, parameters, operation)


def has_action(action: str) -> bool:
    """Whether an IAM action names an operation of its service."""
    if action in _WITHOUT_OPERATION:
        return True
    prefix, _, operation = _OPERATION_OF.get(action, action).partition(":")
    # DynamoDB's stream operations share its IAM prefix.
    services = ("dynamodb", "dynamodbstreams") if prefix == "dynamodb" else (prefix,)
    return any(operation in _SESSION.get_service_model(service).operation_names for service in services)


def in_service_case(value: Any, renamed: Mapping[str, str]) -> Any:
    """Provider properties (camelCase) as service members (PascalCase); ``renamed`` lists other differences."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {
            renamed.get(key, key[0].upper() + key[1:]): in_service_case(member, renamed)
            for key, member in members.items()
        }
    if isinstance(value, list):
        return [in_service_case(item, renamed) for item in cast("list[Any]", value)]
    return value


def _check(shape: Shape, value: Any, path: str) -> list[str]:
    if isinstance(shape, StructureShape):
        return _check_structure(shape, value, path)
    if isinstance(shape, ListShape):
        items = cast("list[Any]", value)
        found = _check_bounds(shape, len(items), path)
        return found + [line for n, item in enumerate(items) for line in _check(shape.member, item, f"{path}[{n}]")]
    if isinstance(shape, MapShape):
        entries = cast("dict[str, Any]", value)
        return [line for key, entry in entries.items() for line in _check(shape.value, entry, f"{path}.{key}")]
    return _check_scalar(shape, value, path)


def _check_structure(shape: StructureShape, value: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: a structure is needed, got {value!r}"]
    members = cast("dict[str, Any]", value)
    found = [f"{path}.{name}: is required" for name in shape.required_members if name not in members]
    for name, member in members.items():
        if name in shape.members:
            found += _check(shape.members[name], member, f"{path}.{name}")
        else:
            found.append(f"{path}.{name}: no such member")
    return found


def _check_scalar(shape: Shape, value: Any, path: str) -> list[str]:
    if shape.type_name in ("integer", "long"):
        # Numbers come out of the engine's protocol as floats.
        return _check_bounds(shape, value, path) if value == int(value) else [f"{path}: {value!r} is not whole"]
    if shape.type_name == "boolean" and not isinstance(value, bool):
        return [f"{path}: {value!r} is not a boolean"]
    if shape.type_name != "string":
        return []
    text = cast("str", value)
    enum = cast("list[str]", getattr(shape, "enum", []))
    if enum and text not in enum:
        return [f"{path}: {text!r} is none of {enum}"]
    pattern = cast("str | None", shape.metadata.get("pattern"))
    if pattern is not None and not re.fullmatch(_python_pattern(pattern), text, re.DOTALL):
        return [f"{path}: {text!r} does not match {pattern}"]
    return _check_bounds(shape, len(text), path)


def _check_bounds(shape: Shape, size: float, path: str) -> list[str]:
    low = cast("float", shape.metadata.get("min", size))
    high = cast("float", shape.metadata.get("max", size))
    return [] if low <= size <= high else [f"{path}: {size} is outside {low}..{high}"]


def _python_pattern(pattern: str) -> str:
    """Service models use Java's Unicode classes, which `re` does not know."""
    return re.sub(r"\\p\{[A-Za-z]+\}", r"\\w\\s", pattern)
