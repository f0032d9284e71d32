"""Filter criteria of event source mappings and pipes.

Source: AWS Lambda Developer Guide, "Control which events Lambda sends to your function" (filter rule syntax), and
Amazon EventBridge User Guide, "Comparison operators for use in event patterns in Amazon EventBridge" (column Pipe
support). Strings compare character by character. A literal number compares by its text (300, 300.0 and 3.0e2 differ);
`numeric` compares values. Operators look at leaves only: an object never satisfies one, an array does if one of its
elements does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, cast

from local.delivery.records import DynamoDBRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.delivery.records import Json, StreamRecord

MAX_FILTERS = 5
"""Filters an event source mapping may have without a raised quota."""

_ABSENT = object()
_NUMERIC: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class PatternError(ValueError):
    """An event pattern AWS would refuse, or an operator that is not supported; the text says where."""


class _Matcher(Protocol):
    def __call__(self, value: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class EventPattern:
    """A compiled event pattern.

    Attributes
    ----------
    text : str
        The pattern as configured.
    fields : frozenset[str]
        Top-level fields the pattern looks at.
    """

    text: str
    fields: frozenset[str]
    _matches: _Matcher = field(compare=False, repr=False)

    def matches(self, event: Json) -> bool:
        """Return whether the event satisfies every field of the pattern."""
        return self._matches(event)


def compile_pattern(text: str) -> EventPattern:
    """Compile the JSON text of an event pattern.

    Raises
    ------
    PatternError
        Not JSON, not an object, empty, a leaf that is not a list, an unknown operator or wrong operand.
    """
    try:
        pattern = _loads(text)
    except ValueError as error:
        raise PatternError(f"pattern is not JSON: {error}") from None
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError("pattern must be a JSON object with at least one field")
    fields = cast("dict[str, object]", pattern)
    return EventPattern(text, frozenset(_top_level(fields)), _compile_object(fields, "$"))


def filter_view(record: StreamRecord, event: Json) -> Json | None:
    """Return the document patterns look at, or None if the record's data is not JSON.

    A Kinesis record shows its metadata and the decoded `data`; a DynamoDB record is looked at as it is.
    """
    if isinstance(record, DynamoDBRecord):
        return event
    try:
        data = _loads(record.data)
    except ValueError:
        return None
    flat = event.get("kinesis", event)
    return {**cast("Json", flat), "data": data}


def accepts(patterns: Sequence[EventPattern], record: StreamRecord, event: Json) -> bool:
    """Return whether a record passes: any pattern matches, or there is none.

    A Kinesis record whose data is not JSON is dropped by a pattern on `data`, and judged by its metadata by others
    ("Properly filtering Kinesis and DynamoDB messages").
    """
    if not patterns:
        return True
    view = filter_view(record, event)
    if view is None:
        metadata = {name: value for name, value in event.items() if name != "data"}
        return any("data" not in pattern.fields and pattern.matches(metadata) for pattern in patterns)
    return any(pattern.matches(view) for pattern in patterns)


def _loads(text: str | bytes) -> object:
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _top_level(pattern: Mapping[str, object]) -> set[str]:
    names: set[str] = set()
    for name, rule in pattern.items():
        if name == "$or" and isinstance(rule, list):
            for option in cast("list[object]", rule):
                if isinstance(option, dict):
                    names |= _top_level(cast("dict[str, object]", option))
        else:
            names.add(name)
    return names


def _compile_object(pattern: Mapping[str, object], path: str) -> _Matcher:
    if not pattern:
        raise PatternError(f"{path}: empty objects are not allowed")
    rules = [
        _compile_or(rule, path) if name == "$or" else _compile_field(name, rule, f"{path}.{name}")
        for name, rule in pattern.items()
    ]
    return lambda value: all(rule(value) for rule in rules)


def _compile_or(rule: object, path: str) -> _Matcher:
    options = cast("list[object]", rule)
    if not isinstance(rule, list) or len(options) < 2 or not all(isinstance(option, dict) for option in options):
        raise PatternError(f"{path}.$or: must be a list of at least two objects")
    matchers = [_compile_object(cast("dict[str, object]", option), f"{path}.$or") for option in options]
    return lambda value: any(matcher(value) for matcher in matchers)


def _compile_field(name: str, rule: object, path: str) -> _Matcher:
    if isinstance(rule, dict):
        nested = _compile_object(cast("dict[str, object]", rule), path)
    elif isinstance(rule, list) and rule:
        leaves = [_compile_leaf(leaf, path) for leaf in cast("list[object]", rule)]

        def nested(value: object) -> bool:
            return any(leaf(value) for leaf in leaves)
    else:
        raise PatternError(f"{path}: must be an object or a list with at least one rule")

    def matches(value: object) -> bool:
        # A missing field goes on as absent: it can still satisfy `exists: false`.
        if isinstance(value, list):
            return any(matches(element) for element in cast("list[object]", value))
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        return nested(fields.get(name, _ABSENT))

    return matches


def _compile_leaf(leaf: object, path: str) -> _Matcher:
    if not isinstance(leaf, dict):
        return _any_element(_equals(leaf, path))
    rule = cast("dict[str, object]", leaf)
    if len(rule) != 1:
        raise PatternError(f"{path}: a rule has exactly one operator, not {sorted(rule)}")
    ((operator, operand),) = rule.items()
    if operator == "exists":
        if not isinstance(operand, bool):
            raise PatternError(f"{path}: exists must be true or false")
        return lambda value: _is_leaf(value) is operand
    if operator not in _OPERATORS:
        raise PatternError(f"{path}: operator {operator!r} is not supported")
    return _any_element(_OPERATORS[operator](operand, f"{path}: {operator}"))


def _is_leaf(value: object) -> bool:
    if isinstance(value, list):
        return any(_is_leaf(element) for element in cast("list[object]", value))
    return value is not _ABSENT and not isinstance(value, dict)


def _any_element(matcher: _Matcher) -> _Matcher:
    def matches(value: object) -> bool:
        if isinstance(value, list):
            return any(matches(element) for element in cast("list[object]", value))
        return value is not _ABSENT and not isinstance(value, dict) and matcher(value)

    return matches


def _equals(wanted: object, path: str) -> _Matcher:
    if isinstance(wanted, list):
        raise PatternError(f"{path}: a rule is a literal or an operator, not a list")
    literal = _literal(wanted)
    return lambda value: _literal(value) == literal


def _literal(value: object) -> tuple[str, str]:
    if isinstance(value, str):
        return "string", value
    if value is None or isinstance(value, bool):
        return "constant", repr(value)
    return "number", str(value)


def _text(operand: object, what: str) -> str:
    if not isinstance(operand, str) or not operand:
        raise PatternError(f"{what} must be a string that is not empty")
    return operand


def _ignoring_case(operand: object, what: str) -> _Matcher:
    wanted = _text(operand, what).lower()
    return lambda value: isinstance(value, str) and value.lower() == wanted


def _prefix(operand: object, what: str) -> _Matcher:
    return _affix(operand, str.startswith, what)


def _suffix(operand: object, what: str) -> _Matcher:
    return _affix(operand, str.endswith, what)


def _affix(operand: object, test: Callable[[str, str], bool], what: str) -> _Matcher:
    if isinstance(operand, dict):
        nested = cast("dict[str, object]", operand)
        if set(nested) != {"equals-ignore-case"}:
            raise PatternError(f"{what} takes a string or equals-ignore-case, not {sorted(nested)}")
        folded = _text(nested["equals-ignore-case"], what).lower()
        return lambda value: isinstance(value, str) and test(value.lower(), folded)
    affix = _text(operand, what)
    return lambda value: isinstance(value, str) and test(value, affix)


def _anything_but(operand: object, what: str) -> _Matcher:
    refused = cast("list[object]", operand) if isinstance(operand, list) else [operand]
    kinds = {type(value) if isinstance(value, str) else Decimal for value in refused}
    known = all(isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) for value in refused)
    if not refused or not known or len(kinds) > 1:
        raise PatternError(f"{what} takes strings only or numbers only")
    literals = {_literal(value) for value in refused}
    return lambda value: _literal(value) not in literals


def _numeric(operand: object, what: str) -> _Matcher:
    operands = cast("list[object]", operand) if isinstance(operand, list) else []
    if len(operands) not in {2, 4}:
        raise PatternError(f'{what} takes one or two comparisons, such as [">", 0, "<=", 5]')
    bounds: list[tuple[Callable[[Decimal, Decimal], bool], Decimal]] = []
    for comparison, bound in zip(operands[::2], operands[1::2], strict=True):
        if not isinstance(comparison, str) or comparison not in _NUMERIC:
            raise PatternError(f"{what} comparison must be one of {sorted(_NUMERIC)}, not {comparison!r}")
        if isinstance(bound, bool) or not isinstance(bound, (int, Decimal)):
            raise PatternError(f"{what} compares with a number, not {bound!r}")
        bounds.append((_NUMERIC[comparison], Decimal(bound)))

    def matches(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return False
        number = Decimal(str(value))
        return all(test(number, bound) for test, bound in bounds)

    return matches


_OPERATORS: dict[str, Callable[[object, str], _Matcher]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _ignoring_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
