"""The clients of a run: real WebSocket connections, all in one thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from cli.failures import CommandFailedError, EnvironmentUnavailableError
from cli.feed import ConnectionRestored, FeedClient, FeedEvent
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
_REFUSED_PAUSE_S: Final = 1.0


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

    A client that the feed takes back, or tells what nobody understands, hears nothing more; the others go on.

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

    Attributes
    ----------
    failures
        Which client stopped listening, and why, one line each.
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
        self.failures: list[str] = []

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
                reason = " ".join(str(failure).split())
                self.failures.append(f"{listener.name} stopped listening: {reason or type(failure).__name__}")
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
        except Exception:
            for follower in _all_of(own, markets):
                follower.lose(math.inf)
            raise
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
                continue
            is_back = isinstance(news, ConnectionRestored)
            for follower in _all_of(own, markets):
                follower.lose(received_ms, is_back=is_back)
            if is_back:
                for material, follower in markets.values():
                    self._load_soon(material, follower)

    def _load_soon(self, material: str, follower: MarketFollower) -> None:
        if follower not in self._loading:
            task = self._loading[follower] = self._loop.create_task(self._load_again(material, follower))
            task.add_done_callback(lambda _: self._loading.pop(follower))

    async def _load(self, material: str, follower: MarketFollower) -> None:
        """Read snapshots until one is as new as what the client has missed."""
        while True:
            breaks = follower.breaks
            answer = await asyncio.to_thread(self._read_book, material)
            if follower.breaks == breaks:
                follower.load(answer)
            if not follower.needs_snapshot:
                return
            await asyncio.sleep(_SNAPSHOT_PAUSE_S)

    async def _load_again(self, material: str, follower: MarketFollower) -> None:
        """Go on until the market answers: until then the client knows that its book is wrong."""
        while True:
            try:
                await self._load(material, follower)
            except CommandFailedError:
                await asyncio.sleep(_REFUSED_PAUSE_S)
            else:
                return

    def wrong_books(self) -> dict[tuple[MarketFollower, int], str]:
        """Compare watchers' books with the market's.

        Returns
        -------
        dict[tuple[MarketFollower, int], str]
            (follower, messages it has heard) → what is wrong with its book, unnoticed. A message that puts it right may
            be on its way.

        Raises
        ------
        CommandFailedError
            The market does not tell its books.
        """

        async def compare() -> dict[tuple[MarketFollower, int], str]:
            answers = {
                material: await asyncio.to_thread(self._read_book, material)
                for material in dict.fromkeys(material for material, _ in self._followers)
            }
            faults = {
                (follower, follower.heard): follower.fault(answers[material]) for material, follower in self._followers
            }
            return {known: fault for known, fault in faults.items() if fault is not None}

        comparing = asyncio.run_coroutine_threadsafe(compare(), self._loop)
        try:
            return comparing.result(_READY_LIMIT_S)
        except TimeoutError:
            comparing.cancel()
            raise EnvironmentUnavailableError(f"the market did not tell its books in {_READY_LIMIT_S:g} s") from None

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


def _all_of(
    own: Mapping[str, OwnFollower], markets: Mapping[str, tuple[str, MarketFollower]]
) -> list[OwnFollower | MarketFollower]:
    return [*own.values(), *(follower for _, follower in markets.values())]
