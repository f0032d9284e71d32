"""Placing an order once, however often the request arrives.

A player's client order id is claimed by a pointer item, written in the order's own transaction under a condition that
it does not exist. A second request with the id finds the pointer instead: the same order again, or another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.problems import invalid_field
from market.errors import InvalidFieldError, Rule
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
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


def order_already_placed(error: ClientError, client_order_id: str, fingerprint: str) -> str:
    """Return the id of the order that a cancelled transaction found under its client order id.

    Parameters
    ----------
    error
        What TransactWriteItems raised; the pointer was its last action.
    client_order_id, fingerprint
        As in the pointer that could not be written.

    Raises
    ------
    Problem
        409, the id stands for another order.
    botocore.exceptions.ClientError
        The same error again, if it was not the pointer that failed.
    """
    reasons = error.response.get("CancellationReasons", [])
    found = reasons[-1].get("Item") if reasons else None
    if not found:
        raise error
    pointer = decode_item(found)
    if pointer["fingerprint"] != fingerprint:
        reused = InvalidFieldError("client_order_id", client_order_id, Rule.UNREPEATED_ID, "new for a different order")
        raise invalid_field(reused, status=409, code="conflict")
    return str(pointer["order_id"])
