"""What a transaction is made of: named steps, what each is told, and what each may answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from patterns.processor.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

S = TypeVar("S")

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
# The generic ones have no slots: with them, CPython 3.11 cannot make a frozen `Done[Order](…)`.

MOST_ACTIONS = 99
"""Actions a step may give back: DynamoDB's 100 less the progress itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a step is told besides the state.

    Attributes
    ----------
    transaction_id, step
        Whose, and which.
    fencing_token
        Grows with every claim. Whatever the step writes outside should refuse a token lower than one it has seen.
    idempotency_key
        The same whenever this piece of work is tried again, and never used for another: transaction id, step, and the
        number of the slice or ``undo``. Hand it to whatever the step calls.
    attempt
        1 for the first try since the last progress.
    slice
        How many times this step has answered `More`.
    now_ms
        Epoch milliseconds.
    remaining_ms
        Returns the time left for this step in milliseconds, what the hand-over needs already taken off.
    """

    transaction_id: str
    step: str
    fencing_token: int
    idempotency_key: str
    attempt: int
    slice: int
    now_ms: int
    remaining_ms: Callable[[], int]


IfRefused: TypeAlias = Literal["retry", "reject"]


@dataclass(frozen=True)
class Done(Generic[S]):
    """The step (or its compensation) is complete.

    Parameters
    ----------
    state
        The transaction's state from now on.
    actions
        Up to 99 elements of a TransactWriteItems call: committed together with the progress, or not at all. This is
        what makes effects in DynamoDB happen exactly once.
    if_refused
        What a failed condition among the actions means: ``retry`` (somebody changed what was read: run the step again)
        or ``reject`` (as `StepRejectedError`: out of stock, not enough money).
    """

    state: S
    actions: Sequence[TransactWriteItemTypeDef] = ()
    if_refused: IfRefused = "retry"


@dataclass(frozen=True)
class More(Generic[S]):
    """A slice of the step is complete: save the state and call the step again, in this invocation or the next.

    Long work is done in slices that each fit well into an invocation. Parameters as for `Done`.
    """

    state: S
    actions: Sequence[TransactWriteItemTypeDef] = ()
    if_refused: IfRefused = "retry"


@dataclass(frozen=True)
class Later(Generic[S]):
    """Nothing failed, but the step waits for something: save the state and call the step again after a while.

    Parameters
    ----------
    state
        The transaction's state from now on.
    delay_ms
        How long to wait, at least, 1 or more. The sweep's interval adds up to a minute.
    """

    state: S
    delay_ms: int

    def __post_init__(self) -> None:
        if type(self.delay_ms) is not int or self.delay_ms < 1:
            raise InvalidSettingError("delay_ms", self.delay_ms, "must be a whole number of milliseconds, 1 or more")


Outcome: TypeAlias = "Done[S] | More[S] | Later[S]"
Work: TypeAlias = "Callable[[S, StepContext], Outcome[S]]"


@dataclass(frozen=True, kw_only=True)
class Step(Generic[S]):
    """One named step.

    Parameters
    ----------
    name
        ``[a-z][a-z0-9_-]{0,62}``; stored, so it must keep its meaning while transactions are under way.
    run
        Does the step. It may run more than once (a crash after its effects, before its progress is stored): effects
        go into `Done.actions`, or to a service that honours the idempotency key. Raises `StepRejectedError` to have
        the transaction compensated; any other exception is tried again.
    compensate
        Undoes the step. Called for each completed step, last one first, and for the current one if it may have had
        effects (it answered `More`, timed out, or was abandoned by an operator), so it must accept a step that did
        nothing. Default: there is nothing to undo.
    budget_ms
        The step is not started with less time than this left in the invocation. Default: 1 s.
    timeout_ms
        The step must be complete this long after it became the current one, attempts and waits included; otherwise the
        transaction is compensated. Default: no limit.

    Raises
    ------
    InvalidSettingError
        The name or a duration is impossible.
    """

    name: str
    run: Work[S]
    compensate: Work[S] | None = None
    budget_ms: int = 1_000
    timeout_ms: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidSettingError(
                "step name", self.name, "must be a-z, then a-z, 0-9, _ or -, at most 63 characters"
            )
        if self.budget_ms < 0:
            raise InvalidSettingError(f"budget_ms of step {self.name}", self.budget_ms, "must be 0 or more")
        if self.timeout_ms is not None and self.timeout_ms < 1:
            raise InvalidSettingError(f"timeout_ms of step {self.name}", self.timeout_ms, "must be 1 or more, or None")
