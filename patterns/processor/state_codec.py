"""Typed state: a dataclass or TypedDict on one side, a DynamoDB map on the other, checked in both directions."""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NotRequired,
    Required,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    is_typeddict,
)
from typing import get_type_hints as type_hints

from patterns.dynamodb.texts import utf8_bytes
from patterns.processor.errors import StateError

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item, Value

S = TypeVar("S")

_PLAIN = (str, int, bool, bytes)


class StateCodec(Generic[S]):
    """Converts states of one type to plain values and back.

    Supported: `str`, `int`, `bool`, `bytes`, `None`, enums of the first four, `list[T]`, `tuple[T, ...]`,
    `dict[str, T]`, unions with None, dataclasses and TypedDicts of them. Types are exact (`True` is no `int`). A
    dataclass field with a default may be missing in what is stored, so that a field can be added while transactions are
    under way; an attribute the type does not know is an error, since the next write would lose it.

    Parameters
    ----------
    state_type
        A dataclass or a TypedDict.

    Raises
    ------
    StateError
        It is neither, or contains a type that is not supported.
    """

    def __init__(self, state_type: type[S]) -> None:
        if not (_is_dataclass(state_type) or _is_typed_dict(state_type)):
            raise StateError(f"state type {state_type!r:.80}: must be a dataclass or a TypedDict")
        _check_type(state_type, state_type.__name__, set())
        self._type = state_type

    def encode(self, state: S) -> Item:
        """Return the state as an item's map.

        Raises
        ------
        StateError
            A value is not of the declared type.
        """
        return cast("Item", _convert(state, self._type, "state", encoding=True))

    def decode(self, stored: Value) -> S:
        """Return the state that was encoded.

        Raises
        ------
        StateError
            What is stored is not of the declared type.
        """
        return cast("S", _convert(stored, self._type, "state", encoding=False))


def _is_dataclass(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _is_typed_dict(kind: Any) -> bool:
    return is_typeddict(kind)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _members(kind: Any) -> dict[str, Any]:
    """Field name to type of a dataclass or TypedDict."""
    return {name: _bare(hint) for name, hint in type_hints(kind).items()}


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (NotRequired, Required) else hint


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _check_type(kind: Any, path: str, seen: set[Any]) -> None:
    if kind in _PLAIN or kind is type(None) or kind in seen:
        return
    if _is_enum(kind) and all(type(member.value) in _PLAIN for member in kind):
        return
    if _is_dataclass(kind) or _is_typed_dict(kind):
        seen.add(kind)
        members = _members(kind)
        if _is_dataclass(kind) and (lost := members.keys() - {field.name for field in fields(kind) if field.init}):
            raise StateError(f"{path}: {', '.join(sorted(lost))}: must be fields that the constructor takes")
        for name, member in members.items():
            _check_type(member, f"{path}.{name}", seen)
        return
    arguments = get_args(kind)
    variants = [argument for argument in arguments if argument is not type(None)]
    match get_origin(kind):
        case origin if origin is list and arguments:
            _check_type(arguments[0], f"{path}[]", seen)
        case origin if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
            _check_type(arguments[0], f"{path}[]", seen)
        case origin if origin is dict and arguments and arguments[0] is str:
            _check_type(arguments[1], f"{path}[]", seen)
        case _ if _is_union(kind) and len(variants) == 1:
            _check_type(variants[0], path, seen)
        case _:
            raise StateError(f"{path}: type {kind!r} is not supported; see StateCodec for those that are")


def _convert(value: Any, kind: Any, path: str, *, encoding: bool) -> Any:  # noqa: PLR0911 one return a kind of type
    if kind in _PLAIN or kind is type(None):
        if type(value) is not kind:
            raise StateError(f"{path}: expected {kind.__name__}, found {value!r:.80}")
        return _storable(value, path)
    if _is_union(kind):
        if value is None:
            return None
        (variant,) = (argument for argument in get_args(kind) if argument is not type(None))
        return _convert(value, variant, path, encoding=encoding)
    if _is_enum(kind):
        return _convert_enum(value, kind, path, encoding=encoding)
    if _is_dataclass(kind):
        return _convert_dataclass(value, kind, path, encoding=encoding)
    if _is_typed_dict(kind):
        return _convert_typed_dict(value, kind, path, encoding=encoding)
    origin, arguments = cast("type[Any]", get_origin(kind)), get_args(kind)
    expected = list if origin is tuple and not encoding else origin
    if type(value) is not expected:
        raise StateError(f"{path}: expected {origin.__name__}, found {value!r:.80}")
    if origin is dict:
        pairs = cast("dict[Any, Any]", value).items()
        if any(type(name) is not str for name, _ in pairs):
            raise StateError(f"{path}: keys must be text")
        return {name: _convert(member, arguments[1], f"{path}[{name!r}]", encoding=encoding) for name, member in pairs}
    members = [_convert(member, arguments[0], f"{path}[{n}]", encoding=encoding) for n, member in enumerate(value)]
    return tuple(members) if origin is tuple and not encoding else members


def _storable(value: Any, path: str) -> Any:
    if type(value) is int and abs(value) >= 10**38:
        raise StateError(f"{path}: integers have at most 38 digits")
    if type(value) is str and utf8_bytes(value) is None:
        raise StateError(f"{path}: {value!r:.80} holds half a surrogate pair")
    return value


def _convert_enum(value: Any, kind: Any, path: str, *, encoding: bool) -> Any:
    try:
        member = kind(value)
    except ValueError:
        raise StateError(f"{path}: {value!r:.80} is no {kind.__name__}") from None
    return member.value if encoding else member


def _convert_dataclass(value: Any, kind: Any, path: str, *, encoding: bool) -> Any:
    members = _members(kind)
    if encoding:
        if type(value) is not kind:
            raise StateError(f"{path}: expected {kind.__name__}, found {value!r:.80}")
        return {
            name: _convert(getattr(value, name), member, f"{path}.{name}", encoding=True)
            for name, member in members.items()
        }
    optional = {field.name for field in fields(kind) if _has_default(field)}
    found = _convert_members(value, members, members.keys() - optional, path, encoding=False)
    try:
        return kind(**found)
    except Exception as error:  # whatever its __post_init__ refuses a stored state with
        raise StateError(f"{path}: {type(error).__name__}: {error}") from error


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _convert_typed_dict(value: Any, kind: Any, path: str, *, encoding: bool) -> Any:
    return _convert_members(value, _members(kind), _required_keys(kind), path, encoding=encoding)


def _required_keys(kind: Any) -> set[str]:
    # Where annotations are text (PEP 563), __required_keys__ knows nothing of NotRequired and Required.
    origins = {name: get_origin(hint) for name, hint in type_hints(kind, include_extras=True).items()}
    return {
        name
        for name, origin in origins.items()
        if origin is Required or (origin is not NotRequired and name in kind.__required_keys__)
    }


def _convert_members(
    value: Any, members: dict[str, Any], required: set[str], path: str, *, encoding: bool
) -> dict[str, Any]:
    if type(value) is not dict:
        raise StateError(f"{path}: expected a map, found {value!r:.80}")
    found = cast("dict[str, Any]", value)
    if missing := required - found.keys():
        raise StateError(f"{path}: {', '.join(sorted(missing))} missing")
    if unknown := found.keys() - members.keys():
        raise StateError(f"{path}: {', '.join(sorted(map(str, unknown)))} not declared")
    return {
        name: _convert(member, members[name], f"{path}.{name}", encoding=encoding) for name, member in found.items()
    }
