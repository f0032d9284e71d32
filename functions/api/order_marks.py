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
from functions.tracing import span
from patterns.dynamodb.items import encode_item
from patterns.dynamodb.refusals import condition_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.express_lane import ExpressLane
    from market.tracing import Origin

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
    express
        Tells the matcher of marks as soon as they are stored; None: the change stream does.
    """

    client: DynamoDBClient
    records_table: str
    owner: str
    express: ExpressLane | None = None

    def cancel(self, player: str, order_id: str, request_id: str, origin: Origin) -> bool:
        """Ask for an order to be cancelled.

        Parameters
        ----------
        player, order_id
            Whose order, and which.
        request_id
            A new id.
        origin
            The request.

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
        return self._write(
            {self.owner: player, "order_key": order_id}, update, _OPEN, {":request": CANCEL, ":id": request_id}, origin
        )

    def cancel_all(
        self, player: str, order_ids: Sequence[str], request_ids: Sequence[str], origin: Origin
    ) -> list[str]:
        """Ask for orders to be cancelled, each on its own; return those that are not closed.

        Raises
        ------
        Problem
            503, as for `cancel`, for at least one of them; all others are marked.
        """

        def cancel(order_id: str, request_id: str) -> bool:
            return self.cancel(player, order_id, request_id, origin)

        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            marked = list(pool.map(cancel, order_ids, request_ids))
        return [order_id for order_id, is_marked in zip(order_ids, marked, strict=True) if is_marked]

    def reduce(self, player: str, order_id: str, request_id: str, quantity: int, origin: Origin) -> bool:
        """Ask for an order's quantity in all to become smaller.

        Returns and raises as `cancel`, False also if the order is to be cancelled.
        """
        update = "SET #request = :request, request_id = :id, request_quantity = :quantity"
        condition = f"{_OPEN} AND (attribute_not_exists(#request) OR #request = :request)"
        values = {":request": REDUCE, ":id": request_id, ":quantity": quantity}
        return self._write({self.owner: player, "order_key": order_id}, update, condition, values, origin)

    def _write(
        self,
        key: dict[str, str],
        update: str,
        condition: str,
        values: dict[str, str | int],
        origin: Origin,
    ) -> bool:
        pending, new, partly = OPEN_STATUSES
        try:
            with span("store", trace_id=origin.trace_id):
                answer = with_retries(
                    lambda: self.client.update_item(
                        TableName=self.records_table,
                        Key=encode_item({**key}),
                        UpdateExpression=update,
                        ConditionExpression=condition,
                        ExpressionAttributeNames={"#request": "request", "#status": "status"},
                        ExpressionAttributeValues=encode_item(
                            {**values, ":pending": pending, ":new": new, ":partly": partly}
                        ),
                        ReturnValues="ALL_NEW",
                    )
                )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        if self.express is not None:
            self.express.put("MODIFY", answer.get("Attributes", {}), key, origin)
        return True
