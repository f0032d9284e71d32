"""Parked transactions: listed, driven on or given up at an operator's word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, encode_item
from patterns.dynamodb.refusals import answer_was_lost, item_of_failed_condition
from patterns.processor.errors import NotParkedError, TransactionNotFoundError
from patterns.processor.table import TransactionTable, check_id
from patterns.processor.transaction import KEY, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.type_defs import UpdateItemInputTypeDef

    from patterns.processor.transaction import Transaction

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked transaction as listed: its id, and since when (epoch ms)."""

    transaction_id: str
    since_ms: int


@dataclass(frozen=True)
class ParkedTransactions(TransactionTable[S]):
    """The table as an operator uses it."""

    def parked(self) -> Iterator[Parked]:
        """Yield the parked transactions, shard by shard, longest parked first. Read from the index, never by scan."""
        for shard in range(self.settings.shards):
            for transaction_id, since_ms in self.indexed(f"parked-{shard}"):
                yield Parked(transaction_id, since_ms)

    def count_parked(self) -> int:
        """Return how many transactions are parked. One query of the index a shard; eventually consistent."""
        return sum(1 for _ in self.parked())

    def redrive(self, transaction_id: str) -> None:
        """Let a parked transaction go on where it stopped, with all its attempts again.

        Raises
        ------
        TransactionNotFoundError, NotParkedError
            Nothing was written.
        """
        check_id(transaction_id)
        at_ms = self.clock()
        self._update_parked(
            transaction_id,
            update=(
                "SET #status = parked_from, attempts = :zero, step_started_at_ms = :now, updated_at_ms = :now, "
                "wake = :wake, due_shard = :shard, due_at_ms = :due, history = list_append(history, :event) "
                "REMOVE parked_from"
            ),
            condition="#status = :parked",
            values={
                ":parked": Status.PARKED.value,
                ":zero": 0,
                ":now": at_ms,
                ":wake": "redriven",
                ":shard": self.due_shard(transaction_id),
                ":due": self.settings.lease_end_ms(at_ms),
                ":event": [{"event": "redriven", "step": "", "at_ms": at_ms}],
            },
        )

    def abandon(self, transaction_id: str, reason: str) -> None:
        """Give a parked transaction up: compensate what it did, its current step included.

        Parameters
        ----------
        transaction_id
            Must be parked. One that was parked while compensating goes on compensating, as with `redrive`.
        reason
            For the history.

        Raises
        ------
        TransactionNotFoundError, NotParkedError
            Nothing was written.
        StateError
            The state is not of the codec's type, so this code cannot undo anything either; nothing was written.
        """
        while not self._abandon(self.get(transaction_id), reason):
            pass  # re-driven meanwhile, and parked again further on: there is more to undo

    def _abandon(self, parked: Transaction[S], reason: str) -> bool:
        transaction_id = parked.transaction_id
        if parked.status is not Status.PARKED:
            raise NotParkedError(transaction_id, parked.status.value)
        at_ms = self.clock()
        undo = parked.undo
        if parked.parked_from == Status.RUNNING.value:
            undo = (*parked.completed, parked.step) if parked.step else parked.completed
        return self._update_parked(
            transaction_id,
            update=(
                "SET #status = :compensating, #undo = :undo, #error = :reason, attempts = :zero, slices = :zero, "
                "step_started_at_ms = :now, updated_at_ms = :now, wake = :wake, due_shard = :shard, due_at_ms = :due, "
                "history = list_append(history, :event) REMOVE parked_from"
            ),
            condition="#status = :parked AND revision = :revision",
            values={
                ":parked": Status.PARKED.value,
                ":revision": parked.revision,
                ":compensating": Status.COMPENSATING.value,
                ":undo": list(undo),
                ":reason": f"abandoned: {reason}"[:300],
                ":zero": 0,
                ":now": at_ms,
                ":wake": "abandoned",
                ":shard": self.due_shard(transaction_id),
                ":due": self.settings.lease_end_ms(at_ms),
                ":event": [{"event": "abandoned", "step": parked.step, "at_ms": at_ms, "detail": reason[:300]}],
            },
        )

    def _update_parked(self, transaction_id: str, *, update: str, condition: str, values: Item) -> bool:
        """Return whether it was written; False if the transaction is parked, but not as it was read."""
        names = {f"#{name}": name for name in ("status", "error", "undo") if f"#{name}" in update}
        arguments: UpdateItemInputTypeDef = {
            "TableName": self.settings.table,
            "Key": {KEY: {"S": transaction_id}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": encode_item(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        tries = 0

        def write() -> None:
            nonlocal tries
            tries += 1
            self.client.update_item(**arguments)

        try:
            self.call(write)
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise
            if not stored:
                raise TransactionNotFoundError(transaction_id) from None
            if tries > 1 or answer_was_lost(error):
                (event,) = encode_item(values)[":event"].get("L", [])
                if event in stored["history"]["L"]:
                    return True  # this very write
            if stored["status"] != {"S": Status.PARKED.value}:
                raise NotParkedError(transaction_id, stored["status"]["S"]) from None
            return False
        return True
