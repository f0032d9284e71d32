"""Placing an order once, however often the request arrives.

A player's client order id is claimed by a pointer item, written in the order's own transaction under a condition that
it does not exist. A second request with the id finds the pointer instead: the same order again, or another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.api.contention import with_retries
from functions.api.problems import conflicting_field
from market.errors import InvalidFieldError, Rule
from patterns.dynamodb.items import decode_item, encode_item, read_str

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

POINTER_PREFIX = "~"
"""First character of a pointer's range key; sorts after every order id, so listings end before the pointers."""


def pointer_put(
    *, table: str, owner: str, player: str, client_order_id: str, order_id: str, fingerprint: str
) -> TransactWriteItemTypeDef:
    """Return the transaction's action that claims a client order id.

    Parameters
    ----------
    table
        The table of the player's orders of this side; ids of the two sides are independent.
    owner
        Name of the table's hash key, ``seller`` or ``buyer``.
    player, client_order_id
        Whose id, and which.
    order_id, fingerprint
        The order the id stands for, and the digest of what was asked for.
    """
    pointer = {
        owner: player,
        "order_key": f"{POINTER_PREFIX}{client_order_id}",
        "order_id": order_id,
        "fingerprint": fingerprint,
    }
    return {
        "Put": {
            "TableName": table,
            "Item": encode_item(pointer),
            "ConditionExpression": "attribute_not_exists(order_key)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def find_pointer(
    client: DynamoDBClient, table: str, owner: str, player: str, client_order_id: str
) -> Mapping[str, Any] | None:
    """Return the stored pointer of a client order id, None if the id is free; see `pointer_put` for the parameters."""
    key = encode_item({owner: player, "order_key": f"{POINTER_PREFIX}{client_order_id}"})
    answer = with_retries(lambda: client.get_item(TableName=table, Key=key, ConsistentRead=True))
    return answer.get("Item")


def order_of_pointer(found: Mapping[str, Any], client_order_id: str | None, fingerprint: str) -> str:
    """Return the id of the order that a client order id stands for.

    Parameters
    ----------
    found
        The stored pointer.
    client_order_id, fingerprint
        The id, and the digest of what is asked for under it.

    Raises
    ------
    Problem
        409, the id stands for another order.
    """
    pointer = decode_item(found)
    if pointer["fingerprint"] != fingerprint:
        requirement = "new for a different order"
        raise conflicting_field(InvalidFieldError("client_order_id", client_order_id, Rule.UNREPEATED_ID, requirement))
    return read_str(pointer, "order_id")
