"""A market in this process, to measure: it takes every order, trades nothing, and tells everybody at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection, serve

from cli.environments import Environment
from cli.latency import measuring
from local.emulator import HOST
from market.feed.channels import market_channel, player_channel
from market.tracing import parse_traceparent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pytest

    from tests.cli.conftest import Answer, ApiStandIn, Request

MATERIALS = ("copper", "wheat")


def player_id_of(name: str) -> str:
    return f"id-of-{name}"


class Pool:
    """Mints tokens that say whose they are."""

    def __init__(self, _environment: Environment) -> None:
        pass

    def mint_token(self, name: str) -> str:
        return f"token-of-{player_id_of(name)}"

    def player_id(self, name: str) -> str:
        return player_id_of(name)


@dataclass
class Market:
    """The market, and what makes it go wrong.

    Attributes
    ----------
    answer
        Answers a request in place of the market; None: as usual.
    carry
        Says what becomes of a message for a channel: itself, another one, or None, if it is lost.
    refuses
        Whether the feed refuses connections.
    lag_s
        How long the feed takes for a message to watchers, one after the other.
    """

    api: ApiStandIn
    answer: Callable[[Request], Answer | None] = lambda _: None
    carry: Callable[[str, dict[str, Any]], Any] = lambda _, message: message
    refuses: bool = False
    lag_s: float = 0.0
    sequences: Counter[str] = field(default_factory=Counter[str])
    _numbers: Counter[str] = field(default_factory=Counter[str])
    _subscribed: defaultdict[str, dict[ServerConnection, str]] = field(
        default_factory=lambda: defaultdict[str, dict[ServerConnection, str]](dict)
    )
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def requests(self, method: str, end: str) -> list[Request]:
        return [request for request in self.api.requests if request.method == method and request.path.endswith(end)]

    def respond(self, request: Request) -> Answer:
        """What the API does."""
        if (told := self.answer(request)) is not None:
            return told
        if request.method == "GET":
            material = request.path.split("/")[-2]
            return 200, {"material": material, "sequence": self.sequences[material], "asks": [], "bids": []}
        if request.method == "DELETE":
            return 202, {"requested": []}
        if request.path.endswith("/deposits"):
            return 201, {}
        assert request.body is not None
        with self._lock:
            self.tell(request, request.body["material"])
        return 201, {"id": request.body["client_order_id"] + "-order"}

    def tell(self, request: Request, material: str) -> None:
        """Publish an order on the channels of its material and its player."""
        assert request.body is not None
        parent = parse_traceparent(request.headers["traceparent"])
        assert parent is not None
        now_ms = time.time_ns() // 1_000_000
        self.sequences[material] += 1
        sequence = self.sequences[material]
        self.publish(market_channel(material), {"trace_ids": [parent.trace_id], **book_at(material, sequence, now_ms)})
        order = {
            "order_id": request.body["client_order_id"] + "-order",
            "sequence": sequence,
            "status": "NEW",
            "trace_id": parent.trace_id,
            "hops": {"received_at_ms": now_ms, "placed_at_ms": now_ms, "put_at_ms": now_ms, "matched_at_ms": now_ms},
        }
        own = {"material": material, "sequence": sequence, "orders": [order], "fills": []}
        self.publish(player_channel(request.token.removeprefix("token-of-")), own)

    def publish(self, channel: str | None, message: dict[str, Any]) -> None:
        assert channel is not None
        self._numbers[channel] += 1
        published_at_ms = time.time_ns() // 1_000_000
        numbered = {**message, "publisher": "p", "number": self._numbers[channel], "published_at_ms": published_at_ms}
        if (carried := self.carry(channel, numbered)) is not None:
            asyncio.run_coroutine_threadsafe(self._send(channel, carried), self._loop)

    async def _send(self, channel: str, message: Any) -> None:
        if channel.startswith("/market/"):
            async with self._sending:
                await asyncio.sleep(self.lag_s)
        for connection, identifier in list(self._subscribed[channel].items()):
            frame = {"type": "data", "id": identifier, "event": json.dumps(message)}
            with contextlib.suppress(Exception):
                await connection.send(json.dumps(frame))

    def cut(self, channel: str) -> None:
        """Break the connections of those who listen to a channel."""

        async def close() -> None:
            for connection in list(self._subscribed.pop(channel, {})):
                await connection.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop)

    async def _converse(self, connection: ServerConnection) -> None:
        async for text in connection:
            frame = json.loads(text)
            if frame["type"] == "subscribe":
                self._subscribed[frame["channel"]][connection] = frame["id"]
                await connection.send(json.dumps({"type": "subscribe_success", "id": frame["id"]}))
            elif self.refuses:
                errors = [{"errorType": "UnauthorizedException", "message": "not any more"}]
                await connection.send(json.dumps({"type": "connection_error", "errors": errors}))
            else:
                await connection.send(json.dumps({"type": "connection_ack", "connectionTimeoutMs": 300_000}))

    @contextlib.contextmanager
    def served(self) -> Generator[str]:
        """Serve the feed in a thread of its own; gives its address."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()

        async def listen() -> Any:
            return await serve(self._converse, HOST, 0, subprotocols=["aws-appsync-event-ws"])  # pyright: ignore[reportArgumentType]

        server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(30)
        try:
            yield f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}/event/realtime"
        finally:

            async def stop() -> None:
                server.close()
                await server.wait_closed()
                late = asyncio.all_tasks() - {asyncio.current_task()}
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

            asyncio.run_coroutine_threadsafe(stop(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()


def book_at(material: str, sequence: int, now_ms: int) -> dict[str, Any]:
    """An empty book, one commit after another."""
    sides: dict[str, Any] = {"asks": [], "bids": [], "asks_complete": True, "bids_complete": True}
    return {"material": material, "from": sequence - 1, "sequence": sequence, "as_of_ms": now_ms, "trades": [], **sides}


@contextlib.contextmanager
def running_market(api: ApiStandIn, monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Market, Environment]]:
    """A market and its environment."""

    def no_token(_environment: Environment) -> str:
        return "token-of-service"

    market = Market(api)
    api.answer = market.respond
    monkeypatch.setattr(measuring, "PlayerPool", Pool)
    monkeypatch.setattr(measuring, "service_token", no_token)
    with market.served() as url:
        outputs = {
            "api_url": api.url,
            "materials": list(MATERIALS),
            "currency_digits": 2,
            "tick_size": "0.05",
            "feed_http_host": "feed.example",
        }

        def no_client(service: str) -> Any:
            raise AssertionError(service)

        yield market, Environment("simulated", outputs, no_client, url)
