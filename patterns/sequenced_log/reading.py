"""Many items by key: DynamoDB answers in part when it is busy, so whoever asks must ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patterns.dynamodb.items import Item, decode_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.retries import Retries

_LARGEST_BATCH_GET = 100  # keys: BatchGetItem, Amazon DynamoDB API Reference


class _UnprocessedKeysError(Exception):
    """A part of the keys is left."""


def get_many(
    client: DynamoDBClient, table_name: str, keys: Sequence[Any], retries: Retries, *, consistent: bool
) -> Iterator[Item]:
    """Yield those of the items that exist, in any order.

    Parameters
    ----------
    client, table_name
        Where they are.
    keys
        Encoded keys, none twice.
    retries
        For transient trouble and partial answers.
    consistent
        Whether to read strongly consistently, at twice the price.
    """
    waiting = list(keys)
    for _ in retries:
        while waiting:
            page, rest = waiting[:_LARGEST_BATCH_GET], waiting[_LARGEST_BATCH_GET:]
            request: Any = {table_name: {"Keys": page, "ConsistentRead": consistent}}
            answer: Any = retries.call(lambda request=request: client.batch_get_item(RequestItems=request))
            yield from map(decode_item, answer["Responses"].get(table_name, []))
            unprocessed = answer.get("UnprocessedKeys", {}).get(table_name, {}).get("Keys", [])
            waiting = [*unprocessed, *rest]
            if unprocessed:
                break
        if not waiting:
            return
    raise _UnprocessedKeysError(f"{table_name}: DynamoDB left {len(waiting)} keys unread")
