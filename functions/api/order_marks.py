"""Marks on orders: what a player asks of an open order, for the matcher to execute in its turn.

A mark is written on the player's record of the order; the record's change reaches the matcher. Asking again writes the
mark again, so a request that went missing on its way is made up for by repeating it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from functions.api.contention import with_retries
from functions.api.orders import OPEN_STATUSES
from patterns.dynamodb.items import encode_item
from patterns.dynamodb.refusals import condition_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient

CANCEL: Final = "CANCEL"
REDUCE: Final = "REDUCE"

_AT_A_TIME = 8  # writes; the client's pool has 10 connections

_OPEN = "attribute_exists(order_key) AND (attribute_not_exists(#status) OR #status IN (:pending, :new, :partly))"


@dataclass(frozen=True, slots=True)
class OrderMarks:
    """Writes marks on the records of one side.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    records_table, owner
        Table of the players' records, and the name of its hash key.
    """

    client: DynamoDBClient
    records_table: str
    owner: str

    def cancel(self, player: str, order_id: str, request_id: str) -> bool:
        """Ask for an order to be cancelled.

        Parameters
        ----------
        player, order_id
            Whose order, and which.
        request_id
            A new id.

        Returns
        -------
        bool
            False if the player has no such order, or its record says that it is closed: nothing was changed. The record
            of an ask does not say that it is sold out; the matcher finds nothing to cancel then.

        Raises
        ------
        Problem
            503, no answer says that the write got through; it is safe to repeat.
        """
        update = "SET #request = :request, request_id = :id REMOVE request_quantity"
        return self._write(player, order_id, update, _OPEN, {":request": CANCEL, ":id": request_id})

    def cancel_all(self, player: str, order_ids: Sequence[str], request_ids: Sequence[str]) -> list[str]:
        """Ask for orders to be cancelled, each on its own; return those that are not closed.

        Raises
        ------
        Problem
            503, as for `cancel`, for at least one of them; all others are marked.
        """
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            marked = list(pool.map(self.cancel, [player] * len(order_ids), order_ids, request_ids))
        return [order_id for order_id, is_marked in zip(order_ids, marked, strict=True) if is_marked]

    def reduce(self, player: str, order_id: str, request_id: str, quantity: int) -> bool:
        """Ask for an order's quantity in all to become smaller.

        Returns and raises as `cancel`, False also if the order is to be cancelled.
        """
        update = "SET #request = :request, request_id = :id, request_quantity = :quantity"
        condition = f"{_OPEN} AND (attribute_not_exists(#request) OR #request = :request)"
        values = {":request": REDUCE, ":id": request_id, ":quantity": quantity}
        return self._write(player, order_id, update, condition, values)

    def _write(self, player: str, order_id: str, update: str, condition: str, values: dict[str, str | int]) -> bool:
        pending, new, partly = OPEN_STATUSES
        try:
            with_retries(
                lambda: self.client.update_item(
                    TableName=self.records_table,
                    Key=encode_item({self.owner: player, "order_key": order_id}),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#request": "request", "#status": "status"},
                    ExpressionAttributeValues=encode_item(
                        {**values, ":pending": pending, ":new": new, ":partly": partly}
                    ),
                )
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True
