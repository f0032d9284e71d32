"""One claim's work on one transaction: run the steps, save, and go on, wait, undo, park or hand over."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from patterns.dynamodb.refusals import error_code
from patterns.dynamodb.retries import Retries
from patterns.dynamodb.transient import LOST_ANSWERS, TRANSIENT_ERRORS
from patterns.processor.errors import ActionsRefusedError, InvalidSettingError, LostLeaseError, StepRejectedError
from patterns.processor.steps import MOST_ACTIONS, Done, Later, More, StepContext
from patterns.processor.transaction import Status

if TYPE_CHECKING:
    from patterns.processor.plan import Plan
    from patterns.processor.settings import RemainingTime
    from patterns.processor.steps import Outcome, Step
    from patterns.processor.store import TransactionStore
    from patterns.processor.transaction import Transaction

S = TypeVar("S")


class Claim(Generic[S]):
    """One claim's work on one transaction."""

    def __init__(
        self, store: TransactionStore[S], plan: Plan[S], claimed: Transaction[S], remaining_ms: RemainingTime
    ) -> None:
        self._store = store
        self._plan = plan
        self._settings = store.settings
        self._backoff = Retries(
            sleep=store.sleep,
            random=store.random,
            first_wait_ms=self._settings.backoff_ms,
            longest_wait_ms=self._settings.longest_backoff_ms,
        )
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
            work = replace(work, step=self._plan.step_after(work.completed))
        elif work.status is Status.COMPENSATING:
            work = replace(work, undo=self._plan.to_undo(work.undo))
            if not work.undo:
                return self._finish(work, Status.COMPENSATED)
            work = replace(work, step=work.undo[-1])
        step = self._plan.step(work.step)
        if step is None:
            return self._park(work, f"this code has no step {work.step!r}")
        if work.attempts > self._settings.max_attempts:
            # The last attempts died without a word, or found no time.
            return self._park(work, work.error or f"{work.attempts - 1} attempts ended without an answer")
        now_ms = self._store.clock()
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
        except (LostLeaseError, *LOST_ANSWERS):
            raise
        except Exception as error:
            if error_code(error) in TRANSIENT_ERRORS:
                raise
            # Nothing was written, and with another outcome it would have been: the step's failure. A malformed action
            # can fail anywhere on its way, with any exception.
            return self._refuse(work, step, error, final=_rejects(outcome, error))

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
            now_ms=self._store.clock(),
            remaining_ms=self._time_left_ms,
        )
        do = step.compensate if undoing else step.run
        assert do is not None  # steps without compensation are skipped
        # A copy: what a step does to a mutable state before it fails must not be saved with the failure.
        outcome = do(deepcopy(work.state), context)
        if not isinstance(outcome, Done | More | Later):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped steps
            raise InvalidSettingError(f"outcome of step {step.name}", outcome, "must be Done, More or Later")
        return outcome

    def _accept(self, work: Transaction[S], step: Step[S], outcome: Outcome[S]) -> bool:
        now_ms = self._store.clock()
        if isinstance(outcome, Later):
            due_at_ms = now_ms + outcome.delay_ms
            deadline_ms = _deadline_ms(work, step)
            error = work.error if work.undo else ""
            work = replace(work, state=outcome.state, attempts=0, error=error, updated_at_ms=now_ms)
            return self._release(work, due_at_ms if deadline_ms is None else min(due_at_ms, deadline_ms))
        if len(outcome.actions) > MOST_ACTIONS:
            raise InvalidSettingError("actions", len(outcome.actions), f"must be at most {MOST_ACTIONS}")
        # The claim that made progress is the first attempt at what comes next.
        work = replace(work, state=outcome.state, attempts=1, error=work.error if work.undo else "")
        if isinstance(outcome, More):
            work = replace(work, slices=work.slices + 1, updated_at_ms=now_ms)
        elif work.status is Status.COMPENSATING:
            work = replace(work.with_event("compensated", step.name, now_ms), undo=work.undo[:-1], slices=0)
            work = replace(work, undo=self._plan.to_undo(work.undo))
            if not work.undo:
                return self._finish(work, Status.COMPENSATED, outcome)
            work = replace(work, step=work.undo[-1])
        else:
            completed = (*work.completed, step.name)
            work = replace(
                work.with_event("completed", step.name, now_ms),
                completed=completed,
                step=self._plan.step_after(completed),
                step_started_at_ms=now_ms,
                slices=0,
            )
            if not work.step:
                return self._finish(work, Status.COMPLETED, outcome)
        following = self._plan.step(work.step)
        if following is not None and self._time_left_ms() < following.budget_ms:
            # Progress and hand-over in one write.
            return self._hand_over(work, following, outcome)
        self._save(work, outcome)
        self._progressed = True
        return True

    def _finish(self, work: Transaction[S], status: Status, outcome: Done[S] | More[S] | None = None) -> bool:
        now_ms = self._store.clock()
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
        now_ms = self._store.clock()
        reason = f"{type(error).__name__}: {error}"
        work = replace(work.with_event("failed", step.name, now_ms, reason), error=_error(work, reason))
        if work.attempts >= self._settings.max_attempts:
            return self._park(work, reason)
        delay_ms = round(1000 * self._backoff.wait_s(work.attempts))
        if delay_ms <= self._settings.wait_in_place_ms and self._time_left_ms() >= delay_ms + step.budget_ms:
            self._save(replace(work, attempts=work.attempts + 1))
            self._store.sleep(delay_ms / 1000)
            return True
        deadline_ms = _deadline_ms(work, step)
        due_at_ms = now_ms + delay_ms
        return self._release(work, due_at_ms if deadline_ms is None else min(due_at_ms, deadline_ms))

    def _reject(self, work: Transaction[S], reason: str) -> bool:
        work = work.with_event("rejected", work.step, self._store.clock(), reason)
        return self._compensate(work, reason, uncertain=work.slices > 0)

    def _compensate(self, work: Transaction[S], reason: str, *, uncertain: bool) -> bool:
        """Turn round; the current step is undone as well if it may have had effects."""
        undo = (*work.completed, work.step) if uncertain else work.completed
        work = replace(work, status=Status.COMPENSATING, undo=undo, error=reason, attempts=1, slices=0)
        work = replace(work, undo=self._plan.to_undo(work.undo))
        if not work.undo:
            return self._finish(work, Status.COMPENSATED)
        self._save(replace(work, step=work.undo[-1], step_started_at_ms=work.updated_at_ms))
        self._progressed = True
        return True

    def _park(self, work: Transaction[S], reason: str) -> bool:
        now_ms = self._store.clock()
        work = replace(
            work.with_event("parked", work.step, now_ms, reason),
            status=Status.PARKED,
            parked_from=work.status.value,
            error=_error(work, reason),
            due_shard=self._store.parked_shard(work.transaction_id),
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
        due_at_ms = self._settings.lease_end_ms(self._store.clock())
        return self._release(replace(work, wake="continued"), due_at_ms, outcome)

    def _release(self, work: Transaction[S], due_at_ms: int, outcome: Done[S] | More[S] | None = None) -> bool:
        self._save(replace(work, due_at_ms=due_at_ms, owner=""), outcome)
        return False

    def _save(self, work: Transaction[S], outcome: Done[S] | More[S] | None = None) -> None:
        self._saved = self._store.save(self._saved, work, outcome.actions if outcome else ())

    def _time_left_ms(self) -> int:
        until_deadline_ms = self._remaining_ms() - self._settings.reserve_ms
        return min(until_deadline_ms, self._lease_until_ms - self._store.clock())


def _rejects(outcome: Outcome[S], error: Exception) -> bool:
    refused = isinstance(error, ActionsRefusedError)
    return refused and not isinstance(outcome, Later) and outcome.if_refused == "reject"


def _deadline_ms(work: Transaction[S], step: Step[S]) -> int | None:
    """When the current step times out; undoing never does."""
    if step.timeout_ms is None or work.status is not Status.RUNNING:
        return None
    return work.step_started_at_ms + step.timeout_ms


def _error(work: Transaction[S], reason: str) -> str:
    """While compensating, the error stays the reason for it; trouble with it is in the history."""
    return work.error if work.status is Status.COMPENSATING else reason
