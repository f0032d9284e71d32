"""Keeps every guild's balance: each event of the ledger counts once, whatever is delivered twice or dies half-way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from patterns.sequenced_log.function import consumer_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.sequenced_log import Event


class UnknownKindError(ValueError):
    """The ledger has an event that this consumer does not understand: it is parked until somebody has looked."""


def handle(event: Event) -> Sequence[TransactWriteItemTypeDef]:
    """Return the change of the balance; it is written in one transaction with the checkpoint."""
    signs = {"deposit": 1, "withdrawal": -1}
    kind = event.data["kind"]
    if kind not in signs:
        raise UnknownKindError(f"event {event.sequence}: kind {kind!r}")
    amount = signs[str(kind)] * int(str(event.data["amount"]))
    return [
        {
            "Update": {
                "TableName": os.environ["BALANCES_TABLE"],
                "Key": {"guild": {"S": str(event.data["guild"])}},
                "UpdateExpression": "ADD balance :amount",
                "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
            }
        }
    ]


handler = consumer_function(handle)
