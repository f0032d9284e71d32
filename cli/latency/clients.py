"""The clients of a run: real WebSocket connections, all in one thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from cli.failures import EnvironmentUnavailableError
from cli.feed import ConnectionLost, FeedClient, FeedEvent
from cli.latency.receipts import MarketFollower, OwnFollower
from market.feed.channels import market_channel, player_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from cli.feed import FeedEndpoint
    from cli.latency.receipts import Receipts

_READY_LIMIT_S: Final = 60.0
_CONNECTING_AT_ONCE: Final = 8
_SNAPSHOT_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Listener:
    """One client.

    Attributes
    ----------
    name
        Among the clients of the run.
    token
        Its player's access token.
    player_id
        Whose own orders it follows; None for a watcher.
    materials
        What it follows besides.
    """

    name: str
    token: str
    player_id: str | None
    materials: tuple[str, ...]


class Clients:
    """Listens from the beginning to the end of a `with` block.

    Parameters
    ----------
    endpoint
        Where the feed is.
    listeners
        The clients.
    receipts
        Where they note what they hear.
    now_ms
        The run's clock.
    read_book
        Reads a material's snapshot for a watcher that starts, or that has noticed a gap; called in threads.
    """

    def __init__(
        self,
        endpoint: FeedEndpoint,
        listeners: Sequence[Listener],
        receipts: Receipts,
        *,
        now_ms: Callable[[], float],
        read_book: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self._endpoint = endpoint
        self._listeners = listeners
        self._receipts = receipts
        self._now_ms = now_ms
        self._read_book = read_book
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clients", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._followers: list[tuple[str, MarketFollower]] = []
        self._loading: dict[MarketFollower, asyncio.Task[None]] = {}
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        """Connect and subscribe all.

        Raises
        ------
        FeedRefusedError
            A token or a subscription is not accepted.
        EnvironmentUnavailableError
            The feed does not answer.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_READY_LIMIT_S)
        except TimeoutError:
            self._stop()
            raise EnvironmentUnavailableError(
                f"the live feed did not take {len(self._listeners)} clients in {_READY_LIMIT_S:g} s"
            ) from None
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if error is None and self._failure is not None:
            raise self._failure

    async def _start(self) -> None:
        free = asyncio.Semaphore(_CONNECTING_AT_ONCE)
        ready: list[asyncio.Future[None]] = []
        for listener in self._listeners:
            ready.append(self._loop.create_future())
            self._tasks.append(self._loop.create_task(self._listen(listener, free, ready[-1])))
        await asyncio.gather(*ready)

    async def _listen(self, listener: Listener, free: asyncio.Semaphore, ready: asyncio.Future[None]) -> None:
        try:
            async with free:
                feed = await FeedClient(self._endpoint, lambda: listener.token).__aenter__()
            try:
                await self._follow(listener, feed, free, ready)
            finally:
                await feed.__aexit__(None, None, None)
        except Exception as failure:
            if ready.done():
                self._failure = failure
            else:
                ready.set_exception(failure)

    async def _follow(
        self, listener: Listener, feed: FeedClient, free: asyncio.Semaphore, ready: asyncio.Future[None]
    ) -> None:
        own: dict[str, OwnFollower] = {}
        markets: dict[str, tuple[str, MarketFollower]] = {}
        if listener.player_id is not None and (channel := player_channel(listener.player_id)) is not None:
            own[channel] = OwnFollower(listener.name, self._receipts)
        for material in listener.materials:
            if (channel := market_channel(material)) is not None:
                markets[channel] = material, MarketFollower(listener.name, material, self._receipts)
        async with free:
            for channel in (*own, *markets):
                await feed.subscribe(channel)
        reading = self._loop.create_task(self._read(feed, own, markets))
        try:
            for material, follower in markets.values():
                await self._load(material, follower)
            self._followers += markets.values()
            ready.set_result(None)
            await reading
        finally:
            reading.cancel()

    async def _read(
        self, feed: FeedClient, own: Mapping[str, OwnFollower], markets: Mapping[str, tuple[str, MarketFollower]]
    ) -> None:
        async for news in feed:
            received_ms = self._now_ms()
            if isinstance(news, FeedEvent):
                if news.channel in own:
                    own[news.channel].take(news.content, received_ms)
                elif news.channel in markets:
                    material, follower = markets[news.channel]
                    follower.take(news.content, received_ms)
                    if follower.needs_snapshot:
                        self._load_soon(material, follower)
            elif isinstance(news, ConnectionLost):
                for follower in own.values():
                    follower.lose()
                for _, follower in markets.values():
                    follower.lose()
            else:
                for material, follower in markets.values():
                    self._load_soon(material, follower)

    def _load_soon(self, material: str, follower: MarketFollower) -> None:
        if follower not in self._loading:
            task = self._loading[follower] = self._loop.create_task(self._load(material, follower))
            task.add_done_callback(lambda _: self._loading.pop(follower))

    async def _load(self, material: str, follower: MarketFollower) -> None:
        """Read snapshots until one is as new as what the client has missed."""
        while True:
            follower.load(await asyncio.to_thread(self._read_book, material))
            if not follower.needs_snapshot:
                return
            await asyncio.sleep(_SNAPSHOT_PAUSE_S)

    def wrong_books(self) -> list[str]:
        """Compare watchers' books with those of a market at rest; returns a line for each that is wrong unnoticed."""

        async def compare() -> list[str]:
            answers = {
                material: await asyncio.to_thread(self._read_book, material)
                for material in dict.fromkeys(material for material, _ in self._followers)
            }
            faults = [follower.fault(answers[material]) for material, follower in self._followers]
            return [fault for fault in faults if fault is not None]

        return asyncio.run_coroutine_threadsafe(compare(), self._loop).result(_READY_LIMIT_S)

    def _stop(self) -> None:
        async def stop() -> None:
            tasks = [*self._tasks, *self._loading.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        stopped: Future[None] = asyncio.run_coroutine_threadsafe(stop(), self._loop)
        try:
            stopped.result(_READY_LIMIT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_READY_LIMIT_S)
            self._loop.close()
