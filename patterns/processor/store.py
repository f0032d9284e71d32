"""Submitting transactions and looking them up: all that a caller or an operator needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item
from patterns.dynamodb.refusals import item_of_failed_condition
from patterns.processor.claiming import ClaimedTransactions
from patterns.processor.errors import SubmissionConflictError
from patterns.processor.parking import ParkedTransactions
from patterns.processor.table import check_id
from patterns.processor.transaction import KEY, Status, Transaction, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import PutItemInputTypeDef, TransactWriteItemTypeDef

S = TypeVar("S")


@dataclass(frozen=True)
class Submission(Generic[S]):
    """What became of a submission: the stored transaction, and whether this call created it."""

    transaction: Transaction[S]
    created: bool


@dataclass(frozen=True)
class TransactionStore(ParkedTransactions[S], ClaimedTransactions[S]):
    """Submits and looks up transactions; all that a caller or an operator needs. Knows no steps.

    Parameters
    ----------
    client
        DynamoDB client.
    settings
        Table name and figures.
    codec
        Of the transactions' state.
    clock
        Epoch ms.
    sleep, random
        Waits so many seconds; uniform in [0, 1). For retries of single calls.
    new_claim_id
        Returns a text no other claim has. Default: 128 bits of the operating system's randomness, which no two
        processes share, not even those started from one snapshot.
    """

    def submit(self, transaction_id: str, state: S) -> Submission[S]:
        """Store a new transaction; its processing starts through the table's stream.

        Idempotent: submitting the same id and state again returns what is stored, whatever has become of it.

        Parameters
        ----------
        transaction_id
            Chosen by the caller, 1 to 256 bytes; best derived from what caused the request.
        state
            Initial state.

        Raises
        ------
        SubmissionConflictError
            The id exists with another initial state.
        InvalidTransactionIdError, StateError, StateTooLargeError
            Nothing was stored.
        """
        transaction = self._new(transaction_id, state)
        put = cast("PutItemInputTypeDef", self._submission_put(transaction))
        try:
            self.call(lambda: self.client.put_item(**put))
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise
            existing = from_item(decode_item(stored), self.codec)
            if existing.fingerprint != transaction.fingerprint:
                raise SubmissionConflictError(transaction_id) from None
            return Submission(existing, created=False)
        return Submission(transaction, created=True)

    def submit_action(self, transaction_id: str, state: S) -> TransactWriteItemTypeDef:
        """Return the action that submits, for a TransactWriteItems call of the caller's own.

        So a request and the transaction it starts are stored both or not at all. The action's condition fails if the id
        exists. Raises as `submit` does for bad input.
        """
        return {"Put": cast("Any", self._submission_put(self._new(transaction_id, state)))}

    def _new(self, transaction_id: str, state: S) -> Transaction[S]:
        check_id(transaction_id)
        at_ms = self.clock()
        return Transaction(
            transaction_id=transaction_id,
            status=Status.RUNNING,
            state=state,
            fingerprint=_fingerprint(self.codec.encode(state)),
            submitted_at_ms=at_ms,
            step_started_at_ms=at_ms,
            updated_at_ms=at_ms,
            due_shard=self.due_shard(transaction_id),
            # The stream picks it up at once; if its delivery fails, the sweep does later.
            due_at_ms=self.settings.lease_end_ms(at_ms),
            wake="submitted",
        ).with_event("submitted", "", at_ms)

    def _submission_put(self, transaction: Transaction[S]) -> dict[str, Any]:
        return {
            "TableName": self.settings.table,
            "Item": self.encoded(transaction),
            "ConditionExpression": f"attribute_not_exists({KEY})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _fingerprint(state: Item) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), default=_bytes_as_hex)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _bytes_as_hex(value: bytes) -> dict[str, str]:
    return {"bytes": value.hex()}
