"""Lambda handler of the buy side: place bids, list one's own, look one up, change it, cancel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from functions.accounts.ledger import Ledger
from functions.api.bids_store import BidsStore
from functions.api.escrow import Escrow
from functions.api.express_lane import express_lane, kinesis_client
from functions.api.http_api import HttpApi
from functions.api.order_marks import OrderMarks
from functions.api.order_routes import order_routes
from functions.api.side import Side
from functions.clock import now_ms
from functions.environment import BidsEnvironment
from functions.observability import build_logger
from patterns.dynamodb.client import dynamodb_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

    from functions.clock import Clock


def build(
    environment: BidsEnvironment,
    client: DynamoDBClient,
    clock: Clock,
    entropy: Callable[[int], bytes],
    kinesis: Callable[[], KinesisClient] = kinesis_client,
) -> HttpApi:
    """Return the handler for an environment; see `functions.api.order_routes` for the parameters.

    `kinesis` makes the express lane's client, if the environment has one.
    """
    logger = build_logger(environment)
    express = express_lane(environment.orders_stream_name, kinesis, clock, logger)
    records = environment.bids_table
    ledger = Ledger(client, environment.accounts_table, environment.journal_table)
    escrow = Escrow(client, ledger, records, "buyer", environment.max_open_orders, express)
    store = BidsStore(
        client,
        records,
        escrow,
        fee_bps=max(environment.maker_fee_bps, environment.taker_fee_bps),
        tick_minor=environment.tick_minor,
    )
    side = Side("bids", store, OrderMarks(client, records, "buyer", express), ledger, lambda line: line.open_bids)
    return HttpApi(order_routes(side, environment, clock, entropy), logger, clock, entropy)


handler = build(BidsEnvironment.from_environ(os.environ), dynamodb_client(), now_ms, os.urandom)
