"""Transactions of many writes: one attempt with its refusal as a value, and how many writes fit into each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.refusals import cancellation_reasons
from patterns.dynamodb.transient import LOST_ANSWERS, is_transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# DynamoDB's limits of one transaction, less one more action beside the records': the update of what counts them.
_MOST_RECORDS = 100 - 1
_MOST_BYTES = 4_000_000 - 8_192


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transaction was not written.

    `failed` maps the positions of the actions whose condition failed to their stored items, an empty one if there is
    none (the actions must ask for the item). With no failed condition it was a conflict, a throttle or a lost answer.
    """

    failed: Mapping[int, Mapping[str, Any]]


def attempt(client: DynamoDBClient, actions: Sequence[TransactWriteItemTypeDef]) -> Refusal | None:
    """Write a transaction; None if it is written.

    Raises
    ------
    botocore.exceptions.ClientError
        What no further attempt can change.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except (ClientError, *LOST_ANSWERS) as error:
        failed = {
            position: reason.get("Item", {})
            for position, reason in enumerate(cancellation_reasons(error))
            if reason.get("Code") == "ConditionalCheckFailed"
        }
        if not failed and not is_transient(error):
            raise
        return Refusal(failed)
    return None


def cut(positions: Iterable[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Cut records into batches that fit into one transaction, together with the update of a header that counts them.

    Parameters
    ----------
    positions
        Positions of the records, in order.
    sizes
        Bytes of each record's item, by position.
    """
    batch: list[int] = []
    room = _MOST_BYTES
    for position in positions:
        if len(batch) == _MOST_RECORDS or sizes[position] > room:
            yield batch
            batch, room = [], _MOST_BYTES
        batch.append(position)
        room -= sizes[position]
    if batch:
        yield batch
