"""Changes that add and take away, so that it does not matter which of two comes first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from patterns.dynamodb.items import ItemCodecError, encode_value
from patterns.optimistic_locking.errors import InvalidAdjustmentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from patterns.dynamodb.items import Value

SetMembers: TypeAlias = "Collection[str] | Collection[bytes]"
"""Members of a set attribute, all text or all bytes."""


def _no_numbers() -> dict[str, int]:
    return {}


def _no_members() -> dict[str, SetMembers]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Increments to an item's numbers, and members that join or leave its sets.

    A missing number counts as 0, a missing set as empty. Increments of 0 and empty collections are left out.

    Parameters
    ----------
    add
        Number attribute → what to add to it, negative to take.
    lowest
        Number attribute → the floor it must not be taken below. Default, for each: 0. Only what is taken from is
        checked: what gets more may be below.
    include, exclude
        Set attribute → members to add to it, or to remove. What is there already, or is not, is no error.
    most
        Set attribute → how many members it may have afterwards, if none of those to add was there.

    Raises
    ------
    InvalidAdjustmentError
        Nothing to change; an attribute twice; an increment, floor or size that is no integer; members that are not all
        text or all bytes; a floor or size of an attribute that the adjustment does not add to.
    """

    add: Mapping[str, int] = field(default_factory=_no_numbers)
    lowest: Mapping[str, int] = field(default_factory=_no_numbers)
    include: Mapping[str, SetMembers] = field(default_factory=_no_members)
    exclude: Mapping[str, SetMembers] = field(default_factory=_no_members)
    most: Mapping[str, int] = field(default_factory=_no_numbers)

    def __post_init__(self) -> None:
        changed = [*self.add, *self.include, *self.exclude]
        for name in changed:
            if changed.count(name) > 1:
                raise InvalidAdjustmentError(f"attribute {name!r}", name, "must be changed in one way")
        if not any((any(self.add.values()), *map(len, (*self.include.values(), *self.exclude.values())))):
            raise InvalidAdjustmentError("adjustment", changed, "must change something")
        for what, numbers, of in (
            ("increment", self.add, self.add),
            ("floor", self.lowest, self.add),
            ("largest size", self.most, self.include),
        ):
            for name, number in numbers.items():
                if type(number) is not int:
                    raise InvalidAdjustmentError(f"{what} of {name!r}", number, "must be an integer")
                if name not in of:
                    raise InvalidAdjustmentError(f"{what} of {name!r}", number, "must be of what is added to")

    @property
    def changes(self) -> dict[str, Value]:
        """Attribute → increment or members."""
        sets = {**self.include, **self.exclude}
        return {**self.add, **{name: cast("Value", frozenset(members)) for name, members in sets.items()}}

    def expressions(self) -> AdjustmentExpressions:
        """Return the adjustment as DynamoDB wants it.

        Raises
        ------
        InvalidAdjustmentError
            Numbers of more than 38 digits, or members that make no set.
        """
        expressions = AdjustmentExpressions()
        for name, amount in self.add.items():
            if amount:
                expressions.add_number(name, amount, self.lowest.get(name, 0))
        for name, members in self.include.items():
            if members:
                expressions.include(name, members, self.most.get(name))
        for name, members in self.exclude.items():
            if members:
                expressions.exclude(name, members)
        return expressions


@dataclass(slots=True)
class AdjustmentExpressions:
    """Clauses of an update expression and its condition, with the names and values they use."""

    additions: list[str] = field(default_factory=list[str])
    deletions: list[str] = field(default_factory=list[str])
    conditions: list[str] = field(default_factory=list[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def add_number(self, name: str, amount: int, lowest: int) -> None:
        """Add to a number, which must stay at its floor or above if it is taken from."""
        number, value = self._name(name), self._value(name, amount)
        self.additions.append(f"{number} {value}")
        if amount < 0:
            enough = f"{number} >= {self._value(name, lowest - amount)}"
            # A missing number is 0 to ADD, but less than nothing to a comparison.
            self.conditions.append(enough if lowest > amount else f"(attribute_not_exists({number}) OR {enough})")

    def include(self, name: str, members: SetMembers, most: int | None) -> None:
        """Add members to a set of a largest size."""
        attribute = self._name(name)
        self.additions.append(f"{attribute} {self._set(name, members)}")
        if most is not None:
            if len(set(members)) > most:
                raise InvalidAdjustmentError(f"attribute {name!r}", len(members), f"must get {most} members at most")
            room = f"size({attribute}) <= {self._value(name, most - len(set(members)))}"
            self.conditions.append(f"(attribute_not_exists({attribute}) OR {room})")

    def exclude(self, name: str, members: SetMembers) -> None:
        """Remove members from a set."""
        self.deletions.append(f"{self._name(name)} {self._set(name, members)}")

    def _name(self, name: str) -> str:
        placeholder = f"#a{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def _set(self, name: str, members: SetMembers) -> str:
        return self._value(name, cast("Value", frozenset(members)))

    def _value(self, name: str, value: Value) -> str:
        placeholder = f":a{len(self.values)}"
        try:
            self.values[placeholder] = encode_value(value, name)
        except ItemCodecError as error:
            raise InvalidAdjustmentError(f"attribute {name!r}", value, f"must fit the table: {error}") from error
        return placeholder
