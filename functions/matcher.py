"""The matcher's Lambda handler: one batch of the orders stream in, the sequence numbers to deliver again out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import TYPE_CHECKING, Any, cast

from functions.clock import now_ms
from functions.environment import MatcherEnvironment
from functions.feed.feed import live_feed
from functions.matching.batch import work_batch
from functions.matching.live import Live
from functions.matching.matcher import Matcher
from functions.matching.parking import parking_queue
from functions.matching.tables import Tables
from functions.observability import build_logger
from market.fees import Fees
from market.matching.engine import SelfTradePrevention
from patterns.dynamodb.client import LEAN_CONFIG, dynamodb_client, shared_session
from patterns.dynamodb.retries import JITTER

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


_environment = MatcherEnvironment.from_environ(os.environ)
_logger = build_logger(_environment)
# Materials share nothing but the client: side by side, a batch of ten takes as long as its slowest.
_threads = ThreadPoolExecutor(max_workers=8)


def _live() -> Live | None:
    feed = live_feed(_environment.feed_http_host, os.environ, now_ms, _logger)
    if feed is None:
        return None
    # Not those that work on materials, which wait for these.
    readers = ThreadPoolExecutor(max_workers=16)
    return Live(feed, _environment.currency_digits, lambda call: readers.submit(call).result)


_matcher = Matcher(
    client=dynamodb_client(),
    tables=Tables(
        asks=_environment.asks_table,
        sell_orders=_environment.sell_orders_table,
        bids=_environment.bids_table,
        standing_bids=_environment.standing_bids_table,
        tape=_environment.tape_table,
    ),
    fees=Fees(maker_bps=_environment.maker_fee_bps, taker_bps=_environment.taker_fee_bps),
    self_trade_prevention=SelfTradePrevention(_environment.self_trade_prevention),
    clock=now_ms,
    sleep=sleep,
    random=JITTER,
    express_lane=_environment.express_lane == 1,
    live=_live(),
)


def _sqs_client() -> SQSClient:
    return cast("SQSClient", shared_session().create_client("sqs", config=LEAN_CONFIG))  # pyright: ignore[reportUnknownMemberType]


_park = parking_queue(_sqs_client, _environment.parked_records_queue_url)


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Match one batch.

    Parameters
    ----------
    event
        Lambda event of a Kinesis event source; its records are what `functions.matching.records` reads.

    Returns
    -------
    dict[str, list[dict[str, str]]]
        ``batchItemFailures``: the lowest sequence number of each material that could not be worked on for now.
    """
    report = work_batch(event["Records"], _matcher, _park, _threads.map)
    for material, error in report.errors.items():
        trace_ids = [trace_id for trace_id, of in report.trace_ids.items() if of == material]
        _logger.error("handed back", exc_info=error, extra={"material": material, "trace_ids": trace_ids})
    _logger.info("batch", extra={**report.figures(), "trace_ids": [*report.trace_ids]})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in report.failed]}
