"""Environment variables as one typed, frozen model: a dataclass that is read field by field.

A field's name in capitals, after the model's prefix, is the variable's name; a field whose variable is called otherwise
says so with ``field(metadata={"variable": "NAME"})``. A field with a default is optional: a variable that is absent or
empty leaves it as it is.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field
    from enum import StrEnum

    from _typeshed import DataclassInstance

Reader: TypeAlias = "Callable[[str], object]"
"""Turns a variable's text, which is not empty, into a field's value; raises `BrokenRuleError`."""


class BrokenRuleError(ValueError):
    """Raised by a reader; its text is the rule, such as ``must be a whole number``."""


def variable_names(model: type[DataclassInstance], prefix: str = "") -> tuple[str, ...]:
    """Return the names of all variables of a model, e.g. ``("PROCESSOR_TABLE", …)``."""
    return tuple(_name(field, prefix) for field in fields(model))


def read_variables(
    model: type[DataclassInstance],
    environ: Mapping[str, str],
    error: Callable[[str, str, str], Exception],
    *,
    prefix: str = "",
    readers: Mapping[str, Reader] | None = None,
) -> dict[str, Any]:
    """Read a model's variables, to be passed to its constructor.

    Parameters
    ----------
    model
        A dataclass in a module with ``from __future__ import annotations``: the texts of its annotations choose the
        readers.
    environ
        Usually `os.environ`.
    error
        Makes the exception for a variable's name, its text and the rule it breaks.
    prefix
        What all names begin with, such as ``PROCESSOR_``.
    readers
        Of annotations other than ``str``, ``int`` (from 0), the two with ``| None``, and ``tuple[str, ...]`` (unique
        names between commas); or other readers for these.

    Returns
    -------
    dict
        Field name → value, without the optional fields whose variables are absent or empty.

    Raises
    ------
    Exception
        What `error` returns, for the first variable that is missing or malformed.
    """
    choice = {**_READERS, **(readers or {})}
    values: dict[str, Any] = {}
    for field in fields(model):
        name = _name(field, prefix)
        text = environ.get(name, "")
        if text:
            try:
                values[field.name] = choice[str(field.type)](text)
            except BrokenRuleError as broken:
                raise error(name, text, str(broken)) from None
        elif field.default is MISSING:
            raise error(name, text, "must be set")
    return values


def whole_number(lowest: int) -> Reader:
    """Return the reader of an integer of at least `lowest`, at most 18 digits."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) >= lowest):
            raise BrokenRuleError(f"must be a whole number of at least {lowest} and at most 18 digits")
        return int(text)

    return read


def one_of(kind: type[StrEnum]) -> Reader:
    """Return the reader of an enumeration's member."""

    def read(text: str) -> StrEnum:
        if text not in kind.__members__:
            raise BrokenRuleError(f"must be one of {', '.join(kind.__members__)}")
        return kind[text]

    return read


def _names(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts) or len(set(parts)) != len(parts):
        raise BrokenRuleError("must be unique comma-separated names")
    return parts


_READERS: Final[Mapping[str, Reader]] = {
    "str": str,
    "str | None": str,
    "int": whole_number(0),
    "int | None": whole_number(0),
    "tuple[str, ...]": _names,
}


def _name(field: Field[Any], prefix: str) -> str:
    return prefix + field.metadata.get("variable", field.name.upper())
