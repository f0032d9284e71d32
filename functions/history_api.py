"""Lambda handler of a player's own order histories: all versions, those between two times, the one as of a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.api.http_api import Answer, HttpApi
from functions.api.own_records import stored_record
from functions.api.problems import not_found
from functions.clock import now_ms
from functions.environment import HistoryApiEnvironment
from functions.history.order_version import version_json
from functions.history.questions import Strand, answer
from functions.history.sources import ASKS, BIDS, SELL_ORDERS
from functions.observability import build_logger
from market.errors import InvalidFieldError, Rule
from market.keys import ask_price_key
from market.order_ids import ORDER_ID_PATTERN
from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import encode_item, read_int, read_str
from patterns.historic.environment import archive_of
from patterns.historic.history import History

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.request import Request
    from functions.clock import Clock
    from patterns.historic.archive import Archive
    from patterns.historic.version import Version


def build(
    environment: HistoryApiEnvironment, client: DynamoDBClient, clock: Clock, archive: Archive | None = None
) -> HttpApi:
    """Return the handler for an environment.

    Parameters
    ----------
    environment
        Names of the tables.
    client
        Low-level DynamoDB client.
    clock
        Measures a request's duration, and tells which versions may have left the table.
    archive
        Where those are; ``None`` if the table keeps all.
    """
    digits = environment.currency_digits
    bids, records, asks = (
        History(client, environment.history_table, keys, archive, clock) for keys in (BIDS, SELL_ORDERS, ASKS)
    )

    def bid_history(request: Request, order_id: str) -> Answer:
        own = stored_record(client, environment.bids_table, "buyer", request.player, order_id)
        if not ORDER_ID_PATTERN.fullmatch(order_id) or own is None:
            raise _not_own(order_id)
        strands = [Strand("order", bids, encode_item({"buyer": request.player, "order_key": order_id}))]
        body = answer(strands, request.query, lambda strand, version: version_json(version, strand.part, digits))
        return Answer(200, body, log={"order_id": order_id})

    def ask_history(request: Request, order_id: str) -> Answer:
        own = stored_record(client, environment.sell_orders_table, "seller", request.player, order_id)
        if not ORDER_ID_PATTERN.fullmatch(order_id) or own is None:
            raise _not_own(order_id)
        place = {
            "material": read_str(own, "material"),
            "price_key": ask_price_key(read_int(own, "price_minor"), order_id),
        }
        strands = [
            Strand("order", records, encode_item({"seller": request.player, "order_key": order_id})),
            Strand("book", asks, encode_item(place)),
        ]

        def shown(strand: Strand, version: Version) -> dict[str, object]:
            return version_json(version, strand.part, digits, own if strand.part == "book" else None)

        return Answer(200, answer(strands, request.query, shown), log={"order_id": order_id})

    routes = {
        ("GET", "/bids/<order_id>/history"): bid_history,
        ("GET", "/asks/<order_id>/history"): ask_history,
    }
    return HttpApi(routes, build_logger(environment), clock)


def _not_own(order_id: str) -> Exception:
    return not_found(InvalidFieldError("id", order_id, Rule.OWN_ORDER, "the id of one of your orders of this side"))


_environment = HistoryApiEnvironment.from_environ(os.environ)
handler = build(_environment, dynamodb_client(), now_ms, archive_of(_environment.history_archive_bucket))
