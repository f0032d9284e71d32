"""Messages to send, as writes: a message belongs to the transaction of what it tells, so it is there exactly once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from patterns.dynamodb.items import Item, encode_item

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


def message(message_id: str, content: Item) -> TransactWriteItemTypeDef:
    """Return the write of a message; it fails if the message is there."""
    return {
        "Put": {
            "TableName": os.environ["OUTBOX_TABLE"],
            "Item": encode_item({**content, "message_id": message_id}),
            "ConditionExpression": "attribute_not_exists(message_id)",
        }
    }
