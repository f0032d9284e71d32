"""Lambda handler of ``GET /notifications``: which of a player's orders are complete, newest first."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from functions.api.contention import with_retries
from functions.api.http_api import Answer, HttpApi
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.timestamps import iso_utc
from functions.clock import now_ms
from functions.environment import NotificationsApiEnvironment
from functions.observability import build_logger
from market.money import format_price
from market.order_ids import ORDER_ID_PATTERN
from market.side import Side
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item, encode_item, read_int, read_str
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock
    from patterns.dynamodb.items import Item

_POSITION = re.compile(rf"\d{{13}}#{ORDER_ID_PATTERN.pattern}", re.ASCII)
_AFTER_ALL = "~"  # greater than any digit, which every key starts with


def build(environment: NotificationsApiEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Name of the table.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration.
    """

    def newest(request: Request) -> Answer:
        scope = ("notifications", request.player)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        before = read_position(request.query, scope, _POSITION) or _AFTER_ALL
        answer = with_retries(
            lambda: client.query(
                TableName=environment.notifications_table,
                KeyConditionExpression="player = :player AND notification_key < :before",
                ExpressionAttributeValues=encode_item({":player": request.player, ":before": before}),
                ScanIndexForward=False,
                Limit=limit + 1,  # one more tells whether there is a next page
                ConsistentRead=True,
            )
        )
        items = [decode_item(item) for item in answer["Items"]]
        page = items[:limit]
        last = read_str(page[-1], "notification_key") if len(items) > limit else None
        return Answer(
            200,
            {
                "notifications": [_json(item, environment.currency_digits) for item in page],
                "next": None if last is None else encode_page_token(last, scope),
            },
        )

    return HttpApi({("GET", "/notifications"): newest}, build_logger(environment), clock)


def _json(item: Item, currency_digits: int) -> dict[str, Any]:
    value_minor, fee_minor = read_int(item, "value_minor"), read_int(item, "fee_minor")
    buys = read_str(item, "side") == Side.BUY
    return {
        "order_id": read_str(item, "order_id"),
        "side": read_str(item, "side"),
        "material": read_str(item, "material"),
        "status": read_str(item, "status"),
        "reason": item.get("reason"),
        "quantity": read_int(item, "quantity"),
        "filled": read_int(item, "filled"),
        "value": format_price(value_minor, currency_digits),
        "fee": format_price(fee_minor, currency_digits),
        "paid" if buys else "received": format_price(
            value_minor + (fee_minor if buys else -fee_minor), currency_digits
        ),
        "at": iso_utc(read_int(item, "completed_at_ms")),
    }


handler = build(NotificationsApiEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
