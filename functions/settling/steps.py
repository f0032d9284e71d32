"""How a commit is settled: the accounts change, then the players whose orders are complete are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from functions.accounts.journal import journal_entries, settlement_cause
from functions.settling.gathering import part_record
from functions.settling.notifications import notification_put
from functions.settling.order_parts import order_parts, whole_order
from functions.settling.settlement import settlement_id
from market.accounts.changes import settlement_slices
from patterns.processor.steps import MOST_ACTIONS, Done, More, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.accounts.ledger import Ledger
    from functions.settling.order_parts import OrderPart
    from functions.settling.settlement import Settlement
    from functions.settling.tape_reader import TapeReader
    from market.accounts.bookkeeping import Slice
    from market.tape import TapeCommit
    from patterns.aggregator.aggregator import Aggregator
    from patterns.processor.steps import Outcome, StepContext

ORDERS_A_SLICE = 40
"""Orders whose parts are handed on before the progress is stored: some 0.2 s of work, eight at a time."""


class Spread(Protocol):
    """Calls a function for each of some values, side by side if it can: ``map``, or that of a thread pool."""

    def __call__(self, function: Callable[[OrderPart], object], parts: Iterable[OrderPart], /) -> Iterable[object]:
        """Return the results in order; raises what the function raised."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementSteps:
    """The steps of a settlement, and what they work with.

    Parameters
    ----------
    tape
        Where the commits are.
    ledger
        Turns account changes into writes.
    orders
        Gathers orders that take several commits.
    notifications_table
        Name of the table with the notifications.
    spread
        Gathers orders side by side.
    """

    tape: TapeReader
    ledger: Ledger
    orders: Aggregator
    notifications_table: str
    spread: Spread

    def steps(self) -> list[Step[Settlement]]:
        """Return the processor's one step: what a commit needs is one transaction, mostly."""
        return [Step(name="settle", run=self.settle, budget_ms=5_000)]

    def settle(self, state: Settlement, context: StepContext) -> Outcome[Settlement]:
        """Do the next slice: first of the commit's account changes, then of its orders.

        The last of the account changes takes along as many notifications as have room in its transaction.
        """
        commit = self.tape.commit(state.material, state.sequence)
        slices, parts = settlement_slices(commit), order_parts(commit)
        actions: list[TransactWriteItemTypeDef] = []
        told: Sequence[OrderPart] = ()
        if state.settled < len(slices):
            actions = self._change_accounts(commit, state.settled, slices[state.settled], context.attempt)
            state = replace(state, settled=state.settled + 1)
            if state.settled == len(slices):
                # Only notifications are written with the accounts; what is gathered must not be ahead of them.
                told = [part for part in parts if part.is_whole][: MOST_ACTIONS - len(actions)]
        else:
            told = parts[state.notified : state.notified + ORDERS_A_SLICE]
            list(self.spread(lambda part: self._gather(commit, part), [part for part in told if not part.is_whole]))
        actions += [
            notification_put(self.notifications_table, whole_order(commit, part)) for part in told if part.is_whole
        ]
        state = replace(state, notified=state.notified + len(told))
        finished = state.settled == len(slices) and state.notified == len(parts)
        return (Done if finished else More)(state, actions)

    def _change_accounts(
        self, commit: TapeCommit, number: int, changes: Slice, attempt: int
    ) -> list[TransactWriteItemTypeDef]:
        """Return the actions of one slice, which are refused as a whole if one of its journal entries exists.

        Then a settlement that the processor has forgotten since has settled it, and nothing is left to do. They are
        also refused if an account would go below zero, which no commit may bring about: they are tried again, and then
        the settlement is parked.
        """
        cause = settlement_cause(commit.material, commit.sequence, number)
        entries = journal_entries(changes, cause, commit.committed_at_ms)
        # Whether it has been settled before is asked only when something is amiss: settling costs no read.
        if attempt > 1 and entries and self.ledger.is_written(entries[0]):
            return []
        return self.ledger.actions(changes, entries)

    def _gather(self, commit: TapeCommit, part: OrderPart) -> None:
        record = part_record(commit, part, settlement_id(commit.material, commit.sequence))
        self.orders.add_all(part.order_id, [record])
