"""The expirer's Lambda handler: a firing of its schedule in, records for the matcher out."""

from __future__ import annotations

import os
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from functions.clock import now_ms
from functions.environment import ExpiryEnvironment
from functions.expiry_records import Expirer, Side
from functions.observability import build_logger
from patterns.dynamodb.client import LEAN_CONFIG, dynamodb_client, shared_session
from patterns.dynamodb.retries import JITTER, Retries

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

_MARGIN_MS: Final = 15_000
"""Enough for one more page and its records, with the clients' own attempts on a silent service."""


class InvocationContext(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before Lambda stops the function."""
        ...


_environment = ExpiryEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
_expirer = Expirer(
    dynamodb=dynamodb_client(),
    sides=(
        Side("SELL", _environment.asks_table, "ask_id", "seller"),
        Side("BUY", _environment.standing_bids_table, "bid_id", "buyer"),
    ),
    kinesis=cast("KinesisClient", shared_session().create_client("kinesis", config=LEAN_CONFIG)),  # pyright: ignore[reportUnknownMemberType]
    stream_name=_environment.orders_stream,
    clock=now_ms,
    retries=Retries(sleep=sleep, random=JITTER, attempts=5, first_wait_ms=100),
)


def handler(_event: dict[str, Any], context: InvocationContext) -> None:
    """Put all orders that are past their time on the orders stream.

    Parameters
    ----------
    _event
        Whichever firing: what is due says the index.
    context
        Lambda's; a run ends in time and leaves the rest to the next one.
    """
    report = _expirer.run(_environment.materials, lambda: context.get_remaining_time_in_millis() > _MARGIN_MS)
    _logger.info("expiry", extra={"orders": report.orders, "records": report.records, "finished": report.finished})
