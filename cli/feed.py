"""The live feed as a client uses it: channels are subscribed to once, connections are opened again when they break."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from cli.failures import EnvironmentUnavailableError
from cli.feed_connection import (
    ANSWER_LIMIT_S,
    FeedConnection,
    FeedEndpoint,
    FeedRefusedError,
    contents_of,
    errors_of,
    open_connection,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

__all__ = [
    "ConnectionLost",
    "ConnectionRestored",
    "FeedClient",
    "FeedEndpoint",
    "FeedEvent",
    "FeedNews",
    "FeedRefusedError",
]

_FIRST_PAUSE_S = 0.5
_MOST_DOUBLINGS = 5
_UNREAD_NEWS = 10_000
_BREAKS = (OSError, ConnectionClosed, InvalidHandshake)


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """What was published on a channel.

    Attributes
    ----------
    channel
        The channel as it was subscribed to.
    content
        The decoded JSON object.
    received_at_ms
        When it was read from the network, epoch milliseconds of this machine's clock.
    """

    channel: str
    content: dict[str, Any]
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """From here on events may be missing, until `ConnectionRestored`; `reason` is for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionRestored:
    """Every channel is subscribed to again. What was published in between never comes: read a snapshot."""


FeedNews: TypeAlias = FeedEvent | ConnectionLost | ConnectionRestored


class FeedClient:
    """One player's connection to the feed, for one event loop.

    Used as an asynchronous context manager, which connects, and as an asynchronous iterator, which never ends by
    itself. News that nobody takes from the iterator wait, 10,000 of them; then the service is not read from, and in the
    end it closes the connection.

    Parameters
    ----------
    endpoint
        Where the feed is.
    token
        Gives the player's token; asked at each connection and subscription, from a thread, since a token lasts shorter
        than the feed. An `OSError` of it is a reason to try again, as if the feed did not answer.
    now_ms
        Clock, epoch milliseconds.
    pause_s
        Seconds to wait before the n-th attempt in a row (from 1) to connect again.

    Examples
    --------
    >>> async with FeedClient(FeedEndpoint.of(environment), lambda: token) as feed:
    ...     await feed.subscribe("/market/stone")
    ...     async for news in feed:
    ...         print(news)
    """

    def __init__(
        self,
        endpoint: FeedEndpoint,
        token: Callable[[], str],
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        pause_s: Callable[[int], float] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._now_ms = now_ms
        self._pause_s = pause_s or _jittered_pause_s
        self._channels: dict[str, str] = {}
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._subscribed = 0
        self._news: asyncio.Queue[FeedNews | Exception] = asyncio.Queue(_UNREAD_NEWS)
        self._connection: FeedConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises
        ------
        FeedRefusedError
            The token is not accepted.
        EnvironmentUnavailableError
            The feed does not answer.
        """
        try:
            connection = await self._connect()
        except _BREAKS as error:
            raise EnvironmentUnavailableError(
                f"the live feed at {self._endpoint.realtime_url} does not answer: {_reason(error)}"
            ) from error
        self._reader = asyncio.create_task(self._run(connection), name="live feed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        if self._connection is not None:
            await self._connection.close()

    async def subscribe(self, channel: str) -> None:
        """Receive what is published on a channel from here on.

        Parameters
        ----------
        channel
            Path with its namespace, such as ``/market/stone``.

        Raises
        ------
        FeedRefusedError
            This player may not.
        EnvironmentUnavailableError
            The feed does not answer, or there is no token for now.
        """
        try:
            token = await asyncio.to_thread(self._token)
        except OSError as error:
            raise EnvironmentUnavailableError(f"no token to subscribe to {channel} with: {_reason(error)}") from error
        self._subscribed += 1
        identifier = str(self._subscribed)
        self._channels[identifier] = channel
        answer = self._answers[identifier] = asyncio.get_running_loop().create_future()
        try:
            # A connection that is broken at this moment asks for every channel when it is open again.
            if self._connection is not None:
                with contextlib.suppress(ConnectionClosed):
                    await self._connection.subscribe(identifier, channel, token)
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await answer
        except TimeoutError:
            del self._channels[identifier]
            raise EnvironmentUnavailableError(
                f"the live feed did not answer the subscription to {channel} in {ANSWER_LIMIT_S:g} s"
            ) from None
        except FeedRefusedError:
            del self._channels[identifier]
            raise
        finally:
            del self._answers[identifier]

    async def __aiter__(self) -> AsyncIterator[FeedNews]:
        """Give events and breaks of the connection in the order they happen.

        Raises
        ------
        FeedRefusedError
            At a new connection the token, or a subscription, was not accepted any more.
        Exception
            There was no token for a new connection.
        """
        while True:
            news = await self._news.get()
            if isinstance(news, Exception):
                raise news
            yield news

    async def _run(self, connection: FeedConnection) -> None:
        try:
            while True:
                try:
                    while True:
                        await self._handle(await connection.receive())
                except _BREAKS as error:
                    await self._news.put(ConnectionLost(_reason(error)))
                connection = await self._reconnect()
                await self._news.put(ConnectionRestored())
        except Exception as failure:  # whatever it is, who waits for news has to know that there will be none
            await self._news.put(failure)

    async def _reconnect(self) -> FeedConnection:
        attempt = 0
        while True:
            attempt += 1
            await asyncio.sleep(self._pause_s(attempt))
            with contextlib.suppress(*_BREAKS):
                return await self._connect()

    async def _connect(self) -> FeedConnection:
        """Open a connection on which every channel is subscribed to."""
        if self._connection is not None:
            await self._connection.close()
        connection = self._connection = await open_connection(self._endpoint, await asyncio.to_thread(self._token))
        waiting = dict(self._channels)
        for identifier, channel in waiting.items():
            await connection.subscribe(identifier, channel)
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while waiting:
                frame = await connection.receive()
                await self._handle(frame)
                if frame.get("type") in ("subscribe_success", "subscribe_error"):
                    waiting.pop(str(frame.get("id")), None)
        return connection

    async def _handle(self, frame: dict[str, Any]) -> None:
        received_at_ms = self._now_ms()
        identifier = str(frame.get("id"))
        channel, answer = self._channels.get(identifier), self._answers.get(identifier)
        if channel is None:
            return  # A sign of life, or of a subscription that nobody waits for any more.
        match frame.get("type"):
            case "data":
                for content in contents_of(frame):
                    await self._news.put(FeedEvent(channel, content, received_at_ms))
            case "subscribe_success" if answer is not None and not answer.done():
                answer.set_result(None)
            case "subscribe_error":
                refusal = FeedRefusedError(f"the live feed refused the subscription to {channel}: {errors_of(frame)}")
                if answer is None:
                    raise refusal
                if not answer.done():
                    answer.set_exception(refusal)
            case _:
                pass  # The service could not pass an event on, which its number tells too.


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _jittered_pause_s(attempt: int) -> float:
    """Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/."""
    return random.uniform(0, _FIRST_PAUSE_S * 2 ** min(attempt - 1, _MOST_DOUBLINGS))
