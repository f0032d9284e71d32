"""Lambda handler of a player's own order histories: all versions, those between two times, the one as of a time."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions.api.contention import with_retries
from functions.api.http_api import Answer, HttpApi
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_whole_number
from functions.api.problems import not_found
from functions.clock import now_ms
from functions.environment import HistoryApiEnvironment
from functions.history.order_version import version_json
from functions.history.sources import ASKS, BIDS
from functions.observability import build_logger
from market.errors import InvalidFieldError, Rule
from market.keys import ask_price_key
from market.order_ids import ORDER_ID_PATTERN
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item, read_int, read_str
from patterns.dynamodb.page_token import InvalidPageTokenError
from patterns.historic.errors import BeforeFirstVersionError, UnknownItemError
from patterns.historic.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock
    from patterns.historic.images import Image

_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII)
_TIMES = ("as_of", "from", "to")


def build(environment: HistoryApiEnvironment, client: DynamoDBClient, clock: Clock) -> HttpApi:
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
    digits = environment.currency_digits

    def bid_key(player: str, bid_id: str) -> Image | None:
        key: Image = {"buyer": {"S": player}, "order_key": {"S": bid_id}}
        answer = with_retries(
            lambda: client.get_item(TableName=environment.bids_table, Key=key, ProjectionExpression="order_key")
        )
        return key if "Item" in answer else None

    def ask_key(player: str, ask_id: str) -> Image | None:
        key: Image = {"seller": {"S": player}, "order_key": {"S": ask_id}}
        answer = with_retries(lambda: client.get_item(TableName=environment.sell_orders_table, Key=key))
        if "Item" not in answer:
            return None
        order = decode_item(answer["Item"])
        price_key = ask_price_key(read_int(order, "price_minor"), ask_id)
        return {"material": {"S": read_str(order, "material")}, "price_key": {"S": price_key}}

    def route(history: History, key_of: Callable[[str, str], Image | None]) -> Callable[..., Answer]:
        def order_history(request: Request, order_id: str) -> Answer:
            asked = _read_times(request.query)
            key = key_of(request.player, order_id) if ORDER_ID_PATTERN.fullmatch(order_id) else None
            if key is None:
                raise not_found(
                    InvalidFieldError("id", order_id, Rule.OWN_ORDER, "the id of one of your orders of this side")
                )
            return Answer(200, _answer(history, key, asked, request.query, digits), log={"order_id": order_id})

        return order_history

    histories = (
        ("bids", History(client, environment.history_table, BIDS), bid_key),
        ("asks", History(client, environment.history_table, ASKS), ask_key),
    )
    routes = {("GET", f"/{side}/<order_id>/history"): route(history, key_of) for side, history, key_of in histories}
    return HttpApi(routes, build_logger(environment), clock)


def _answer(
    history: History, key: Image, asked: Mapping[str, int], query: Mapping[str, str], digits: int
) -> dict[str, Any]:
    if "as_of" in asked:
        try:
            version = history.as_of(key, asked["as_of"])
        except (BeforeFirstVersionError, UnknownItemError) as error:
            requirement = "a time at or after the order's first recorded version"
            raise not_found(InvalidFieldError("as_of", query["as_of"], Rule.FIRST_VERSION, requirement)) from error
        whole = version if version.recovered else history.version(key, version.number)
        return {"versions": [version_json(whole, digits)], "next": None}
    if asked:
        try:
            versions = history.between(key, asked.get("from", 0), asked.get("to", 10**15))
        except UnknownItemError:
            versions = ()
        return {"versions": [version_json(version, digits) for version in versions], "next": None}
    limit = read_whole_number(query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
    try:
        page = history.versions(key, limit=limit, token=query.get("next"))
    except InvalidPageTokenError as error:
        requirement = "the `next` of an earlier page of this same listing"
        raise InvalidFieldError("next", query.get("next"), Rule.PAGE_TOKEN, requirement) from error
    return {"versions": [version_json(version, digits) for version in page.versions], "next": page.next}


def _read_times(query: Mapping[str, str]) -> dict[str, int]:
    """Read the times of a request as epoch milliseconds."""
    times = {name: _read_time(name, query[name]) for name in _TIMES if name in query}
    if "as_of" in times and len(times) > 1:
        raise InvalidFieldError("as_of", query["as_of"], Rule.SPAN, "given without from and to")
    if times.get("to", 10**15) < times.get("from", 0):
        raise InvalidFieldError("to", query["to"], Rule.SPAN, "at or after from")
    return times


def _read_time(name: str, text: str) -> int:
    requirement = "a time in UTC such as 2026-11-21T08:00:00.007Z"
    if not _UTC_TIME.fullmatch(text):
        raise InvalidFieldError(name, text, Rule.TIME, requirement)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidFieldError(name, text, Rule.TIME, requirement) from error
    if moment.year < 1970:
        raise InvalidFieldError(name, text, Rule.TIME, requirement)
    return round(moment.timestamp() * 1000)


handler = build(HistoryApiEnvironment.from_environ(os.environ), dynamodb_client(), now_ms)
