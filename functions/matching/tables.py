"""The tables the matcher works on, and how it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from market.side import Side
from market.tables import OpenAsk, StandingBid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, KeysAndAttributesTypeDef, QueryInputTypeDef

StoredItem: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""An item as the low-level client returns it: attribute name to type descriptor to value."""

_LARGEST_PAGE = 1000
_LARGEST_BATCH_GET = 100  # keys: BatchGetItem, Amazon DynamoDB API Reference


_Row_co = TypeVar("_Row_co", covariant=True)
_Out = TypeVar("_Out")


class Page(NamedTuple, Generic[_Row_co]):
    """What one query returned, in its order; `is_last` if there is nothing behind it."""

    rows: Sequence[_Row_co]
    is_last: bool


class UnprocessedKeysError(Exception):
    """DynamoDB left some keys of a BatchGetItem unread, as it does under throttling."""


class ItemKey(NamedTuple):
    """Where an item is: its table, and the names and values of its keys."""

    table_name: str
    hash_key: str
    hash_value: str
    range_key: str
    range_value: str

    def attributes(self) -> dict[str, AttributeValueTypeDef]:
        """Return the key in DynamoDB's attribute form."""
        return {self.hash_key: {"S": self.hash_value}, self.range_key: {"S": self.range_value}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Names of the matcher's tables."""

    asks: str
    sell_orders: str
    bids: str
    standing_bids: str
    tape: str

    def order_key(self, side: Side, player: str, order_id: str) -> ItemKey:
        """Return where the record of a player's order is."""
        if side is Side.SELL:
            return ItemKey(self.sell_orders, "seller", player, "order_key", order_id)
        return ItemKey(self.bids, "buyer", player, "order_key", order_id)

    def book_key(self, side: Side, material: str, price_key: str) -> ItemKey:
        """Return where an order's item of the book is."""
        table_name = self.asks if side is Side.SELL else self.standing_bids
        return ItemKey(table_name, "material", material, "price_key", price_key)


def open_asks(client: DynamoDBClient, table_name: str, material: str, first_page: int) -> Iterator[OpenAsk]:
    """Yield a material's open asks, best first, a page at a time as they are consumed.

    Parameters
    ----------
    client, table_name
        Where the asks are.
    material
        Whose.
    first_page
        Asks in the first page; each further page is four times as long, so a deep sweep takes few calls and a shallow
        one reads little.
    """
    return map(open_ask, _best_first(client, table_name, material, first_page))


def standing_bids(client: DynamoDBClient, table_name: str, material: str, first_page: int) -> Iterator[StandingBid]:
    """Yield a material's standing bids, best first; as `open_asks`."""
    return map(standing_bid, _best_first(client, table_name, material, first_page))


def book_pages(
    client: DynamoDBClient, table_name: str, material: str, first_page: int, row: Callable[[StoredItem], _Out]
) -> Iterator[Page[_Out]]:
    """Yield whole pages of a side, best first; `row` is `open_ask` or `standing_bid`, the rest as for `open_asks`."""
    for page in _pages(client, table_name, material, first_page):
        yield Page(list(map(row, page.rows)), page.is_last)


def open_ask(item: StoredItem) -> OpenAsk:
    """Return an item of the asks table as a row."""
    return OpenAsk(
        material=item["material"]["S"],
        price_key=item["price_key"]["S"],
        ask_id=item["ask_id"]["S"],
        seller=item["seller"]["S"],
        price_minor=int(item["price_minor"]["N"]),
        quantity=int(item["quantity"]["N"]),
        remaining=int(item["remaining"]["N"]),
        placed_at_ms=int(item["placed_at_ms"]["N"]),
        expires_at_ms=_number(item, "expires_at_ms"),
        immediate=_mark(item, "immediate"),
    )


def standing_bid(item: StoredItem) -> StandingBid:
    """Return an item of the standing bids table as a row."""
    return StandingBid(
        material=item["material"]["S"],
        price_key=item["price_key"]["S"],
        bid_id=item["bid_id"]["S"],
        buyer=item["buyer"]["S"],
        price_minor=int(item["price_minor"]["N"]),
        quantity=int(item["quantity"]["N"]),
        remaining=int(item["remaining"]["N"]),
        placed_at_ms=int(item["placed_at_ms"]["N"]),
        taking=_mark(item, "taking"),
        fee_bps=_number(item, "fee_bps"),
        expires_at_ms=_number(item, "expires_at_ms"),
        immediate=_mark(item, "immediate"),
        budget_minor=_number(item, "budget_minor"),
    )


def stored_items(client: DynamoDBClient, keys: Iterable[ItemKey]) -> dict[ItemKey, StoredItem]:
    """Read single items of any of the tables, 100 a call, strongly consistent.

    Parameters
    ----------
    client
        Where the tables are.
    keys
        Which items; repeated ones are read once.

    Returns
    -------
    dict[ItemKey, StoredItem]
        Items that are not stored are missing.

    Raises
    ------
    UnprocessedKeysError
        DynamoDB answered only in part.
    """
    return _single_items(client, keys, {"ConsistentRead": True})


def stored_statuses(client: DynamoDBClient, keys: Iterable[ItemKey]) -> dict[ItemKey, str | None]:
    """Read the statuses of players' orders for half the units: as they are, or as they were a moment ago.

    Returns and raises as `stored_items`; an ask whose status is what the book says has None.
    """
    reading = {
        # The keys come along, so that an item without a status is seen to be there.
        "ProjectionExpression": "buyer, seller, order_key, #status",
        "ExpressionAttributeNames": {"#status": "status"},
    }
    items = _single_items(client, keys, reading)
    return {key: item["status"]["S"] if "status" in item else None for key, item in items.items()}


def _single_items(
    client: DynamoDBClient, keys: Iterable[ItemKey], reading: Mapping[str, Any]
) -> dict[ItemKey, StoredItem]:
    wanted = list(dict.fromkeys(keys))
    found: dict[ItemKey, StoredItem] = {}
    for start in range(0, len(wanted), _LARGEST_BATCH_GET):
        page = wanted[start : start + _LARGEST_BATCH_GET]
        requests: dict[str, KeysAndAttributesTypeDef] = {}
        for key in page:
            request = requests.setdefault(key.table_name, cast("KeysAndAttributesTypeDef", {"Keys": [], **reading}))
            cast("list[dict[str, AttributeValueTypeDef]]", request["Keys"]).append(key.attributes())
        answer = client.batch_get_item(RequestItems=requests)
        if answer["UnprocessedKeys"]:
            raise UnprocessedKeysError
        key_of = {key.table_name: key for key in page}
        for table_name, items in answer["Responses"].items():
            for item in cast("list[StoredItem]", items):
                key = key_of[table_name]
                place = {"hash_value": item[key.hash_key]["S"], "range_value": item[key.range_key]["S"]}
                found[key._replace(**place)] = item
    return found


def _number(item: StoredItem, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _mark(item: StoredItem, name: str) -> bool | None:
    return True if name in item else None


def _best_first(client: DynamoDBClient, table_name: str, material: str, first_page: int) -> Iterator[StoredItem]:
    for page in _pages(client, table_name, material, first_page):
        yield from page.rows


def _pages(client: DynamoDBClient, table_name: str, material: str, size: int) -> Iterator[Page[StoredItem]]:
    query: QueryInputTypeDef = {
        "TableName": table_name,
        "KeyConditionExpression": "material = :material",
        "ExpressionAttributeValues": {":material": {"S": material}},
        "ConsistentRead": True,
        "Limit": size,
    }
    while True:
        answer = client.query(**query)
        is_last = "LastEvaluatedKey" not in answer
        yield Page(cast("list[StoredItem]", answer["Items"]), is_last)
        if is_last:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        query["Limit"] = size = min(4 * size, _LARGEST_PAGE)
