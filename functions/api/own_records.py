"""A player's own orders as they are stored: a partition with order ids as sort keys, client order ids behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.api.client_order_ids import POINTER_PREFIX
from functions.api.contention import with_retries
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item


class RecordPage(NamedTuple):
    """Records of orders, newest first, and whether older ones follow."""

    records: list[Item]
    more: bool


def newest_records(
    client: DynamoDBClient, *, table: str, owner: str, player: str, before: str | None, limit: int
) -> RecordPage:
    """Read a page of a player's orders, strongly consistent.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    table
        Table of the player's orders of one side.
    owner
        Name of the table's hash key, ``seller`` or ``buyer``.
    player
        Whose orders.
    before
        Only orders placed before the one of this id; None starts at the newest.
    limit
        Most orders to return, 1..100.
    """
    answer = with_retries(
        lambda: client.query(
            TableName=table,
            KeyConditionExpression=f"{owner} = :player AND order_key < :bound",
            ExpressionAttributeValues=encode_item({":player": player, ":bound": before or POINTER_PREFIX}),
            ScanIndexForward=False,
            Limit=limit + 1,  # one more tells whether there is a next page
            ConsistentRead=True,
        )
    )
    records = [decode_item(item) for item in answer["Items"]]
    return RecordPage(records[:limit], len(records) > limit)
