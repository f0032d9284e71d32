"""Data access of the sell side: placing asks, and a seller's own asks as they stand.

An ask is two items, written in one transaction: the record of what was asked for (sell orders, never changed again) and
the open ask in the book (asks), which the matcher counts down and deletes when sold out. An ask's state is read from
both, **record first**: a record whose book item is gone is sold out, whereas the other way round a new ask that comes
in between would look sold out too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from functions.api.client_order_ids import order_already_placed, pointer_put
from functions.api.contention import UnfinishedError, condition_failed, with_retries
from functions.api.orders import Order, OrderPage
from functions.api.own_records import newest_records
from market.keys import ask_price_key
from patterns.dynamodb.items import decode_item, encode_item, read_int, read_str

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef, TransactWriteItemTypeDef

    from market.placing import PlaceOrder
    from patterns.dynamodb.items import Item


class AsksStore:
    """Asks and their records.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    asks_table, sell_orders_table
        Names of the tables.
    """

    def __init__(self, client: DynamoDBClient, asks_table: str, sell_orders_table: str) -> None:
        self._client = client
        self._asks_table = asks_table
        self._sell_orders_table = sell_orders_table

    def place(self, seller: str, request: PlaceOrder, ask_id: str, placed_at_ms: int) -> Order:
        """Put a new ask in the book, once for each client order id.

        Parameters
        ----------
        seller
            Who sells.
        request
            What is asked for.
        ask_id
            Id of the ask if it is new; also makes repetitions of the write one.
        placed_at_ms
            Epoch milliseconds.

        Returns
        -------
        Order
            The new ask, or, with another id, the one placed earlier under the client order id.

        Raises
        ------
        Problem
            409, the client order id stands for another order; 503, no answer says that the write got through.
        """
        record: Item = {
            "seller": seller,
            "order_key": ask_id,
            "ask_id": ask_id,
            "material": request.material,
            "price_minor": request.price_minor,
            "quantity": request.quantity,
            "placed_at_ms": placed_at_ms,
        }
        open_ask: Item = {
            "material": request.material,
            "price_key": ask_price_key(request.price_minor, ask_id),
            "ask_id": ask_id,
            "seller": seller,
            "price_minor": request.price_minor,
            "quantity": request.quantity,
            "remaining": request.quantity,
            "placed_at_ms": placed_at_ms,
        }
        if request.client_order_id is not None:
            record["client_order_id"] = request.client_order_id
        actions = [_put_new(self._asks_table, open_ask), _put_new(self._sell_orders_table, record)]
        if request.client_order_id is not None:
            actions.append(
                pointer_put(
                    table=self._sell_orders_table,
                    owner="seller",
                    player=seller,
                    client_order_id=request.client_order_id,
                    order_id=ask_id,
                    fingerprint=request.fingerprint(),
                )
            )
        try:
            with_retries(lambda: self._client.transact_write_items(TransactItems=actions, ClientRequestToken=ask_id))
        except ClientError as error:
            if request.client_order_id is None:
                # The id is new and random: if it is taken, then by an attempt of this write whose answer was lost.
                if not condition_failed(error):
                    raise
                return _order(record, open_ask)
            earlier = self.find(seller, order_already_placed(error, request.client_order_id, request.fingerprint()))
            if earlier is None:
                raise
            return earlier
        return _order(record, open_ask)

    def find(self, seller: str, ask_id: str) -> Order | None:
        """Return the seller's ask as it stands, None if this seller has none of this id."""
        record = self._get(self._sell_orders_table, {"seller": seller, "order_key": ask_id})
        if record is None:
            return None
        return _order(record, self._get(self._asks_table, _book_key(record)))

    def newest(self, seller: str, before: str | None, limit: int) -> OrderPage:
        """Return a page of the seller's asks, newest first.

        Parameters
        ----------
        seller
            Whose asks.
        before
            Only asks placed before the one of this id; None starts at the newest.
        limit
            Most asks to return, 1..100.
        """
        page = newest_records(
            self._client, table=self._sell_orders_table, owner="seller", player=seller, before=before, limit=limit
        )
        open_asks = self._open_asks(page.records)
        orders = tuple(_order(record, open_asks.get(read_str(record, "ask_id"))) for record in page.records)
        return OrderPage(orders, orders[-1].order_id if page.more else None)

    def _get(self, table: str, key: Mapping[str, str]) -> Item | None:
        answer = with_retries(lambda: self._client.get_item(TableName=table, Key=encode_item(key), ConsistentRead=True))
        return decode_item(answer["Item"]) if "Item" in answer else None

    def _open_asks(self, records: Sequence[Item]) -> dict[str, Item]:
        found: dict[str, Item] = {}
        keys = [encode_item(_book_key(record)) for record in records]
        wanted: Mapping[str, KeysAndAttributesTypeDef] = {self._asks_table: {"Keys": keys, "ConsistentRead": True}}

        def read() -> None:
            nonlocal wanted
            answer = self._client.batch_get_item(RequestItems=wanted)
            items = [decode_item(attributes) for attributes in answer["Responses"].get(self._asks_table, [])]
            found.update((read_str(item, "ask_id"), item) for item in items)
            # The stubs tell the keys of an answer from those of a request; DynamoDB takes the one for the other.
            wanted = cast("Mapping[str, KeysAndAttributesTypeDef]", answer["UnprocessedKeys"])
            if wanted:
                raise UnfinishedError

        if keys:
            with_retries(read)
        return found


def _put_new(table: str, item: Item) -> TransactWriteItemTypeDef:
    # On any attribute of the key the condition means "no item has this key".
    range_key = "price_key" if "price_key" in item else "order_key"
    return {
        "Put": {
            "TableName": table,
            "Item": encode_item(item),
            "ConditionExpression": f"attribute_not_exists({range_key})",
        }
    }


def _book_key(record: Item) -> dict[str, str]:
    price_key = ask_price_key(read_int(record, "price_minor"), read_str(record, "ask_id"))
    return {"material": read_str(record, "material"), "price_key": price_key}


def _order(record: Item, open_ask: Item | None) -> Order:
    quantity = read_int(record, "quantity")
    remaining = read_int(open_ask, "remaining") if open_ask else 0
    status = "NEW" if remaining == quantity else "PARTIALLY_FILLED" if remaining else "FILLED"
    return Order(
        order_id=read_str(record, "ask_id"),
        side="SELL",
        material=read_str(record, "material"),
        price_minor=read_int(record, "price_minor"),
        quantity=quantity,
        filled=quantity - remaining,
        status=status,
        placed_at_ms=read_int(record, "placed_at_ms"),
        client_order_id=read_str(record, "client_order_id") if "client_order_id" in record else None,
    )
