"""Sends a plan in an open loop: each mutation when it is due, whatever became of those before it."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Final, Protocol

from cli.api import MarketApi, refusal
from cli.failures import EnvironmentUnavailableError
from market.money import format_price
from market.tracing import format_traceparent, new_span_id, new_trace_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from cli.api import Reply
    from cli.latency.load import PlannedMutation

_FEWEST_CONNECTIONS, _MOST_CONNECTIONS = 4, 64
_POLL_S = 0.01
_ANSWER_S = 0.5  # an answer that takes longer than this on average would need more connections than there are
_SILENCE_MS: Final = 30_000.0
_FEWEST_UNANSWERED: Final = 10
"""The market has stopped answering when so many requests in a row, over so long a time, got no answer."""
_NOT_ABOUT_THE_ORDER: Final = (401, 403, 429)
"""Statuses below 500 by which the market says nothing about the order itself."""


class RunClock:
    """Milliseconds since the start of the run, on a clock that nobody sets.

    Parameters
    ----------
    monotonic, wait
        Seconds, and what waits for an event so many of them; `time.monotonic` and `Event.wait` unless a test has its
        own.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[Event, float], object] = Event.wait,
    ) -> None:
        self._monotonic = monotonic
        self._wait = wait
        self._started = monotonic()

    def restart(self) -> None:
        """Let the run start at this moment."""
        self._started = self._monotonic()

    def now_ms(self) -> float:
        """Return the time since the start."""
        return (self._monotonic() - self._started) * 1000

    def sleep_until(self, due_ms: float, stopped: Event) -> bool:
        """Return when it is time, at once if it has been; False, if the run is stopped before that."""
        while not stopped.is_set() and (left_ms := due_ms - self.now_ms()) > 0:
            self._wait(stopped, left_ms / 1000)
        return not stopped.is_set()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a planned mutation: see `cli.latency.samples.Sample` for the fields."""

    planned: PlannedMutation
    trace_id: str
    sent_ms: float
    answered_ms: float | None
    order_id: str | None
    refusal: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Sending:
    """What was sent of a plan, in its order, and what ended that early: the person, or a market that is silent."""

    sent: tuple[Sent, ...]
    end: KeyboardInterrupt | EnvironmentUnavailableError | None


class Place(Protocol):
    """Sends one mutation under a trace id and waits for the answer, for one thread."""

    def __call__(self, mutation: PlannedMutation, trace_id: str, /) -> Reply:
        """Return the answer; raises `EnvironmentUnavailableError` if there is none."""
        ...


class HttpPlacing:
    """Places over one kept connection, as a context manager that gives a `Place`.

    Parameters
    ----------
    api_url
        Base address.
    tokens
        Each player's access token, by index.
    currency_digits
        Decimals of a price.
    """

    def __init__(self, api_url: str, tokens: Sequence[str], currency_digits: int) -> None:
        self._api = MarketApi(api_url)
        self._tokens = tokens
        self._currency_digits = currency_digits

    def __enter__(self) -> Place:
        self._api.connect()
        return self._place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.__exit__(kind, error, trace)

    def _place(self, mutation: PlannedMutation, trace_id: str, /) -> Reply:
        body = {
            "material": mutation.material,
            "quantity": mutation.quantity,
            "price": format_price(mutation.price_minor, self._currency_digits),
            "client_order_id": trace_id,
        }
        traceparent = format_traceparent(trace_id, new_span_id(os.urandom))
        path = "/asks" if mutation.side == "SELL" else "/bids"
        return self._api.post(path, self._tokens[mutation.player], body, headers={"traceparent": traceparent})


def connections_for(rate_per_s: float) -> int:
    """Return how many connections keep a loop open at a highest rate: a bounded number."""
    return max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, round(rate_per_s * _ANSWER_S)))


def send_in_open_loop(
    plan: Sequence[PlannedMutation],
    *,
    connect: Callable[[], AbstractContextManager[Place]],
    connections: int,
    clock: RunClock,
    on_sent: Callable[[], None] = lambda: None,
) -> Sending:
    """Send each mutation when it is due. The clock restarts when all connections are there.

    A mutation waits for nothing but its time and a free connection. If none is free, because the market has stalled,
    it is sent as soon as one is; its latency counts from its due time all the same. On Ctrl-C nothing more is sent;
    what is on its way is waited for.

    Parameters
    ----------
    plan
        In the order of their due times.
    connect
        Opens a connection.
    connections
        How many, each with a thread.
    clock
        The run's; shared with whoever receives.
    on_sent
        Called in the connections' threads after every answer.

    Returns
    -------
    Sending
        What was sent. Its end is a `KeyboardInterrupt`, or an `EnvironmentUnavailableError` if the market has stopped
        answering at all.

    Raises
    ------
    EnvironmentUnavailableError
        A connection cannot be opened.
    """
    waiting: SimpleQueue[tuple[int, PlannedMutation]] = SimpleQueue()
    for numbered in enumerate(plan):
        waiting.put(numbered)
    sent: dict[int, Sent] = {}
    ready: SimpleQueue[None] = SimpleQueue()
    started, stopped = Event(), Event()
    unanswered, answered_ms = 0, 0.0
    end: KeyboardInterrupt | EnvironmentUnavailableError | None = None

    def connection() -> None:
        nonlocal unanswered, answered_ms
        with connect() as place:
            ready.put(None)
            started.wait()
            while not stopped.is_set():
                try:
                    number, mutation = waiting.get_nowait()
                except Empty:
                    return
                if not clock.sleep_until(mutation.due_ms, stopped):
                    return
                sent[number], failure = _send(place, mutation, clock)
                if failure is None:
                    unanswered, answered_ms = 0, clock.now_ms()
                else:
                    unanswered += 1
                    if unanswered >= _FEWEST_UNANSWERED and clock.now_ms() - answered_ms >= _SILENCE_MS:
                        raise failure
                on_sent()

    with ThreadPoolExecutor(connections, thread_name_prefix="sender") as pool:
        try:
            running = [pool.submit(connection) for _ in range(connections)]
            while ready.qsize() < connections:
                for future in wait(running, _POLL_S, FIRST_EXCEPTION).done:
                    future.result()
            clock.restart()
            started.set()
            for future in wait(running, return_when=FIRST_EXCEPTION).done:
                future.result()
        except (KeyboardInterrupt, EnvironmentUnavailableError) as reason:
            if not started.is_set():
                raise
            end = reason
        finally:
            stopped.set()
            started.set()
    return Sending(tuple(sent[number] for number in sorted(sent)), end)


def _send(place: Place, mutation: PlannedMutation, clock: RunClock) -> tuple[Sent, EnvironmentUnavailableError | None]:
    trace_id = new_trace_id(os.urandom)
    sent_ms = clock.now_ms()
    try:
        reply = place(mutation, trace_id)
    except EnvironmentUnavailableError as failure:
        return Sent(mutation, trace_id, sent_ms, None, None, None, failed=True), failure
    answered_ms = clock.now_ms()
    if not 200 <= reply.status < 300:
        failed = not _is_by_the_rules(reply)
        return Sent(mutation, trace_id, sent_ms, answered_ms, None, refusal(reply), failed), None
    order_id = reply.body.get("id")
    if not isinstance(order_id, str):
        reason = f"answered {reply.status}, but with no order"
        return Sent(mutation, trace_id, sent_ms, answered_ms, None, reason, failed=True), None
    return Sent(mutation, trace_id, sent_ms, answered_ms, order_id, None, failed=False), None


def _is_by_the_rules(reply: Reply) -> bool:
    """Whether the market itself refuses the order; what stands before it answers without the market's error."""
    in_range = 400 <= reply.status < 500 and reply.status not in _NOT_ABOUT_THE_ORDER
    return in_range and isinstance(reply.body.get("error"), dict)
