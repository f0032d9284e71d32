"""Plays a trading day on a running environment: concurrent clients send the planned orders through the HTTP API, then
the market comes to rest and its tables are read."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING

from cli.api import MarketApi, refusal
from cli.failures import UnsoundMarketError
from market.invariants import Invariant, check_invariants
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.trading_day import PlannedOrder
    from market.tables import Bid, MarketTables, SellOrder

SENDING_ATTEMPTS = 4
RESTING_LIMIT_S = 60
"""How long the tables may stay unchanged, with orders still unhandled, before the market counts as stuck."""

_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class SentOrder:
    """What became of a planned order.

    Attributes
    ----------
    order_id
        The market's id; None if the order was refused.
    refusal
        The market's reason; None if the order was accepted.
    http_ms
        Duration of the (last) request as the client saw it.
    answered_at_ms
        Epoch milliseconds when the answer was read.
    """

    planned: PlannedOrder
    order_id: str | None
    refusal: str | None
    http_ms: float
    answered_at_ms: int


def send_orders(
    plan: Sequence[PlannedOrder],
    *,
    api_url: str,
    tokens: Sequence[str],
    currency_digits: int,
    day: str,
    clients: int,
    on_sent: Callable[[SentOrder], None],
) -> list[SentOrder]:
    """Send all orders, in their order, from concurrent clients with one kept connection each.

    Parameters
    ----------
    plan
        The orders.
    api_url
        Base address of the API.
    tokens
        Access token of each player of the plan.
    currency_digits
        Decimals of a price.
    day
        Short text that no other trading day has: the client order ids are made of it.
    clients
        Number of threads.
    on_sent
        Called in the clients' threads after every answer.

    Returns
    -------
    list[SentOrder]
        In the order of the plan.

    Raises
    ------
    EnvironmentUnavailableError
        The API stopped answering; the other clients stop too.
    """
    waiting: SimpleQueue[PlannedOrder] = SimpleQueue()
    for order in plan:
        waiting.put(order)
    stopped = Event()
    sent: list[SentOrder] = []

    def client() -> None:
        with MarketApi(api_url) as api:
            while not stopped.is_set():
                try:
                    order = waiting.get_nowait()
                except Empty:
                    return
                outcome = _send(api, order, tokens[order.player], currency_digits, day)
                sent.append(outcome)
                on_sent(outcome)

    with ThreadPoolExecutor(clients, thread_name_prefix="client") as pool:
        try:
            running = [pool.submit(client) for _ in range(clients)]
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()
        for future in running:
            future.result()
    return sorted(sent, key=lambda outcome: outcome.planned.number)


def _send(api: MarketApi, order: PlannedOrder, token: str, currency_digits: int, day: str) -> SentOrder:
    body = {
        "material": order.material,
        "quantity": order.quantity,
        "price": format_price(order.price_minor, currency_digits),
        "client_order_id": f"{day}-{order.number}",
    }
    path = "/asks" if order.side == "SELL" else "/bids"
    reply = api.post(path, token, body)
    for attempt in range(1, SENDING_ATTEMPTS):
        if reply.status != 429 and reply.status < 500:
            break
        time.sleep(0.1 * 2**attempt)
        reply = api.post(path, token, body)
    answered_at_ms = time.time_ns() // 1_000_000
    if 200 <= reply.status < 300:
        return SentOrder(order, str(reply.body.get("id")), None, reply.elapsed_ms, answered_at_ms)
    return SentOrder(order, None, refusal(reply), reply.elapsed_ms, answered_at_ms)


def wait_until_quiet(read: Callable[[], MarketTables], *, limit_s: float = RESTING_LIMIT_S) -> MarketTables:
    """Wait until every order has been handled and nothing changes any more.

    Parameters
    ----------
    read
        Reads the tables.
    limit_s
        Seconds without any change after which a market that is not at rest counts as stuck.

    Returns
    -------
    MarketTables
        The tables at rest.

    Raises
    ------
    UnsoundMarketError
        The market is stuck: what is still unhandled.
    """
    before = read()
    changed_at = time.monotonic()
    while True:
        time.sleep(_POLL_S)
        now = read()
        unfinished = [
            violation
            for violation in check_invariants(now, quiet=True).violations
            if violation.invariant in (Invariant.HANDLED, Invariant.NOT_CROSSED)
        ]
        if now != before:
            before, changed_at = now, time.monotonic()
        elif not unfinished:
            return now
        elif time.monotonic() - changed_at > limit_s:
            raise UnsoundMarketError(
                f"the market does not come to rest: nothing changed for {limit_s:.0f} s, yet {len(unfinished)} orders "
                f"are unhandled; the first: {unfinished[0]}"
            )


def lost_orders(sent: Sequence[SentOrder], tables: MarketTables) -> list[str]:
    """Name every accepted order that the tables do not hold with the terms it was sent with."""
    stored: dict[str, SellOrder | Bid] = {order.ask_id: order for order in tables.sell_orders}
    stored |= {bid.bid_id: bid for bid in tables.bids}
    lost: list[str] = []
    for outcome in sent:
        if outcome.order_id is None:
            continue
        planned, row = outcome.planned, stored.get(outcome.order_id)
        expected = (planned.material, planned.price_minor, planned.quantity)
        if row is None:
            lost.append(f"{planned.side} order {outcome.order_id} was accepted and is in no table")
        elif (found := (row.material, row.price_minor, row.quantity)) != expected:
            lost.append(f"{planned.side} order {outcome.order_id} was sent as {expected} and stored as {found}")
    return lost
