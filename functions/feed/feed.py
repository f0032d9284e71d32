"""What happened goes to its channels: stamped, several channels at a time, in bounded time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from functions.feed.events_api import MOST_EVENTS, EventsApi
from functions.observability import counted
from market.feed.channels import market_channel, player_channel
from market.feed.messages import text_of
from patterns.dynamodb.client import shared_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_lambda_powertools.logging import Logger

    from functions.clock import Clock
    from market.feed.messages import Message

LONGEST_PUBLISHING_S: Final = 1.5
"""What whoever publishes waits at most; calls that take longer go on, uncounted."""

PAUSE_MS: Final = 2000
"""How long nothing is sent after an attempt of which nothing got through: a silent feed does not slow the market."""

CONNECTIONS: Final = 16
"""Calls at a time: each is for one channel."""

_MOST_CHANNELS: Final = 50_000


class Feed:
    """Publishes messages. Never raises: what fails is logged and counts in the metric ``FeedFailures``.

    Each message gets its number on its channel before it is sent, so a client sees that one is missing.

    Parameters
    ----------
    send
        Publishes up to `MOST_EVENTS` JSON texts on a channel, in order; raises whatever went wrong.
    clock
        Epoch ms.
    new_publisher
        Returns a new publisher id, different in every process.
    logger
        Gets a line when something was not published.
    """

    def __init__(
        self, send: Callable[[str, Sequence[str]], None], clock: Clock, new_publisher: Callable[[], str], logger: Logger
    ) -> None:
        self._send = send
        self._clock = clock
        self._new_publisher = new_publisher
        self._logger = logger
        self._threads = ThreadPoolExecutor(CONNECTIONS)
        self._lock = Lock()
        self._publisher: str | None = None  # processes that start from one snapshot must not share it
        self._numbers: dict[str, int] = {}
        self._paused_until_ms = 0

    def publish(self, material: str, market: Sequence[Message], own: Mapping[str, Sequence[Message]]) -> None:
        """Tell everybody about a market, and players about their orders.

        Parameters
        ----------
        material
            Whose market.
        market
            For the material's channel, in order.
        own
            For the players' channels, by player. A player without a channel is not told.
        """
        of_channel = [(market_channel(material), market), *((player_channel(name), own[name]) for name in own)]
        now_ms = self._clock()
        texts = [
            (channel, self._stamped(channel, messages, now_ms))
            for channel, messages in of_channel
            if channel is not None and messages
        ]
        if now_ms < self._paused_until_ms:
            self._failed(len(texts), "paused", now_ms)
            return
        calls = [self._threads.submit(self._send_all, channel, events) for channel, events in texts]
        done, late = wait(calls, LONGEST_PUBLISHING_S)
        errors = [error for call in done if (error := call.exception()) is not None]
        if errors or late:
            if len(errors) + len(late) == len(calls):
                self._paused_until_ms = self._clock() + PAUSE_MS
            for call in late:
                call.cancel()
            self._failed(len(errors) + len(late), repr(errors[0]) if errors else "no answer in time", self._clock())

    def _stamped(self, channel: str, messages: Sequence[Message], now_ms: int) -> list[str]:
        with self._lock:
            if self._publisher is None or len(self._numbers) >= _MOST_CHANNELS:
                # Numbers that are forgotten must not begin again under the same id.
                self._numbers.clear()
                self._publisher = self._new_publisher()
            number, publisher = self._numbers.get(channel, 0), self._publisher
            self._numbers[channel] = number + len(messages)
        return [
            text_of(message, publisher=publisher, number=number + place, published_at_ms=now_ms)
            for place, message in enumerate(messages, 1)
        ]

    def _send_all(self, channel: str, events: Sequence[str]) -> None:
        for start in range(0, len(events), MOST_EVENTS):
            self._send(channel, events[start : start + MOST_EVENTS])

    def failed(self, reason: str) -> None:
        """Count that something could not even be said."""
        self._failed(1, reason, self._clock())

    def _failed(self, channels: int, reason: str, now_ms: int) -> None:
        self._logger.warning(
            "not published", extra={"channels": channels, "reason": reason, **counted("FeedFailures", channels, now_ms)}
        )


def live_feed(http_host: str | None, environ: Mapping[str, str], clock: Clock, logger: Logger) -> Feed | None:
    """Return what publishes on the live feed, None if there is none.

    Parameters
    ----------
    http_host
        Host of the Event API's HTTP endpoint.
    environ
        Usually `os.environ`; ``AWS_ENDPOINT_URL_APPSYNC`` sends the calls elsewhere, as it does for every AWS SDK.
    clock
        Epoch ms.
    logger
        Gets a line when something was not published.
    """
    if http_host is None:
        return None
    api = EventsApi(shared_session(), http_host, environ.get("AWS_ENDPOINT_URL_APPSYNC"), CONNECTIONS)
    return Feed(api.publish, clock, lambda: uuid4().hex, logger)
