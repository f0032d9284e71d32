"""Data access of the buy side: placing bids, and a buyer's own bids as the matcher has left them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.api.client_order_ids import order_already_placed, pointer_put
from functions.api.contention import condition_failed, with_retries
from functions.api.orders import Order, OrderPage
from functions.api.own_records import newest_records
from patterns.dynamodb.items import decode_item, encode_item, read_int, read_str

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutTypeDef

    from market.placing import PlaceOrder
    from patterns.dynamodb.items import Item


class BidsStore:
    """Bids, open and closed.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    bids_table
        Name of the table.
    """

    def __init__(self, client: DynamoDBClient, bids_table: str) -> None:
        self._client = client
        self._bids_table = bids_table

    def place(self, buyer: str, request: PlaceOrder, bid_id: str, placed_at_ms: int) -> Order:
        """Store a new bid for the matcher, once for each client order id.

        Parameters
        ----------
        buyer
            Who buys.
        request
            What is asked for.
        bid_id
            Id of the bid if it is new; also makes repetitions of the write one.
        placed_at_ms
            Epoch milliseconds.

        Returns
        -------
        Order
            The new bid, or, with another id, the one placed earlier under the client order id.

        Raises
        ------
        Problem
            409, the client order id stands for another order; 503, no answer says that the write got through.
        """
        bid: Item = {
            "buyer": buyer,
            "order_key": bid_id,
            "bid_id": bid_id,
            "material": request.material,
            "price_minor": request.price_minor,
            "quantity": request.quantity,
            "filled": 0,
            "status": "PENDING",
            "placed_at_ms": placed_at_ms,
        }
        if request.client_order_id is None:
            self._put(bid)
            return _order(bid)
        bid["client_order_id"] = request.client_order_id
        pointer = pointer_put(
            table=self._bids_table,
            owner="buyer",
            player=buyer,
            client_order_id=request.client_order_id,
            order_id=bid_id,
            fingerprint=request.fingerprint(),
        )
        try:
            with_retries(
                lambda: self._client.transact_write_items(
                    TransactItems=[{"Put": self._put_new(bid)}, pointer], ClientRequestToken=bid_id
                )
            )
        except ClientError as error:
            earlier = self.find(buyer, order_already_placed(error, request.client_order_id, request.fingerprint()))
            if earlier is None:
                raise
            return earlier
        return _order(bid)

    def find(self, buyer: str, bid_id: str) -> Order | None:
        """Return the buyer's bid as it stands, None if this buyer has none of this id."""
        key = encode_item({"buyer": buyer, "order_key": bid_id})
        answer = with_retries(lambda: self._client.get_item(TableName=self._bids_table, Key=key, ConsistentRead=True))
        return _order(decode_item(answer["Item"])) if "Item" in answer else None

    def newest(self, buyer: str, before: str | None, limit: int) -> OrderPage:
        """Return a page of the buyer's bids, newest first.

        Parameters
        ----------
        buyer
            Whose bids.
        before
            Only bids placed before the one of this id; None starts at the newest.
        limit
            Most bids to return, 1..100.
        """
        page = newest_records(
            self._client, table=self._bids_table, owner="buyer", player=buyer, before=before, limit=limit
        )
        orders = tuple(map(_order, page.records))
        return OrderPage(orders, orders[-1].order_id if page.more else None)

    def _put(self, bid: Item) -> None:
        try:
            with_retries(lambda: self._client.put_item(**self._put_new(bid)))
        except ClientError as error:
            # The id is new and random: if it is taken, then by an attempt of this write whose answer was lost.
            if not condition_failed(error):
                raise

    def _put_new(self, bid: Item) -> PutTypeDef:
        return {
            "TableName": self._bids_table,
            "Item": encode_item(bid),
            "ConditionExpression": "attribute_not_exists(order_key)",
        }


def _order(bid: Item) -> Order:
    return Order(
        order_id=read_str(bid, "bid_id"),
        side="BUY",
        material=read_str(bid, "material"),
        price_minor=read_int(bid, "price_minor"),
        quantity=read_int(bid, "quantity"),
        filled=read_int(bid, "filled"),
        status=read_str(bid, "status"),
        placed_at_ms=read_int(bid, "placed_at_ms"),
        client_order_id=read_str(bid, "client_order_id") if "client_order_id" in bid else None,
    )
