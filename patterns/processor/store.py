"""The transactions table: submit, look up, claim, save, and the index of what is due."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from os import urandom
from random import random as real_random
from time import sleep as real_sleep
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from zlib import crc32

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, ItemCodecError, Value, decode_item, encode_item
from patterns.processor.calls import cancellation_reasons, error_code, item_of_failed_condition, with_retries
from patterns.processor.errors import (
    ActionsRefusedError,
    InvalidTransactionIdError,
    LostLeaseError,
    NotParkedError,
    StateError,
    StateTooLargeError,
    SubmissionConflictError,
    TransactionNotFoundError,
)
from patterns.processor.settings import now_ms
from patterns.processor.transaction import (
    DUE_AT,
    DUE_INDEX,
    DUE_SHARD,
    KEY,
    Status,
    Transaction,
    from_item,
    to_item,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutItemInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateItemInputTypeDef,
    )

    from patterns.processor.settings import Clock, ProcessorSettings, Random, Sleep
    from patterns.processor.state_codec import StateCodec

S = TypeVar("S")

LARGEST_STATE = 350_000
"""Bytes; what remains of an item's 409,600 holds history, keys and reasons with room to spare."""

_LONGEST_ID = 256


@dataclass(frozen=True)
class Submission(Generic[S]):
    """What became of a submission: the stored transaction, and whether this call created it."""

    transaction: Transaction[S]
    created: bool


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked transaction as listed: its id, and since when (epoch ms)."""

    transaction_id: str
    since_ms: int


def _claim_id() -> str:
    return urandom(16).hex()


@dataclass(frozen=True)
class TransactionStore(Generic[S]):
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

    client: DynamoDBClient
    settings: ProcessorSettings
    codec: StateCodec[S]
    clock: Clock = now_ms
    sleep: Sleep = real_sleep
    random: Random = real_random
    new_claim_id: Callable[[], str] = _claim_id

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
            self._call(lambda: self.client.put_item(**put))
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

    def get(self, transaction_id: str) -> Transaction[S]:
        """Return where a transaction is. One strongly consistent read.

        Raises
        ------
        TransactionNotFoundError
            There is none.
        StateError
            Its state is not of the codec's type.
        """
        _check_id(transaction_id)
        answer = self._call(
            lambda: self.client.get_item(
                TableName=self.settings.table, Key={KEY: {"S": transaction_id}}, ConsistentRead=True
            )
        )
        if "Item" not in answer:
            raise TransactionNotFoundError(transaction_id)
        return from_item(decode_item(answer["Item"]), self.codec)

    def parked(self) -> Iterator[Parked]:
        """Yield the parked transactions, shard by shard, longest parked first. Read from the index, never by scan."""
        for shard in range(self.settings.shards):
            for transaction_id, since_ms in self._indexed(f"parked-{shard}", None):
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
        _check_id(transaction_id)
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
        """
        parked = self.get(transaction_id)
        if parked.status is not Status.PARKED:
            raise NotParkedError(transaction_id, parked.status.value)
        at_ms = self.clock()
        undo = parked.undo
        if parked.parked_from == Status.RUNNING.value:
            undo = (*parked.completed, parked.step) if parked.step else parked.completed
        self._update_parked(
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

    def due(self, shard: int, at_ms: int) -> Iterator[str]:
        """Yield the ids of one shard's transactions that are due, longest due first, from the index."""
        for transaction_id, _ in self._indexed(f"due-{shard}", at_ms):
            yield transaction_id

    def due_shard(self, transaction_id: str) -> str:
        """Return the index partition in which an open transaction waits."""
        return f"due-{self._shard(transaction_id)}"

    def parked_shard(self, transaction_id: str) -> str:
        """Return the index partition in which a parked transaction waits."""
        return f"parked-{self._shard(transaction_id)}"

    def claim(self, transaction_id: str) -> Transaction[S] | None:
        """Become the only one to work on a transaction, until the lease ends. One conditional write.

        Counts an attempt, so that work that kills its process is counted too.

        Returns
        -------
        Transaction[S] | None
            With the new fencing token; None if it is not there, finished, parked, waiting, or somebody else's.
        """
        at_ms = self.clock()
        owner = self.new_claim_id()
        update: UpdateItemInputTypeDef = {
            "TableName": self.settings.table,
            "Key": {KEY: {"S": transaction_id}},
            "UpdateExpression": (
                "SET #token = #token + :one, attempts = attempts + :one, #owner = :owner, due_at_ms = :until "
                "REMOVE wake"
            ),
            # A wake mark means "at once".
            "ConditionExpression": (
                "#status IN (:running, :compensating) AND (due_at_ms <= :now OR attribute_exists(wake))"
            ),
            "ExpressionAttributeNames": {"#token": "token", "#owner": "owner", "#status": "status"},
            "ExpressionAttributeValues": encode_item(
                {
                    ":one": 1,
                    ":owner": owner,
                    ":until": self.settings.lease_end_ms(at_ms),
                    ":now": at_ms,
                    ":running": Status.RUNNING.value,
                    ":compensating": Status.COMPENSATING.value,
                }
            ),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            item = decode_item(self._call(lambda: self.client.update_item(**update)).get("Attributes", {}))
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise
            # A repeated call whose first answer was lost finds its own claim.
            if stored.get("owner") != {"S": owner}:
                return None
            item = decode_item(stored)
        try:
            return from_item(item, self.codec)
        except (StateError, ItemCodecError) as error:
            self._park_unreadable(transaction_id, item, error)
            return None

    def save(
        self, before: Transaction[S], after: Transaction[S], actions: Sequence[TransactWriteItemTypeDef] = ()
    ) -> Transaction[S]:
        """Store a claim holder's progress, together with a step's actions.

        Parameters
        ----------
        before
            As claimed or last saved.
        after
            What it is now.
        actions
            Committed in the same transaction, at most 99.

        Returns
        -------
        Transaction[S]
            `after`, as stored.

        Raises
        ------
        LostLeaseError
            The transaction was claimed by somebody else meanwhile.
        ActionsRefusedError
            A condition among the actions did not hold.
        """
        after = replace(after, revision=before.revision + 1)
        put: dict[str, Any] = {
            "TableName": self.settings.table,
            "Item": self._encoded(after),
            "ConditionExpression": "#token = :token AND revision = :revision",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": encode_item({":token": before.token, ":revision": before.revision}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            if actions:
                transact: list[TransactWriteItemTypeDef] = [{"Put": cast("Any", put)}, *actions]
                self._call(lambda: self.client.transact_write_items(TransactItems=transact))
            else:
                self._call(lambda: self.client.put_item(**put))
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise _refusal(error) from error
            # Stored is exactly what was to be written: this very write, whose answer was lost.
            if stored != put["Item"]:
                raise LostLeaseError(before.transaction_id, before.token) from None
        return after

    def _new(self, transaction_id: str, state: S) -> Transaction[S]:
        _check_id(transaction_id)
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
            "Item": self._encoded(transaction),
            "ConditionExpression": f"attribute_not_exists({KEY})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _encoded(self, transaction: Transaction[S]) -> dict[str, AttributeValueTypeDef]:
        item = to_item(transaction, self.codec)
        size = _size(item["state"])
        if size > LARGEST_STATE:
            raise StateTooLargeError(size, LARGEST_STATE)
        return encode_item(item)

    def _shard(self, transaction_id: str) -> int:
        return crc32(transaction_id.encode()) % self.settings.shards

    def _indexed(self, shard: str, until_ms: int | None) -> Iterator[tuple[str, int]]:
        values: Item = {":shard": shard}
        condition = ""
        if until_ms is not None:
            values[":until"] = until_ms
            condition = f" AND {DUE_AT} <= :until"
        query: dict[str, Any] = {
            "TableName": self.settings.table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": f"{DUE_SHARD} = :shard{condition}",
            "ExpressionAttributeValues": encode_item(values),
        }
        while True:
            answer = self._call(lambda: self.client.query(**query))
            for found in map(decode_item, answer["Items"]):
                yield cast("str", found[KEY]), cast("int", found[DUE_AT])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _update_parked(self, transaction_id: str, *, update: str, condition: str, values: Item) -> None:
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
        try:
            self._call(lambda: self.client.update_item(**arguments))
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise
            if not stored:
                raise TransactionNotFoundError(transaction_id) from None
            raise NotParkedError(transaction_id, stored["status"]["S"]) from None

    def _park_unreadable(self, transaction_id: str, item: Item, error: Exception) -> None:
        """Park what this code cannot read, touching nothing it does not understand."""
        at_ms = self.clock()
        values: Item = {
            ":token": item["token"],
            ":parked": Status.PARKED.value,
            ":from": item["status"],
            ":shard": self.parked_shard(transaction_id),
            ":now": at_ms,
            ":error": str(error)[:300],
            ":one": 1,
        }
        self._call(
            lambda: self.client.update_item(
                TableName=self.settings.table,
                Key={KEY: {"S": transaction_id}},
                UpdateExpression=(
                    "SET #status = :parked, parked_from = :from, due_shard = :shard, due_at_ms = :now, "
                    "#error = :error, updated_at_ms = :now, revision = revision + :one"
                ),
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#status": "status", "#error": "error", "#token": "token"},
                ExpressionAttributeValues=encode_item(values),
            )
        )

    def _call(self, call: Callable[[], Any]) -> Any:
        return with_retries(call, self.sleep, self.random)


def _check_id(transaction_id: object) -> None:
    if type(transaction_id) is str:
        try:
            if 1 <= len(transaction_id.encode()) <= _LONGEST_ID:
                return
        except UnicodeEncodeError:  # half a surrogate pair
            pass
    raise InvalidTransactionIdError(transaction_id)


def _refusal(error: ClientError) -> Exception:
    """What a failed save means if the progress itself was not refused."""
    if error_code(error) != "TransactionCanceledException":
        return error
    refused = [
        f"action {number}: {reason.get('Code')}" + (f" ({reason['Message']})" if reason.get("Message") else "")
        for number, reason in enumerate(cancellation_reasons(error))
        if reason.get("Code", "None") != "None"
    ]
    if any(reason.get("Code") == "ConditionalCheckFailed" for reason in cancellation_reasons(error)):
        return ActionsRefusedError("; ".join(refused))
    return error


def _fingerprint(state: Item) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), default=_bytes_as_hex)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _bytes_as_hex(value: bytes) -> dict[str, str]:
    return {"bytes": value.hex()}


def _size(value: Value) -> int:
    """Bytes DynamoDB counts for a value, rounded up (numbers as 21)."""
    match value:
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case bytes():
            return len(value)
        case list():
            return 3 + sum(1 + _size(member) for member in value)
        case Mapping():
            return 3 + sum(1 + len(name.encode()) + _size(member) for name, member in value.items())
        case bool() | None:
            return 1
        case _:
            return 21
