"""What the tables say of the orders that records name, or that new orders replace: read once, before the book."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.matching.images import read_order, scalars
from functions.matching.records import NamedOrder, NewOrder
from functions.matching.tables import open_ask, standing_bid, stored_items
from functions.matching.traces import read_trace
from market.keys import ask_price_key, bid_price_key
from market.matching.turns import Target
from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_dynamodb import DynamoDBClient

    from functions.matching.tables import StoredItem, Tables
    from market.tables import OpenAsk, StandingBid

CLOSED_STATUSES: Final = frozenset({"FILLED", "CANCELED", "EXPIRED", "REJECTED"})
"""Stored statuses from which an order never returns."""


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order as the tables have it.

    Parameters
    ----------
    named
        Which order.
    record
        Its stored item among its player's orders; None if there is none, or if it is of another material.
    resting
        Its item of the book, if it has one.
    """

    named: NamedOrder
    record: StoredItem | None
    resting: OpenAsk | StandingBid | None = None

    @property
    def target(self) -> Target:
        """The order as `market.matching.turns` want it."""
        resting = self.resting if self.record is not None else None
        return Target(self.named.side, self.named.order_id, self.named.player, resting)

    @property
    def status(self) -> str | None:
        """The stored status; None if the record is missing, or the ask's status is what the book says."""
        return self.record["status"]["S"] if self.record is not None and "status" in self.record else None

    def leads_to(self) -> NamedOrder | None:
        """Return what has to be read because of this order: the order it replaces, or itself at its place."""
        if self.record is None or self.status in CLOSED_STATUSES:
            return None
        if self.status == "PENDING":
            return replaced(self.named, self.record["replaces"]["S"]) if "replaces" in self.record else None
        if self.named.price_key is not None:
            return None
        price_key = ask_price_key if self.named.side is Side.SELL else bid_price_key
        return replace(self.named, price_key=price_key(int(self.record["price_minor"]["N"]), self.named.order_id))

    def arrival(self, sequenced_at_ms: int | None) -> NewOrder | None:
        """Return the order as one to handle, None unless it is PENDING.

        Raises
        ------
        UnprocessableRecordError
            It can never be handled.
        """
        if self.record is None or self.status != "PENDING":
            return None
        trace = read_trace({}, self.record, sequenced_at_ms, asked=False)
        return NewOrder(read_order(self.record, sequenced_at_ms), scalars(self.record), trace)


def replaced(named: NamedOrder, order_id: str) -> NamedOrder:
    """Return the order that another one of the same player replaces."""
    return NamedOrder(named.side, order_id, named.player, None)


def find_orders(
    client: DynamoDBClient, tables: Tables, material: str, named: Iterable[NamedOrder]
) -> dict[str, FoundOrder]:
    """Read orders, and for each that is PENDING and replaces another one that, too.

    One call for 50 orders whose place in the book is known, one more for those whose place only their record says.

    Parameters
    ----------
    client, tables
        Where they are.
    material
        Whose book.
    named
        Which.

    Returns
    -------
    dict[str, FoundOrder]
        By order id; all that are named are in it.

    Raises
    ------
    UnprocessedKeysError
        DynamoDB answered only in part.
    """
    found: dict[str, FoundOrder] = {}
    unread = {order.order_id: order for order in named}
    while unread:
        records = {
            order_id: tables.order_key(order.side, order.player, order_id)
            for order_id, order in unread.items()
            if order_id not in found
        }
        places = {
            order_id: tables.book_key(order.side, material, order.price_key)
            for order_id, order in unread.items()
            if order.price_key is not None
        }
        items = stored_items(client, (*records.values(), *places.values()))
        for order_id, order in unread.items():
            record = items.get(records[order_id]) if order_id in records else found[order_id].record
            if record is not None and record["material"]["S"] != material:
                record = None
            resting = items.get(places[order_id]) if order_id in places else None
            found[order_id] = FoundOrder(order, record, None if resting is None else _resting(order, resting))
        following = [next_ for order_id in unread if (next_ := found[order_id].leads_to()) is not None]
        unread = {
            order.order_id: order for order in following if order.order_id not in found or order.price_key is not None
        }
    return found


def _resting(order: NamedOrder, item: StoredItem) -> OpenAsk | StandingBid | None:
    if item["seller" if order.side is Side.SELL else "buyer"]["S"] != order.player:
        return None
    return open_ask(item) if order.side is Side.SELL else standing_bid(item)
