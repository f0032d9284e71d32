"""The transactions table: where it is, how an item is read and written, and the index of what is due or parked."""

from __future__ import annotations

from dataclasses import dataclass
from os import urandom
from time import sleep as real_sleep
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from zlib import crc32

from patterns.dynamodb.item_size import value_size
from patterns.dynamodb.items import Item, decode_item, encode_item
from patterns.dynamodb.retries import JITTER, Retries
from patterns.dynamodb.texts import is_text
from patterns.processor.errors import InvalidTransactionIdError, StateTooLargeError, TransactionNotFoundError
from patterns.processor.settings import now_ms
from patterns.processor.transaction import DUE_AT, DUE_INDEX, DUE_SHARD, KEY, Transaction, from_item, to_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from patterns.processor.settings import Clock, ProcessorSettings, Random, Sleep
    from patterns.processor.state_codec import StateCodec

S = TypeVar("S")
_Result = TypeVar("_Result")

LARGEST_STATE = 350_000
"""Bytes; what remains of an item's 409,600 holds history, keys and reasons with room to spare."""

_LONGEST_ID = 256


def _claim_id() -> str:
    return urandom(16).hex()


@dataclass(frozen=True)
class TransactionTable(Generic[S]):
    """What all that is done with transactions stands on; see `TransactionStore` for the parameters."""

    client: DynamoDBClient
    settings: ProcessorSettings
    codec: StateCodec[S]
    clock: Clock = now_ms
    sleep: Sleep = real_sleep
    random: Random = JITTER
    new_claim_id: Callable[[], str] = _claim_id

    def get(self, transaction_id: str) -> Transaction[S]:
        """Return where a transaction is. One strongly consistent read.

        Raises
        ------
        TransactionNotFoundError
            There is none.
        StateError
            Its state is not of the codec's type.
        """
        check_id(transaction_id)
        answer = self.call(
            lambda: self.client.get_item(
                TableName=self.settings.table, Key={KEY: {"S": transaction_id}}, ConsistentRead=True
            )
        )
        if "Item" not in answer:
            raise TransactionNotFoundError(transaction_id)
        return from_item(decode_item(answer["Item"]), self.codec)

    def due(self, shard: int, at_ms: int) -> Iterator[str]:
        """Yield the ids of one shard's transactions that are due, longest due first, from the index."""
        for transaction_id, _ in self.indexed(f"due-{shard}", at_ms):
            yield transaction_id

    def due_shard(self, transaction_id: str) -> str:
        """Return the index partition in which an open transaction waits."""
        return f"due-{self._shard(transaction_id)}"

    def parked_shard(self, transaction_id: str) -> str:
        """Return the index partition in which a parked transaction waits."""
        return f"parked-{self._shard(transaction_id)}"

    def encoded(self, transaction: Transaction[S]) -> dict[str, AttributeValueTypeDef]:
        """Return a transaction as its item.

        Raises
        ------
        StateError, StateTooLargeError
            The state is not of the codec's type, or too large.
        """
        item = to_item(transaction, self.codec)
        size = value_size(item["state"])
        if size > LARGEST_STATE:
            raise StateTooLargeError(size, LARGEST_STATE)
        return encode_item(item)

    def indexed(self, shard: str, until_ms: int | None = None) -> Iterator[tuple[str, int]]:
        """Yield the ids in one partition of the index with the times (epoch ms) by which they are ordered."""
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
            answer = self.call(lambda: self.client.query(**query))
            for found in map(decode_item, answer["Items"]):
                yield cast("str", found[KEY]), cast("int", found[DUE_AT])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def call(self, call: Callable[[], _Result]) -> _Result:
        """Make a call that may be repeated until it is decided; see `Retries.call`."""
        return Retries(sleep=self.sleep, random=self.random, attempts=5, first_wait_ms=25).call(call)

    def _shard(self, transaction_id: str) -> int:
        return crc32(transaction_id.encode()) % self.settings.shards


def check_id(transaction_id: object) -> None:
    """Refuse an id of the wrong shape.

    Raises
    ------
    InvalidTransactionIdError
        It is no text of 1 to 256 bytes in UTF-8.
    """
    if type(transaction_id) is not str or not is_text(transaction_id, _LONGEST_ID):
        raise InvalidTransactionIdError(transaction_id)
