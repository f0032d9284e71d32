"""Translates a resource's Pulumi properties into an AWS request, led by botocore's model of the request.

Pulumi's property names are the API's in camelCase with some names of their own; a structure that may occur once is
written as an object where the API may want a list of one. Following the request's shape, every property either finds
its member or is an error, at any depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.validate import ParamValidator

from local.clients import service_model
from local.deployer.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBERS = ("integer", "long")


def request(
    service: str, operation: str, properties: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Build and check the parameters of an AWS call.

    Parameters
    ----------
    service, operation
        botocore's names, for example `"lambda"`, `"CreateFunction"`.
    properties
        Properties in camelCase.
    names
        Properties, at any depth, whose AWS name is not their own in another case: `{"name": "FunctionName"}`.

    Returns
    -------
    dict
        Parameters for the boto3 client's method.

    Raises
    ------
    DeployError
        A property has no member, a required member is missing, or a value breaks a range or an enumeration of the
        model.
    """
    shape = service_model(service).operation_model(operation).input_shape
    parameters = _translate(shape, properties, names or {}, "")
    # botocore's own validator knows lower bounds and required members; upper bounds and enumerations are checked above.
    report = cast("Any", ParamValidator()).validate(parameters, shape)
    if report.has_errors():
        raise DeployError(f"{operation}: {' '.join(report.generate_report().split())}")
    return parameters


def _translate(shape: Any, value: Any, names: Mapping[str, str], path: str) -> Any:
    kind = shape.type_name
    size = _size(kind, value)
    highest = shape.metadata.get("max")
    if size is not None and highest is not None and size > highest:
        unit = "" if kind in _NUMBERS else f" {'characters' if kind == 'string' else 'elements'}"
        raise DeployError(f"property {path}: {size}{unit} is above the limit of {highest}")
    if kind == "structure":
        return _structure(shape, value, names, path)
    if kind == "list":
        elements: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        return [_translate(shape.member, element, names, f"{path}[{index}]") for index, element in enumerate(elements)]
    if kind == "map":
        return {key: _translate(shape.value, element, names, f"{path}.{key}") for key, element in value.items()}
    if kind == "string":
        if not isinstance(value, (str, int, float)):
            raise DeployError(f"property {path}: text is expected, not {value!r}")
        text = str(value)
        if shape.enum and text not in shape.enum:
            raise DeployError(f"property {path}: {text!r} is none of {', '.join(shape.enum)}")
        return text
    if kind in _NUMBERS and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    return value


def _size(kind: str, value: Any) -> float | None:
    if kind in _NUMBERS and isinstance(value, (int, float)):
        return value
    if kind in ("string", "list", "map") and isinstance(value, (str, list, dict)):
        return len(cast("str", value))
    return None


def _structure(shape: Any, value: Any, names: Mapping[str, str], path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DeployError(f"property {path}: an object is expected, not {value!r}")
    members = {member.lower(): member for member in shape.members}
    translated: dict[str, Any] = {}
    for key, element in cast("dict[str, Any]", value).items():
        inner = f"{path}.{key}" if path else key
        member = members.get(names.get(key, key).lower()) or members.get(key.lower())
        if member is None:
            raise DeployError(f"property {inner} has no counterpart in {shape.name}")
        translated[member] = _translate(shape.members[member], element, names, inner)
    return translated
