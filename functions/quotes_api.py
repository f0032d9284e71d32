"""Lambda handler of the public quotes: a material's book and its trades."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from functions.api.book_store import BookStore
from functions.api.http_api import Answer, HttpApi
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.problems import not_found
from functions.api.timestamps import iso_utc
from functions.api.trades_store import TradesStore
from functions.clock import now_ms
from functions.environment import QuotesEnvironment
from functions.observability import build_logger
from market.errors import InvalidFieldError
from market.materials import require_traded
from market.money import format_price
from market.tape import trade_id
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.book_store import PriceLevel
    from functions.api.request import Request
    from functions.api.trades_store import TradePosition
    from functions.clock import Clock

DEFAULT_DEPTH = 20
"""Price levels a side, unless asked otherwise."""

HIGHEST_DEPTH = 100
"""Most price levels a side."""

_POSITION = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,8})")


def build(environment: QuotesEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of tables and materials.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration, and tells which orders have expired.
    """
    books = BookStore(client, environment.asks_table, environment.standing_bids_table, environment.tape_table, clock)
    tape = TradesStore(client, environment.tape_table)
    digits = environment.currency_digits

    def book(request: Request, material: str) -> Answer:
        _require_material(material)
        depth = read_whole_number(request.query, "depth", default=DEFAULT_DEPTH, highest=HIGHEST_DEPTH)
        snapshot = books.snapshot(material, depth)
        return Answer(
            200,
            {
                "material": material,
                "sequence": snapshot.sequence,
                "asks": [_level(level, digits) for level in snapshot.asks],
                "bids": [_level(level, digits) for level in snapshot.bids],
            },
        )

    def trades(request: Request, material: str) -> Answer:
        _require_material(material)
        scope = ("trades", material)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        page = tape.newest(material, _position(read_position(request.query, scope, _POSITION)), limit)
        return Answer(
            200,
            {
                "trades": [
                    {
                        "id": trade_id(material, commit.sequence, fill.n),
                        "price": format_price(fill.price_minor, digits),
                        "quantity": fill.quantity,
                        "at": iso_utc(commit.committed_at_ms),
                        "taker_side": str(fill.taker_side),
                    }
                    for commit, fill in page.trades
                ],
                "next": None if page.last is None else encode_page_token(f"{page.last[0]}-{page.last[1]}", scope),
            },
        )

    def _require_material(material: str) -> None:
        try:
            require_traded(material, environment.materials)
        except InvalidFieldError as error:
            raise not_found(error) from None

    routes = {
        ("GET", "/materials/<material>/book"): book,
        ("GET", "/materials/<material>/trades"): trades,
    }
    return HttpApi(routes, build_logger(environment), clock)


def _level(level: PriceLevel, currency_digits: int) -> dict[str, object]:
    price = format_price(level.price_minor, currency_digits)
    return {"price": price, "quantity": level.quantity, "orders": level.orders}


def _position(text: str | None) -> TradePosition | None:
    if text is None:
        return None
    sequence, n = text.split("-")
    return int(sequence), int(n)


handler = build(QuotesEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
