"""Counts every guild's orders: a second view of the same ledger, at its own pace and with checkpoints of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from patterns.sequenced_log.function import consumer_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.sequenced_log import Event


def handle(event: Event) -> Sequence[TransactWriteItemTypeDef]:
    """Return the count of one more order."""
    return [
        {
            "Update": {
                "TableName": os.environ["BALANCES_TABLE"],
                "Key": {"guild": {"S": str(event.data["guild"])}},
                "UpdateExpression": "ADD booked :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        }
    ]


handler = consumer_function(handle)
