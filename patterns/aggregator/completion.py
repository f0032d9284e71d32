"""When a group is complete, as a rule that turns each write into one that completes the group or one that cannot.

DynamoDB cannot set a state depending on a count in the same update. So every rule guesses which of the two a write is
and states the condition under which the guess is right. A wrong guess is refused together with the header as it stands,
and the next guess is made from that. A rule that has not seen the header yet guesses for a group without records.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from patterns.aggregator.errors import InvalidCompletionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from patterns.aggregator.group import NewRecord, Progress

MOST_KINDS = 50
"""Kinds a rule may ask for: each is an operand of a condition, which has 4 KB."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Whether a write completes its group, and the condition on the header under which that is true.

    The condition may use ``#records`` and ``#kinds``, names of header attributes.
    """

    completes: bool
    condition: str = ""
    values: Mapping[str, AttributeValueTypeDef] = field(default_factory=dict[str, "AttributeValueTypeDef"])


@dataclass(frozen=True, slots=True)
class ByCount:
    """Complete with this many records.

    Raises
    ------
    InvalidCompletionError
        `count` is less than 1.
    """

    count: int
    reads_first = False

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise InvalidCompletionError(self.count, "count must be an integer of at least 1")

    def guess(self, progress: Progress, new: Sequence[NewRecord]) -> Guess:
        """Guess for a write of new records; see the module."""
        missing = self.count - len(new)
        completes = progress.records >= missing
        if missing <= 0:
            return Guess(completes=True)
        if completes:
            return Guess(True, "#records >= :missing", {":missing": {"N": str(missing)}})
        condition = "(attribute_not_exists(#records) OR #records < :missing)"
        return Guess(False, condition, {":missing": {"N": str(missing)}})


@dataclass(frozen=True, slots=True)
class ByKinds:
    """Complete with at least one record of each of these kinds; records of other kinds are collected, too.

    Raises
    ------
    InvalidCompletionError
        No kind, more than 50, or an empty one.
    """

    kinds: frozenset[str]
    reads_first = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.kinds) <= MOST_KINDS or not all(self.kinds):
            raise InvalidCompletionError(sorted(self.kinds), f"needs 1 to {MOST_KINDS} kinds, none of them empty")

    def guess(self, progress: Progress, new: Sequence[NewRecord]) -> Guess:
        """Guess for a write of new records; see the module."""
        missing = sorted(self.kinds - {record.kind for record in new})
        if not missing:
            return Guess(completes=True)
        values: dict[str, AttributeValueTypeDef] = {f":kind{n}": {"S": kind} for n, kind in enumerate(missing)}
        all_there = " AND ".join(f"contains(#kinds, {name})" for name in values)
        completes = progress.kinds.issuperset(missing)
        return Guess(completes, all_there if completes else f"NOT ({all_there})", values)


@dataclass(frozen=True, slots=True)
class ByPredicate:
    """Complete when a function of the group's progress says so.

    The function sees the progress with the new records counted in: number, kinds and totals, never the records
    themselves. It must be pure, for it may be asked several times. Each write first reads the header (one read unit)
    and holds only if no other write came in between.
    """

    predicate: Callable[[Progress], bool]
    reads_first = True

    def guess(self, progress: Progress, new: Sequence[NewRecord]) -> Guess:
        """Guess for a write of new records; see the module."""
        after = advance(progress, new)
        if not progress.records:
            return Guess(self.predicate(after), "attribute_not_exists(#records)")
        return Guess(self.predicate(after), "#records = :read", {":read": {"N": str(progress.records)}})


@dataclass(frozen=True, slots=True)
class ByTimeout:
    """No record completes the group, only the aggregator's timeout does."""

    reads_first = False

    def guess(self, progress: Progress, new: Sequence[NewRecord]) -> Guess:
        """Guess for a write of new records; see the module."""
        del progress, new
        return Guess(completes=False)


Completion: TypeAlias = ByCount | ByKinds | ByPredicate | ByTimeout
"""A completion rule."""


def advance(progress: Progress, new: Sequence[NewRecord]) -> Progress:
    """Return the progress a group will have made with these records."""
    totals = Counter(progress.totals)
    for record in new:
        totals.update(record.amounts)
    return replace(
        progress,
        records=progress.records + len(new),
        kinds=progress.kinds.union(record.kind for record in new if record.kind),
        totals=dict(totals),
    )


def parse_completion(text: str, predicate: Callable[[Progress], bool] | None = None) -> Completion:
    """Read a rule from its text, as an environment variable has it.

    Parameters
    ----------
    text
        ``count:10``, ``kinds:login,recommendations``, ``predicate`` or ``timeout``.
    predicate
        The function, if the text is ``predicate``.

    Raises
    ------
    InvalidCompletionError
        Any other text, or a function is missing or too much.

    Examples
    --------
    >>> parse_completion("count:10")
    ByCount(count=10)
    >>> parse_completion("sometimes")
    Traceback (most recent call last):
    ...
    patterns.aggregator.errors.InvalidCompletionError: completion rule 'sometimes': must be count:N, kinds:A,B,…, \
predicate or timeout
    """
    if (predicate is not None) != (text == "predicate"):
        raise InvalidCompletionError(text, "a function is given if and only if the rule is 'predicate'")
    name, _, content = text.partition(":")
    if predicate is not None:
        return ByPredicate(predicate)
    if text == "timeout":
        return ByTimeout()
    if name == "count" and content.isascii() and content.isdecimal() and len(content) < 10:
        return ByCount(int(content))
    if name == "kinds":
        return ByKinds(frozenset(content.split(",")))
    raise InvalidCompletionError(text, "must be count:N, kinds:A,B,…, predicate or timeout")
