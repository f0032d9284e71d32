"""Data access of the sell side: placing asks, and a seller's own asks as they stand.

An ask that may rest at once is two items, written in one transaction: the record of what was asked for (sell orders)
and the open ask in the book (asks), which the matcher counts down and deletes. Any other ask is only a PENDING record:
the matcher handles it in its turn, and puts what rests into the book.

Fills do not touch the record, so an ask's state is read from both, **record first**, and the record once more if it
does not say that the ask is closed and the book has it no more: it was sold out, or closed otherwise in between. The
other way round a new ask that comes in between would look sold out too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.escrow import Placement
from functions.api.orders import PENDING, OrderPage, order_of
from functions.api.own_records import items_by_key, newest_records, record_put, stored_record
from market.accounts.changes import placing_ask
from market.keys import ask_price_key
from market.requests.replacing import replacing_ask_hold
from patterns.dynamodb.items import encode_item, read_int, read_str

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.api.escrow import Escrow
    from functions.api.new_orders import NewOrder
    from functions.api.orders import Order
    from patterns.dynamodb.items import Item, Value

_OF_RECORD = ("ask_id", "seller", "price_minor", "quantity", "placed_at_ms", "trace_id", "received_at_ms")


class AsksStore:
    """Asks and their records.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    asks_table, sell_orders_table
        Names of the tables.
    escrow
        Stores asks together with the goods they hold.
    """

    def __init__(self, client: DynamoDBClient, asks_table: str, sell_orders_table: str, escrow: Escrow) -> None:
        self._client = client
        self._asks_table = asks_table
        self._sell_orders_table = sell_orders_table
        self._escrow = escrow

    def place(self, order: NewOrder) -> Order:
        """Store a new ask and hold its goods, once for each client order id.

        Returns
        -------
        Order
            The new ask, or, with another id, the one placed earlier under the client order id.

        Raises
        ------
        InsufficientError, TooManyOpenOrdersError, Problem
            As for `functions.api.escrow.Escrow.place`.
        """
        wanted, replacing = order.wanted, order.replacing
        hold = wanted.quantity if replacing is None else replacing_ask_hold(replacing.order, replacing.replacement)
        record = order.record("seller", "ask_id", wanted.ask_price_minor(), hold)
        if wanted.rests_at_once and replacing is None:
            open_ask = _open_ask(record)
            puts = (record_put(self._sell_orders_table, record), _book_put(self._asks_table, open_ask))
        else:
            open_ask = None
            record["status"] = PENDING
            puts = (record_put(self._sell_orders_table, record),)
        placement = Placement(placing_ask(order.player, wanted.material, hold, order.order_id), puts)
        ask_id = self._escrow.place(order, lambda: placement)
        if ask_id == order.order_id:
            return _order(record, open_ask)
        earlier = self.find(order.player, ask_id)
        assert earlier is not None  # it was stored in one transaction with its client order id
        return earlier

    def earlier(self, seller: str, client_order_id: str | None, fingerprint: str) -> Order | None:
        """Return the ask placed earlier under a client order id; see `functions.api.escrow.Escrow.earlier`."""
        ask_id = self._escrow.earlier(seller, client_order_id, fingerprint)
        return None if ask_id is None else self.find(seller, ask_id)

    def find(self, seller: str, ask_id: str) -> Order | None:
        """Return the seller's ask as it stands, None if this seller has none of this id."""
        record = self._record(seller, ask_id)
        if record is None or "status" in record:
            return None if record is None else _order(record, None)
        open_asks = self._open_asks([record])
        if not open_asks:
            record = self._record(seller, ask_id) or record
        return _order(record, open_asks.get(ask_id))

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
        unsure = [record for record in page.records if "status" not in record]
        open_asks = self._open_asks(unsure)
        gone = [record for record in unsure if read_str(record, "ask_id") not in open_asks]
        again = self._records(gone)
        orders = tuple(
            _order(again.get(ask_id, record), open_asks.get(ask_id))
            for record in page.records
            for ask_id in (read_str(record, "ask_id"),)
        )
        return OrderPage(orders, orders[-1].order_id if page.more else None)

    def _record(self, seller: str, ask_id: str) -> Item | None:
        return stored_record(self._client, self._sell_orders_table, "seller", seller, ask_id)

    def _records(self, records: Iterable[Item]) -> dict[str, Item]:
        keys = [{name: read_str(record, name) for name in ("seller", "order_key")} for record in records]
        return {read_str(item, "ask_id"): item for item in items_by_key(self._client, self._sell_orders_table, keys)}

    def _open_asks(self, records: Iterable[Item]) -> dict[str, Item]:
        keys = [_book_key(record) for record in records]
        return {read_str(item, "ask_id"): item for item in items_by_key(self._client, self._asks_table, keys)}


def _open_ask(record: Item) -> Item:
    open_ask: Item = {
        **_book_key(record),
        **{name: record[name] for name in _OF_RECORD},
        "remaining": record["quantity"],
    }
    if "expires_at_ms" in record:
        open_ask["expires_at_ms"] = record["expires_at_ms"]
    return open_ask


def _book_put(table: str, open_ask: Item) -> TransactWriteItemTypeDef:
    return {
        "Put": {
            "TableName": table,
            "Item": encode_item(open_ask),
            "ConditionExpression": "attribute_not_exists(price_key)",
        }
    }


def _book_key(record: Mapping[str, Value]) -> dict[str, str]:
    price_key = ask_price_key(read_int(record, "price_minor"), read_str(record, "ask_id"))
    return {"material": read_str(record, "material"), "price_key": price_key}


def _order(record: Item, open_ask: Item | None) -> Order:
    if "status" in record and open_ask is None:
        filled = read_int(record, "filled") if "filled" in record else 0
        quantity, status = read_int(record, "quantity"), read_str(record, "status")
    elif open_ask is None:
        quantity = filled = read_int(record, "quantity")
        status = "FILLED"
    else:
        # Both numbers from one item: a reduction changes it and the record.
        quantity = read_int(open_ask, "quantity")
        filled = quantity - read_int(open_ask, "remaining")
        status = "PARTIALLY_FILLED" if filled else "NEW"
    return order_of(record, "SELL", quantity=quantity, filled=filled, status=status)
