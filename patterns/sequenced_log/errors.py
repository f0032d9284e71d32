"""What can be wrong with a call to the log, each error with the value and the rule it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class SequencedLogError(Exception):
    """Every error of this pattern."""


class InvalidInputError(SequencedLogError, ValueError):
    """An argument breaks a rule. Nothing was read or written.

    Attributes
    ----------
    name, value, rule
        The argument, what it was, and what it must satisfy.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} = {value!r:.80}: {rule}")
        self.name = name
        self.value = value
        self.rule = rule


class SequenceConflictError(SequencedLogError):
    """An append expected another head. Nothing was written.

    Attributes
    ----------
    partition, expected, head
        Number of the last event the caller expected, and of the one there is.
    """

    def __init__(self, partition: str, expected: int, head: int) -> None:
        super().__init__(f"partition {partition!r}: expected the last event to be {expected}, it is {head}")
        self.partition = partition
        self.expected = expected
        self.head = head


class ContentionError(SequencedLogError):
    """Others kept winning until the attempts were used up. Nothing was written; try again later."""

    def __init__(self, partition: str, attempts: int) -> None:
        super().__init__(
            f"partition {partition!r}: others were faster {attempts} times in a row; split it or slow down"
        )
        self.partition = partition
        self.attempts = attempts


class PartitionClosedError(SequencedLogError):
    """The partition was split. Nothing was written; append to one of its children instead.

    Attributes
    ----------
    partition, children
        The closed partition, and those that go on in its place; `partitions.route` chooses among them.
    """

    def __init__(self, partition: str, children: Sequence[str]) -> None:
        super().__init__(f"partition {partition!r} is closed; append to one of its children {', '.join(children)}")
        self.partition = partition
        self.children = tuple(children)


class UnknownPartitionError(SequencedLogError):
    """No such partition is registered."""

    def __init__(self, partition: str) -> None:
        super().__init__(f"partition {partition!r} is not registered; append to it or register it first")
        self.partition = partition


class GapError(SequencedLogError):
    """Events are missing where the log must be whole: somebody deleted or wrote items by other means.

    Attributes
    ----------
    partition, first_missing, next_found
        The missing events are ``first_missing .. next_found - 1``.
    """

    def __init__(self, partition: str, first_missing: int, next_found: int) -> None:
        super().__init__(f"partition {partition!r}: events {first_missing}..{next_found - 1} are missing")
        self.partition = partition
        self.first_missing = first_missing
        self.next_found = next_found


class LeaseLostError(SequencedLogError):
    """The lease went to another run, which has a higher token. Nothing was written; stop at once."""

    def __init__(self, consumer: str, partition: str, token: int) -> None:
        super().__init__(f"consumer {consumer!r}, partition {partition!r}: lease {token} was taken over")
        self.consumer = consumer
        self.partition = partition
        self.token = token
