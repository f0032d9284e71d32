"""Lambda handler of public market data: a material's candles and its ticker."""

from __future__ import annotations

import os
import re
from time import sleep
from typing import TYPE_CHECKING

from functions.api.book_store import BookStore
from functions.api.http_api import Answer, HttpApi
from functions.api.paging import read_position, read_whole_number
from functions.api.problems import not_found
from functions.api.timestamps import iso_utc
from functions.clock import now_ms
from functions.environment import MarketDataEnvironment
from functions.market_data.candle_store import CandleStore
from functions.market_data.ticker import read_ticker
from functions.observability import build_logger
from market.candles import Interval, basis_points
from market.errors import InvalidFieldError, Rule
from market.materials import require_traded
from market.money import format_price
from market.timestamps import parse_utc
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.page_token import encode_page_token
from patterns.dynamodb.retries import JITTER
from patterns.periodic_aggregator.settings import PeriodicAggregatorSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock
    from functions.market_data.candle_store import TimedCandle
    from functions.market_data.ticker import Ticker

DEFAULT_CANDLES = 100
"""Candles on a page, unless asked otherwise."""

MOST_CANDLES = 500
"""Most candles on a page: 65 KB, eight read units."""

_POSITION = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


def build(
    environment: MarketDataEnvironment, minutes: PeriodicAggregatorSettings, client: DynamoDBClient, clock: Clock
) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of tables and materials.
    minutes
        Where commits wait for their minute to close.
    client
        Low-level DynamoDB client.
    clock
        Tells which minute runs.
    """
    collected = minutes.aggregator(client, clock=clock, sleep=sleep, random=JITTER)
    candles = CandleStore(client, environment.candles_table, collected)
    books = BookStore(client, environment.asks_table, environment.standing_bids_table, environment.tape_table, clock)
    digits = environment.currency_digits

    def candles_of(request: Request, material: str) -> Answer:
        _require_material(material)
        query = request.query
        interval = _read_interval(query)
        from_ms, to_ms = _read_stretch(query)
        scope = ("candles", material, interval, query.get("from", ""), query.get("to", ""))
        limit = read_whole_number(query, "limit", default=DEFAULT_CANDLES, highest=MOST_CANDLES)
        position = read_position(query, scope, _POSITION)
        page, more = candles.newest(
            material,
            interval,
            now_ms=clock(),
            from_ms=from_ms,
            before_ms=to_ms if position is None else int(position),
            limit=limit,
        )
        return Answer(
            200,
            {
                "material": material,
                "interval": interval,
                "candles": [_candle_json(one, digits) for one in page],
                "next": encode_page_token(str(page[-1].start_ms), scope) if more else None,
            },
        )

    def ticker_of(_request: Request, material: str) -> Answer:
        _require_material(material)
        return Answer(
            200, {"material": material, **_ticker_json(read_ticker(material, candles, books, clock()), digits)}
        )

    def _require_material(material: str) -> None:
        try:
            require_traded(material, environment.materials)
        except InvalidFieldError as error:
            raise not_found(error) from None

    routes = {
        ("GET", "/materials/<material>/candles"): candles_of,
        ("GET", "/materials/<material>/ticker"): ticker_of,
    }
    return HttpApi(routes, build_logger(environment), clock)


def _read_interval(query: Mapping[str, str]) -> Interval:
    text = query.get("interval", Interval.MINUTE)
    try:
        return Interval(text)
    except ValueError:
        raise InvalidFieldError("interval", text, Rule.CHOICE, f"one of {', '.join(Interval)}") from None


def _read_stretch(query: Mapping[str, str]) -> tuple[int, int | None]:
    """Read the first moment a window may begin at, and the first it may not, in epoch ms."""
    from_ms = parse_utc(query["from"], "from") if "from" in query else 0
    to_ms = parse_utc(query["to"], "to") if "to" in query else None
    if to_ms is not None and to_ms < from_ms:
        raise InvalidFieldError("to", query["to"], Rule.SPAN, "at or after from")
    return from_ms, to_ms


def _candle_json(timed: TimedCandle, currency_digits: int) -> dict[str, object]:
    candle = timed.candle
    return {
        "start": iso_utc(timed.start_ms),
        "open": format_price(candle.open_minor, currency_digits),
        "high": format_price(candle.high_minor, currency_digits),
        "low": format_price(candle.low_minor, currency_digits),
        "close": format_price(candle.close_minor, currency_digits),
        "volume": candle.volume,
        "value": format_price(candle.value_minor, currency_digits),
        "trades": candle.trades,
        "last_sequence": candle.last_sequence,
        "closed": timed.closed,
    }


def _ticker_json(ticker: Ticker, currency_digits: int) -> dict[str, object]:
    def price(price_minor: int | None) -> str | None:
        return None if price_minor is None else format_price(price_minor, currency_digits)

    candle = ticker.candle
    change_minor = candle.close_minor - candle.open_minor if candle else None
    asks, bids = ticker.book.asks, ticker.book.bids
    return {
        "open": price(candle.open_minor if candle else None),
        "high": price(candle.high_minor if candle else None),
        "low": price(candle.low_minor if candle else None),
        "last": price(ticker.last_minor),
        "change": None if change_minor is None else f"{'-' if change_minor < 0 else ''}{price(abs(change_minor))}",
        "change_bps": basis_points(candle.close_minor - candle.open_minor, candle.open_minor) if candle else None,
        "volume": candle.volume if candle else 0,
        "value": price(candle.value_minor if candle else 0),
        "trades": candle.trades if candle else 0,
        "best_bid": price(bids[0].price_minor) if bids else None,
        "best_ask": price(asks[0].price_minor) if asks else None,
        "sequence": ticker.book.sequence,
    }


handler = build(
    MarketDataEnvironment.from_environ(os.environ),
    PeriodicAggregatorSettings.from_environ(os.environ),
    dynamodb_client(),
    now_ms,
)
