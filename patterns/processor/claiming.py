"""Claiming transactions and saving their progress: one claim at a time, under a token that fences off the late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, ItemCodecError, decode_item, encode_item
from patterns.dynamodb.refusals import cancellation_reasons, condition_failed, item_of_failed_condition
from patterns.processor.errors import ActionsRefusedError, LostLeaseError, StateError
from patterns.processor.table import TransactionTable
from patterns.processor.transaction import KEY, Status, Transaction, from_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateItemInputTypeDef

S = TypeVar("S")


@dataclass(frozen=True)
class ClaimedTransactions(TransactionTable[S]):
    """The table as the processor uses it."""

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
            item = decode_item(self.call(lambda: self.client.update_item(**update)).get("Attributes", {}))
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
            "Item": self.encoded(after),
            "ConditionExpression": "#token = :token AND revision = :revision",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": encode_item({":token": before.token, ":revision": before.revision}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            if actions:
                transact: list[TransactWriteItemTypeDef] = [{"Put": cast("Any", put)}, *actions]
                self.call(lambda: self.client.transact_write_items(TransactItems=transact))
            else:
                self.call(lambda: self.client.put_item(**put))
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise _refusal(error) from error
            # Stored is exactly what was to be written: this very write, whose answer was lost.
            if stored != put["Item"]:
                raise LostLeaseError(before.transaction_id, before.token) from None
        return after

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
        self.call(
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


def _refusal(error: ClientError) -> Exception:
    """What a failed save means if the progress itself was not refused."""
    if not condition_failed(error):
        return error
    refused = [
        f"action {number}: {reason.get('Code')}" + (f" ({reason['Message']})" if reason.get("Message") else "")
        for number, reason in enumerate(cancellation_reasons(error))
        if reason.get("Code", "None") != "None"
    ]
    return ActionsRefusedError("; ".join(refused))
