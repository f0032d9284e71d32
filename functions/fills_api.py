"""Lambda handler of ``GET /fills``: a player's own trades, newest first, as far as they are settled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.api.http_api import Answer, HttpApi
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.timestamps import iso_utc
from functions.clock import now_ms
from functions.environment import FillsEnvironment
from functions.market_data.fill_store import FILL_POSITION_PATTERN, FillStore
from functions.observability import build_logger
from market.money import format_price
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock
    from functions.market_data.fill_store import OwnFill


def build(environment: FillsEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of the tables.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration.
    """
    store = FillStore(client, environment.journal_table, environment.tape_table)

    def fills(request: Request) -> Answer:
        scope = ("fills", request.player)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        page = store.newest(request.player, read_position(request.query, scope, FILL_POSITION_PATTERN), limit)
        return Answer(
            200,
            {
                "fills": [_json(fill, environment.currency_digits) for fill in page.fills],
                "next": None if page.last is None else encode_page_token(page.last, scope),
            },
        )

    return HttpApi({("GET", "/fills"): fills}, build_logger(environment), clock)


def _json(fill: OwnFill, currency_digits: int) -> dict[str, object]:
    return {
        "id": fill.trade_id,
        "order_id": fill.order_id,
        "side": fill.side,
        "role": "taker" if fill.is_taker else "maker",
        "material": fill.material,
        "price": format_price(fill.price_minor, currency_digits),
        "quantity": fill.quantity,
        "value": format_price(fill.price_minor * fill.quantity, currency_digits),
        "fee": format_price(fill.fee_minor, currency_digits),
        "at": iso_utc(fill.at_ms),
    }


handler = build(FillsEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
