"""Lambda handler of the sell side: place asks, list one's own, look one up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.api.asks_store import AsksStore
from functions.api.http_api import HttpApi
from functions.api.order_routes import order_routes
from functions.clock import now_ms
from functions.environment import AsksEnvironment
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock


def build(
    environment: AsksEnvironment, client: DynamoDBClient, clock: Clock, entropy: Callable[[int], bytes]
) -> HttpApi:
    """Return the handler for an environment; see `functions.api.order_routes` for the parameters."""
    store = AsksStore(client, environment.asks_table, environment.sell_orders_table)
    routes = order_routes("asks", placed_status=201, store=store, environment=environment, clock=clock, entropy=entropy)
    return HttpApi(routes, build_logger(environment), clock)


handler = build(AsksEnvironment.from_environ(os.environ), dynamodb_client(), now_ms, os.urandom)
