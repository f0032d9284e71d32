"""Lambda handler of the buy side: place bids, list one's own, look one up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.api.bids_store import BidsStore
from functions.api.http_api import HttpApi
from functions.api.order_routes import order_routes
from functions.clock import now_ms
from functions.environment import BidsEnvironment
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock


def build(
    environment: BidsEnvironment, client: DynamoDBClient, clock: Clock, entropy: Callable[[int], bytes]
) -> HttpApi:
    """Return the handler for an environment; see `functions.api.order_routes` for the parameters."""
    store = BidsStore(client, environment.bids_table)
    routes = order_routes("bids", placed_status=202, store=store, environment=environment, clock=clock, entropy=entropy)
    return HttpApi(routes, build_logger(environment), clock)


handler = build(BidsEnvironment.from_environ(os.environ), dynamodb_client(), now_ms, os.urandom)
