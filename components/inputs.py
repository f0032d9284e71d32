"""Early, named errors for wrong component inputs: an engine error an hour later names neither component nor input."""

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_NAME: Mapping[str, int] = {
    "ArchiveBucket": 48,
    "DeadLetterQueue": 66,
    "Function": 47,
    "KinesisStream": 113,
    "LiveFeed": 38,
    "Pipe": 51,
    "Schedule": 47,
    "Table": 241,
}
"""Characters a component's logical name may have, by the component's type name.

A resource's physical name is the component's name, a suffix such as ``-function``, and eight characters of Pulumi's
against collisions; AWS takes 50 of an Event API, 64 of a role, function, pipe or schedule, 80 of a queue, 63 of a
bucket, 128 of a Kinesis stream and 255 of a table. Longer names fail in the middle of a deployment, long after the
program was read. Source: the services' API references (CreateApi, CreateRole, CreateFunction, CreatePipe,
CreateSchedule, CreateQueue, CreateBucket, CreateStream, CreateTable).
"""


class InputError(ValueError):
    """A component was given a missing, unknown or impossible input.

    Parameters
    ----------
    component
        The component's type name, such as ``Table``.
    name
        The component's logical name.
    key
        The input at fault.
    rule
        What the input must satisfy.
    """

    def __init__(self, component: str, name: str, key: str, rule: str) -> None:
        super().__init__(f"{component} '{name}': input '{key}' {rule}")
        self.component = component
        self.name = name
        self.key = key
        self.rule = rule


def check_inputs(component: str, name: str, args: Mapping[str, Any], contract: type[Any]) -> None:
    """Compare the keys of ``args`` with a component's contract, and its name with the room that AWS leaves.

    Parameters
    ----------
    component, name
        Name the component in the error.
    args
        The arguments the component was given.
    contract
        The ``TypedDict`` class that describes them.

    Raises
    ------
    InputError
        A required input is missing or ``None``, an input is not part of the contract, or the name is too long.
    """
    longest = LONGEST_NAME.get(component)
    if longest is not None and len(name) > longest:
        rule = f"must have at most {longest} characters, got {len(name)}: AWS limits the names made from it"
        raise InputError(component, name, "name", rule)
    required: frozenset[str] = contract.__required_keys__
    optional: frozenset[str] = contract.__optional_keys__
    for key in sorted(required):
        if args.get(key) is None:
            raise InputError(component, name, key, "is missing")
    for key in sorted(args):
        if key not in required | optional:
            known = ", ".join(sorted(required | optional))
            raise InputError(component, name, key, f"is not known; known inputs: {known}")


def check_range(component: str, name: str, key: str, value: int, *, low: int, high: int) -> None:
    """Require ``low <= value <= high``.

    Raises
    ------
    InputError
        The value lies outside the range.
    """
    if not low <= value <= high:
        raise InputError(component, name, key, f"must be {low}..{high}, got {value}")


def given_together(component: str, name: str, args: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Tell whether inputs that belong together are given; ``False`` if none is.

    Raises
    ------
    InputError
        Some are given, but not all of them.
    """
    missing = [key for key in keys if args.get(key) is None]
    if missing and len(missing) < len(keys):
        raise InputError(component, name, missing[0], f"is missing: {', '.join(keys)} must be given together")
    return not missing
