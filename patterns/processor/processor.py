"""Drives transactions: claim, run the steps one after the other, save, and go on, wait, undo, park or hand over."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from random import random as real_random
from time import sleep as real_sleep
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import ClientError, HTTPClientError

from patterns.processor.calls import is_overload
from patterns.processor.errors import (
    ActionsRefusedError,
    InvalidSettingError,
    LostLeaseError,
    StateError,
    StateTooLargeError,
    StepRejectedError,
)
from patterns.processor.settings import now_ms
from patterns.processor.steps import MOST_ACTIONS, Done, Later, More, StepContext
from patterns.processor.store import TransactionStore
from patterns.processor.transaction import OPEN, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.processor.settings import Clock, ProcessorSettings, Random, RemainingTime, Sleep
    from patterns.processor.state_codec import StateCodec
    from patterns.processor.steps import Outcome, Step
    from patterns.processor.transaction import Transaction

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep found: transactions claimed, whether all that was due was visited, and how many are parked."""

    claimed: int
    complete: bool
    parked: int


class Processor(Generic[S]):
    """Executes the steps of transactions, safely beside any number of others doing the same.

    Parameters
    ----------
    client
        DynamoDB client.
    settings
        Table name and figures.
    codec
        Of the transactions' state.
    steps
        In the order in which they run; names are unique.
    clock, sleep, random
        Epoch ms; waits so many seconds; uniform in [0, 1).

    Attributes
    ----------
    store
        The table: submit, get, list, re-drive.

    Raises
    ------
    InvalidSettingError
        There is no step, or two have one name.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        settings: ProcessorSettings,
        codec: StateCodec[S],
        steps: Sequence[Step[S]],
        *,
        clock: Clock = now_ms,
        sleep: Sleep = real_sleep,
        random: Random = real_random,
    ) -> None:
        names = [step.name for step in steps]
        if not names or len(set(names)) != len(names):
            raise InvalidSettingError("steps", names, "one or more steps with unique names")
        self.store = TransactionStore(client, settings, codec, clock, sleep, random)
        self._settings = settings
        self._steps = {step.name: step for step in steps}
        self._order = names
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def run(self, transaction_id: str, remaining_ms: RemainingTime) -> Transaction[S] | None:
        """Claim a transaction and take it as far as it goes now.

        Parameters
        ----------
        transaction_id
            Whose turn it is.
        remaining_ms
            Milliseconds left in this invocation.

        Returns
        -------
        Transaction[S] | None
            Where it got; None if there was nothing to claim, or the lease was lost on the way.

        Raises
        ------
        botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError
            DynamoDB could not be reached or refused for too long. Safe to call again.
        """
        claimed = self.store.claim(transaction_id)
        if claimed is None:
            return None
        try:
            return _Claim(self, claimed, remaining_ms).advance()
        except LostLeaseError:
            return None

    def sweep(self, remaining_ms: RemainingTime) -> SweepReport:
        """Work on everything whose time has come: retries, waits, ended leases, lost deliveries, timeouts.

        Meant to be called every minute. Found by index: the cost depends on how many are due, not on how many there
        are.

        Parameters
        ----------
        remaining_ms
            Milliseconds left in this invocation; what is not reached is left to the next.
        """
        at_ms = self._clock()
        claimed = 0
        for transaction_id in self._due(at_ms):
            if claimed and not self.has_time(remaining_ms):
                return SweepReport(claimed, complete=False, parked=self.store.count_parked())
            try:
                claimed += self.run(transaction_id, remaining_ms) is not None
            except (ClientError, HTTPClientError):
                # Its lease ends, and a later sweep finds it again; the others need not wait for that.
                claimed += 1
        return SweepReport(claimed, complete=True, parked=self.store.count_parked())

    def _due(self, at_ms: int) -> Iterator[str]:
        # A backlog that outlasts the invocation must not starve the shards that happen to come last.
        first = int(self._random() * self._settings.shards)
        for number in range(self._settings.shards):
            yield from self.store.due((first + number) % self._settings.shards, at_ms)

    def has_time(self, remaining_ms: RemainingTime) -> bool:
        """Whether starting on another transaction makes sense in this invocation."""
        longest = max(step.budget_ms for step in self._steps.values())
        return remaining_ms() >= longest + self._settings.reserve_ms

    # What a claim needs to know of the processor:

    @property
    def settings(self) -> ProcessorSettings:
        """Its figures."""
        return self._settings

    def now_ms(self) -> int:
        """Its clock."""
        return self._clock()

    def wait(self, delay_ms: int) -> None:
        """Wait in this invocation."""
        self._sleep(delay_ms / 1000)

    def backoff_ms(self, attempts: int) -> int:
        """Exponential backoff with full jitter: anything between 0 and the doubled bound.

        Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        """
        settings = self._settings
        bound = min(settings.longest_backoff_ms, settings.backoff_ms * 2 ** min(attempts - 1, 32))
        return int(self._random() * bound)

    def step(self, name: str) -> Step[S] | None:
        """The step of this name, if this code has one."""
        return self._steps.get(name)

    def step_after(self, completed: Sequence[str]) -> str:
        """The step that follows the furthest of the completed ones; empty if there is none.

        A step that is inserted before it while the transaction is under way is not gone back to.
        """
        done = max((self._order.index(name) for name in completed if name in self._steps), default=-1)
        return self._order[done + 1] if done + 1 < len(self._order) else ""


class _Claim(Generic[S]):
    """One claim's work on one transaction."""

    def __init__(self, processor: Processor[S], claimed: Transaction[S], remaining_ms: RemainingTime) -> None:
        self._processor = processor
        self._settings = processor.settings
        self._saved = claimed
        self._lease_until_ms = claimed.due_at_ms or 0
        self._remaining_ms = remaining_ms
        self._progressed = False

    def advance(self) -> Transaction[S]:
        """Work until the transaction is finished, parked, waiting or handed over."""
        working = True
        while working:
            working = self._turn()
        return self._saved

    def _turn(self) -> bool:
        """Do the next thing; returns whether this claim goes on."""
        work = self._saved
        if work.status is Status.RUNNING and not work.step:
            work = replace(work, step=self._processor.step_after(work.completed))
        elif work.status is Status.COMPENSATING:
            work = self._skip_what_needs_no_undoing(work)
            if not work.undo:
                return self._finish(work, Status.COMPENSATED)
            work = replace(work, step=work.undo[-1])
        step = self._processor.step(work.step)
        if step is None:
            return self._park(work, f"this code has no step {work.step!r}")
        if work.attempts > self._settings.max_attempts:
            # The last attempts died without a word, or found no time.
            return self._park(work, work.error or f"{work.attempts - 1} attempts ended without an answer")
        now_ms = self._processor.now_ms()
        deadline_ms = _deadline_ms(work, step)
        if deadline_ms is not None and now_ms >= deadline_ms:
            reason = f"step {step.name} was not complete after {step.timeout_ms} ms"
            return self._compensate(work.with_event("timed_out", step.name, now_ms), reason, uncertain=True)
        if self._time_left_ms() < step.budget_ms:
            return self._hand_over(work, step)
        return self._attempt(work, step)

    def _attempt(self, work: Transaction[S], step: Step[S]) -> bool:
        try:
            outcome = self._call(work, step)
        except Exception as error:
            return self._refuse(work, step, error, final=isinstance(error, StepRejectedError))
        try:
            return self._accept(work, step, outcome)
        except (ActionsRefusedError, StateError, StateTooLargeError, InvalidSettingError) as error:
            return self._refuse(work, step, error, final=_rejects(outcome, error))
        except ClientError as error:
            if is_overload(error):
                raise
            # Nothing was written, and without these actions it would have been: the step's failure.
            return self._refuse(work, step, error, final=False)

    def _refuse(self, work: Transaction[S], step: Step[S], error: Exception, *, final: bool) -> bool:
        if final and work.status is Status.RUNNING:
            return self._reject(work, str(error))
        return self._fail(work, step, error)

    def _call(self, work: Transaction[S], step: Step[S]) -> Outcome[S]:
        undoing = work.status is Status.COMPENSATING
        suffix = ("#undo" if undoing else "") + (f"#{work.slices}" if work.slices else "")
        context = StepContext(
            transaction_id=work.transaction_id,
            step=step.name,
            fencing_token=work.token,
            idempotency_key=f"{work.transaction_id}/{step.name}{suffix}",
            attempt=work.attempts,
            slice=work.slices,
            now_ms=self._processor.now_ms(),
            remaining_ms=self._time_left_ms,
        )
        do = step.compensate if undoing else step.run
        assert do is not None  # steps without compensation are skipped
        # A copy: what a step does to a mutable state before it fails must not be saved with the failure.
        outcome = do(deepcopy(work.state), context)
        if not isinstance(outcome, Done | More | Later):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped steps
            raise InvalidSettingError(f"outcome of step {step.name}", outcome, "Done, More or Later")
        return outcome

    def _accept(self, work: Transaction[S], step: Step[S], outcome: Outcome[S]) -> bool:
        now_ms = self._processor.now_ms()
        if isinstance(outcome, Later):
            due_at_ms = now_ms + outcome.delay_ms
            deadline_ms = _deadline_ms(work, step)
            error = work.error if work.undo else ""
            work = replace(work, state=outcome.state, attempts=0, error=error, updated_at_ms=now_ms)
            return self._release(work, due_at_ms if deadline_ms is None else min(due_at_ms, deadline_ms))
        if len(outcome.actions) > MOST_ACTIONS:
            raise InvalidSettingError("actions", len(outcome.actions), f"at most {MOST_ACTIONS}")
        # The claim that made progress is the first attempt at what comes next.
        work = replace(work, state=outcome.state, attempts=1, error=work.error if work.undo else "")
        if isinstance(outcome, More):
            work = replace(work, slices=work.slices + 1, updated_at_ms=now_ms)
        elif work.status is Status.COMPENSATING:
            work = replace(work.with_event("compensated", step.name, now_ms), undo=work.undo[:-1], slices=0)
            work = self._skip_what_needs_no_undoing(work)
            if not work.undo:
                return self._finish(work, Status.COMPENSATED, outcome)
            work = replace(work, step=work.undo[-1])
        else:
            completed = (*work.completed, step.name)
            work = replace(
                work.with_event("completed", step.name, now_ms),
                completed=completed,
                step=self._processor.step_after(completed),
                step_started_at_ms=now_ms,
                slices=0,
            )
            if not work.step:
                return self._finish(work, Status.COMPLETED, outcome)
        following = self._processor.step(work.step)
        if following is not None and self._time_left_ms() < following.budget_ms:
            # Progress and hand-over in one write.
            return self._hand_over(work, following, outcome)
        self._save(work, outcome)
        self._progressed = True
        return True

    def _finish(self, work: Transaction[S], status: Status, outcome: Done[S] | More[S] | None = None) -> bool:
        now_ms = self._processor.now_ms()
        kept_ms = self._settings.retention_ms
        work = replace(
            work,
            status=status,
            step="",
            attempts=0,
            due_shard="",
            due_at_ms=None,
            owner="",
            updated_at_ms=now_ms,
            expires_at_s=(now_ms + kept_ms) // 1000 if kept_ms else None,
        )
        self._save(work, outcome)
        return False

    def _fail(self, work: Transaction[S], step: Step[S], error: Exception) -> bool:
        now_ms = self._processor.now_ms()
        reason = f"{type(error).__name__}: {error}"
        work = replace(work.with_event("failed", step.name, now_ms, reason), error=_error(work, reason))
        if work.attempts >= self._settings.max_attempts:
            return self._park(work, reason)
        delay_ms = self._processor.backoff_ms(work.attempts)
        if delay_ms <= self._settings.wait_in_place_ms and self._time_left_ms() >= delay_ms + step.budget_ms:
            self._save(replace(work, attempts=work.attempts + 1))
            self._processor.wait(delay_ms)
            return True
        deadline_ms = _deadline_ms(work, step)
        due_at_ms = now_ms + delay_ms
        return self._release(work, due_at_ms if deadline_ms is None else min(due_at_ms, deadline_ms))

    def _reject(self, work: Transaction[S], reason: str) -> bool:
        work = work.with_event("rejected", work.step, self._processor.now_ms(), reason)
        return self._compensate(work, reason, uncertain=work.slices > 0)

    def _compensate(self, work: Transaction[S], reason: str, *, uncertain: bool) -> bool:
        """Turn round; the current step is undone as well if it may have had effects."""
        undo = (*work.completed, work.step) if uncertain else work.completed
        work = replace(work, status=Status.COMPENSATING, undo=undo, error=reason, attempts=1, slices=0)
        work = self._skip_what_needs_no_undoing(work)
        if not work.undo:
            return self._finish(work, Status.COMPENSATED)
        self._save(replace(work, step=work.undo[-1], step_started_at_ms=work.updated_at_ms))
        self._progressed = True
        return True

    def _park(self, work: Transaction[S], reason: str) -> bool:
        now_ms = self._processor.now_ms()
        work = replace(
            work.with_event("parked", work.step, now_ms, reason),
            status=Status.PARKED,
            parked_from=work.status.value,
            error=_error(work, reason),
            due_shard=self._processor.store.parked_shard(work.transaction_id),
            due_at_ms=now_ms,
            owner="",
        )
        self._save(work)
        return False

    def _hand_over(self, work: Transaction[S], step: Step[S], outcome: Done[S] | More[S] | None = None) -> bool:
        """Let the next invocation go on: the mark makes the stream deliver the item again."""
        if self._progressed or outcome is not None:
            # The next claim's try is the first. Without progress the attempt counts: a step that no invocation has
            # time for must not go round for ever.
            work = replace(work, attempts=0)
        else:
            work = replace(work, error=_error(work, f"step {step.name} found less than its {step.budget_ms} ms"))
        due_at_ms = self._settings.lease_end_ms(self._processor.now_ms())
        return self._release(replace(work, wake="continued"), due_at_ms, outcome)

    def _release(self, work: Transaction[S], due_at_ms: int, outcome: Done[S] | More[S] | None = None) -> bool:
        self._save(replace(work, due_at_ms=due_at_ms, owner=""), outcome)
        return False

    def _save(self, work: Transaction[S], outcome: Done[S] | More[S] | None = None) -> None:
        self._saved = self._processor.store.save(self._saved, work, outcome.actions if outcome else ())

    def _skip_what_needs_no_undoing(self, work: Transaction[S]) -> Transaction[S]:
        """Take steps without compensation off the end; a step this code does not know stays, to be parked."""
        undo = work.undo
        while undo and (step := self._processor.step(undo[-1])) is not None and step.compensate is None:
            undo = undo[:-1]
        return replace(work, undo=undo)

    def _time_left_ms(self) -> int:
        until_deadline_ms = self._remaining_ms() - self._settings.reserve_ms
        return min(until_deadline_ms, self._lease_until_ms - self._processor.now_ms())


def _rejects(outcome: Outcome[S], error: Exception) -> bool:
    refused = isinstance(error, ActionsRefusedError)
    return refused and not isinstance(outcome, Later) and outcome.if_refused == "reject"


def _deadline_ms(work: Transaction[S], step: Step[S]) -> int | None:
    """When the current step times out; undoing never does."""
    if step.timeout_ms is None or work.status not in OPEN or work.status is Status.COMPENSATING:
        return None
    return work.step_started_at_ms + step.timeout_ms


def _error(work: Transaction[S], reason: str) -> str:
    """While compensating, the error stays the reason for it; trouble with it is in the history."""
    return work.error if work.status is Status.COMPENSATING else reason
