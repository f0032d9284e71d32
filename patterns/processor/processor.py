"""Finds transactions to drive, claims them, and takes each as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass
from time import sleep as real_sleep
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import ClientError

from patterns.dynamodb.retries import JITTER
from patterns.dynamodb.transient import LOST_ANSWERS
from patterns.processor.claim import Claim
from patterns.processor.errors import LostLeaseError
from patterns.processor.plan import Plan
from patterns.processor.settings import now_ms
from patterns.processor.store import TransactionStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.processor.settings import Clock, ProcessorSettings, Random, RemainingTime, Sleep
    from patterns.processor.state_codec import StateCodec
    from patterns.processor.steps import Step
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
        random: Random = JITTER,
    ) -> None:
        self.store = TransactionStore(client, settings, codec, clock, sleep, random)
        self._plan = Plan(steps)

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
        botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            DynamoDB could not be reached or refused for too long. Safe to call again.
        """
        claimed = self.store.claim(transaction_id)
        if claimed is None:
            return None
        try:
            return Claim(self.store, self._plan, claimed, remaining_ms).advance()
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
        at_ms = self.store.clock()
        claimed = 0
        for transaction_id in self._due(at_ms):
            if claimed and not self.has_time(remaining_ms):
                return SweepReport(claimed, complete=False, parked=self.store.count_parked())
            try:
                claimed += self.run(transaction_id, remaining_ms) is not None
            except (ClientError, *LOST_ANSWERS):
                # Its lease ends, and a later sweep finds it again; the others need not wait for that.
                claimed += 1
        return SweepReport(claimed, complete=True, parked=self.store.count_parked())

    def _due(self, at_ms: int) -> Iterator[str]:
        # A backlog that outlasts the invocation must not starve the shards that happen to come last.
        first = int(self.store.random() * self.settings.shards)
        for number in range(self.settings.shards):
            yield from self.store.due((first + number) % self.settings.shards, at_ms)

    def has_time(self, remaining_ms: RemainingTime) -> bool:
        """Whether starting on another transaction makes sense in this invocation."""
        return remaining_ms() >= self._plan.longest_budget_ms + self.settings.reserve_ms

    @property
    def settings(self) -> ProcessorSettings:
        """Its figures."""
        return self.store.settings
