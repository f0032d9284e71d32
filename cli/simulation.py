"""Plays a trading day on a running environment: concurrent clients send the planned orders, changes and cancels through
the HTTP API; and whatever was accepted must be in the tables."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING

from cli.api import MarketApi, Reply, path_of, refusal
from cli.trading_day import PlannedOrder
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.trading_day import PlannedChange, PlannedStep
    from market.tables import Bid, SellOrder
    from market.whole_tables import MarketTables

SENDING_ATTEMPTS = 4

_HIGHEST_PRICE_MINOR = 999_999_999_999


@dataclass(frozen=True, slots=True)
class SentOrder:
    """What became of a planned order, change or cancel.

    Attributes
    ----------
    order_id
        The market's id; of a change, that of the order that takes the place, or of the order itself. None if it was
        refused.
    refusal
        The market's reason; None if it was accepted.
    http_ms
        Duration of the (last) request as the client saw it.
    answered_at_ms
        Epoch milliseconds when the answer was read.
    """

    planned: PlannedStep
    order_id: str | None
    refusal: str | None
    http_ms: float
    answered_at_ms: int


def send_orders(
    plan: Sequence[PlannedStep],
    *,
    api_url: str,
    tokens: Sequence[str],
    currency_digits: int,
    day: str,
    clients: int,
    on_sent: Callable[[SentOrder], None],
) -> list[SentOrder]:
    """Send all orders, changes and cancels, in their order, from concurrent clients with one kept connection each.

    Parameters
    ----------
    plan
        The day.
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
    waiting: SimpleQueue[PlannedStep] = SimpleQueue()
    for step in plan:
        waiting.put(step)
    stopped = Event()
    sent: dict[int, SentOrder] = {}

    def client() -> None:
        with MarketApi(api_url) as api:
            while not stopped.is_set():
                try:
                    step = waiting.get_nowait()
                except Empty:
                    return
                if isinstance(step, PlannedOrder):
                    outcome = _place(api, step, tokens[step.player], currency_digits, day)
                else:
                    outcome = _change(api, step, sent.get(step.order.number), tokens[step.player], currency_digits)
                sent[step.number] = outcome
                on_sent(outcome)

    with ThreadPoolExecutor(clients, thread_name_prefix="client") as pool:
        try:
            running = [pool.submit(client) for _ in range(clients)]
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()
        for future in running:
            future.result()
    return [sent[number] for number in sorted(sent)]


def _place(api: MarketApi, order: PlannedOrder, token: str, currency_digits: int, day: str) -> SentOrder:
    body: dict[str, object] = {
        "material": order.material,
        "quantity": order.quantity,
        "client_order_id": f"{day}-{order.number}",
    }
    if order.price_minor is None:
        body["type"] = "market"
    else:
        body["price"] = format_price(order.price_minor, currency_digits)
    if order.time_in_force != "GTC":
        body["time_in_force"] = order.time_in_force
    if order.life_s is not None:
        expires_at = datetime.now(UTC) + timedelta(seconds=order.life_s)
        body["expires_at"] = expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if order.post_only:
        body["post_only"] = True
    path = "/asks" if order.side == "SELL" else "/bids"
    return _outcome(order, _sent_until_answered(lambda: api.post(path, token, body)))


def _change(
    api: MarketApi, change: PlannedChange, placed: SentOrder | None, token: str, currency_digits: int
) -> SentOrder:
    if placed is None or placed.order_id is None:
        return SentOrder(change, None, "not sent: the order to change was refused", 0, time.time_ns() // 1_000_000)
    path = path_of("asks" if change.order.side == "SELL" else "bids", placed.order_id)
    if change.is_cancel:
        return _outcome(change, _sent_until_answered(lambda: api.delete(path, token)))
    body: dict[str, object] = {}
    if change.price_minor is not None:
        body["price"] = format_price(change.price_minor, currency_digits)
    if change.quantity is not None:
        body["quantity"] = change.quantity
    return _outcome(change, api.patch(path, token, body))


def _sent_until_answered(send: Callable[[], Reply]) -> Reply:
    reply = send()
    for attempt in range(1, SENDING_ATTEMPTS):
        if reply.status != 429 and reply.status < 500:
            break
        time.sleep(0.1 * 2**attempt)
        reply = send()
    return reply


def _outcome(step: PlannedStep, reply: Reply) -> SentOrder:
    answered_at_ms = time.time_ns() // 1_000_000
    if 200 <= reply.status < 300:
        return SentOrder(step, str(reply.body.get("id")), None, reply.elapsed_ms, answered_at_ms)
    return SentOrder(step, None, refusal(reply), reply.elapsed_ms, answered_at_ms)


def lost_orders(sent: Sequence[SentOrder], tables: MarketTables) -> list[str]:
    """Name every accepted order that the tables do not hold with the terms it was sent with."""
    stored: dict[str, SellOrder | Bid] = {order.ask_id: order for order in tables.sell_orders}
    stored |= {bid.bid_id: bid for bid in tables.bids}
    lost: list[str] = []
    for outcome in sent:
        if outcome.order_id is None:
            continue
        planned, row = outcome.planned, stored.get(outcome.order_id)
        order = planned if isinstance(planned, PlannedOrder) else planned.order
        if row is None:
            lost.append(f"{order.side} order {outcome.order_id} was accepted and is in no table")
        elif isinstance(planned, PlannedOrder):
            # The quantity may be less by now: its player may have reduced it.
            expected = (planned.material, _stored_price_minor(planned))
            if (row.material, row.price_minor) != expected or row.quantity > planned.quantity:
                found = (row.material, row.price_minor, row.quantity)
                terms = (*expected, planned.quantity)
                lost.append(f"{order.side} order {outcome.order_id} was sent as {terms} and stored as {found}")
    return lost


def _stored_price_minor(order: PlannedOrder) -> int:
    if order.price_minor is not None:
        return order.price_minor
    return 1 if order.side == "SELL" else _HIGHEST_PRICE_MINOR
