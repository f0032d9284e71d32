"""A player's own orders as they are stored: a partition with order ids as sort keys, client order ids behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from functions.api.client_order_ids import POINTER_PREFIX
from functions.api.contention import UnfinishedError, with_retries
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef, TransactWriteItemTypeDef

    from patterns.dynamodb.items import Item


class RecordPage(NamedTuple):
    """Records of orders, newest first, and whether older ones follow."""

    records: list[Item]
    more: bool


def record_put(table: str, record: Item) -> TransactWriteItemTypeDef:
    """Return the action that stores the record of a new order, and cancels its transaction if the id is taken."""
    # On any attribute of the key the condition means "no item has this key".
    return {
        "Put": {
            "TableName": table,
            "Item": encode_item(record),
            "ConditionExpression": "attribute_not_exists(order_key)",
        }
    }


def stored_record(client: DynamoDBClient, table: str, owner: str, player: str, order_id: str) -> Item | None:
    """Return the record of an order, strongly consistent; None if the player has none of this id."""
    key = encode_item({owner: player, "order_key": order_id})
    answer = with_retries(lambda: client.get_item(TableName=table, Key=key, ConsistentRead=True))
    return decode_item(answer["Item"]) if "Item" in answer else None


def items_by_key(client: DynamoDBClient, table: str, keys: Sequence[Mapping[str, str]]) -> list[Item]:
    """Return the items of a table that have these keys, 100 at most, strongly consistent, in no order."""
    found: list[Item] = []
    wanted: Mapping[str, KeysAndAttributesTypeDef] = {
        table: {"Keys": [encode_item(key) for key in keys], "ConsistentRead": True}
    }

    def read() -> None:
        nonlocal wanted
        answer = client.batch_get_item(RequestItems=wanted)
        found.extend(map(decode_item, answer["Responses"].get(table, [])))
        # The stubs tell the keys of an answer from those of a request; DynamoDB takes the one for the other.
        wanted = cast("Mapping[str, KeysAndAttributesTypeDef]", answer["UnprocessedKeys"])
        if wanted:
            raise UnfinishedError

    if keys:
        with_retries(read)
    return found


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
