"""The tables the matcher works on, and how it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from market.tables import OpenAsk, StandingBid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from market.tables import Bid

StoredItem: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""An item as the low-level client returns it: attribute name to type descriptor to value."""

_LARGEST_PAGE = 1000
_LARGEST_BATCH_GET = 100  # keys: BatchGetItem, Amazon DynamoDB API Reference


class UnprocessedKeysError(Exception):
    """DynamoDB left some keys of a BatchGetItem unread, as it does under throttling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Names of the matcher's tables."""

    asks: str
    bids: str
    standing_bids: str
    tape: str


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
    for item in _best_first(client, table_name, material, first_page):
        yield OpenAsk(
            material=material,
            price_key=item["price_key"]["S"],
            ask_id=item["ask_id"]["S"],
            seller=item["seller"]["S"],
            price_minor=int(item["price_minor"]["N"]),
            quantity=int(item["quantity"]["N"]),
            remaining=int(item["remaining"]["N"]),
            placed_at_ms=int(item["placed_at_ms"]["N"]),
        )


def standing_bids(client: DynamoDBClient, table_name: str, material: str, first_page: int) -> Iterator[StandingBid]:
    """Yield a material's standing bids, best first; as `open_asks`."""
    for item in _best_first(client, table_name, material, first_page):
        yield StandingBid(
            material=material,
            price_key=item["price_key"]["S"],
            bid_id=item["bid_id"]["S"],
            buyer=item["buyer"]["S"],
            price_minor=int(item["price_minor"]["N"]),
            quantity=int(item["quantity"]["N"]),
            remaining=int(item["remaining"]["N"]),
            placed_at_ms=int(item["placed_at_ms"]["N"]),
            taking=True if "taking" in item else None,
        )


def stored_statuses(client: DynamoDBClient, table_name: str, bids: Iterable[Bid]) -> dict[str, str]:
    """Look the status of bids up, 100 a call, strongly consistent.

    Returns
    -------
    dict[str, str]
        Bid id to status; ids that are not stored are missing.

    Raises
    ------
    UnprocessedKeysError
        DynamoDB answered only in part.
    """
    keys = [{"buyer": {"S": bid.buyer}, "order_key": {"S": bid.bid_id}} for bid in bids]
    found: dict[str, str] = {}
    for start in range(0, len(keys), _LARGEST_BATCH_GET):
        answer = client.batch_get_item(
            RequestItems={
                table_name: {
                    "Keys": keys[start : start + _LARGEST_BATCH_GET],
                    "ConsistentRead": True,
                    "ProjectionExpression": "order_key, #status",
                    "ExpressionAttributeNames": {"#status": "status"},
                }
            }
        )
        if answer["UnprocessedKeys"]:
            raise UnprocessedKeysError
        for item in cast("list[StoredItem]", answer["Responses"][table_name]):
            found[item["order_key"]["S"]] = item["status"]["S"]
    return found


def _best_first(client: DynamoDBClient, table_name: str, material: str, page: int) -> Iterator[StoredItem]:
    query: QueryInputTypeDef = {
        "TableName": table_name,
        "KeyConditionExpression": "material = :material",
        "ExpressionAttributeValues": {":material": {"S": material}},
        "ConsistentRead": True,
        "Limit": page,
    }
    while True:
        answer = client.query(**query)
        yield from cast("list[StoredItem]", answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        query["Limit"] = page = min(4 * page, _LARGEST_PAGE)
