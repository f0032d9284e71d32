"""The client against a service that breaks connections, falls silent, and changes its mind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import cli.feed
from cli.environments import Environment
from cli.failures import EnvironmentUnavailableError
from cli.feed import ConnectionLost, ConnectionRestored, FeedClient, FeedEndpoint, FeedEvent, FeedNews, FeedRefusedError
from local.emulator import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    Talk = Callable[[ServerConnection], Awaitable[None]]

_HTTP_HOST = "feed.appsync-api.us-east-1.amazonaws.com"


@contextlib.asynccontextmanager
async def _service(*talks: Talk, port: int = 0) -> AsyncGenerator[FeedEndpoint]:
    """A service whose n-th connection goes as the n-th talk; the last one is for all further."""
    remaining = list(talks)

    async def converse(connection: ServerConnection) -> None:
        talk = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        await talk(connection)

    async with serve(converse, HOST, port, subprotocols=["aws-appsync-event-ws"]) as server:  # pyright: ignore[reportArgumentType]
        (listening,) = server.sockets
        yield FeedEndpoint(f"ws://{HOST}:{listening.getsockname()[1]}/event/realtime", _HTTP_HOST)


def _talk(*events: Any, silence_ms: int = 300_000, refused: tuple[str, ...] = (), ends: bool = False) -> Talk:
    """Acknowledge, answer subscriptions, send events on the first one, and then stay, or end."""

    async def talk(connection: ServerConnection) -> None:
        async for text in connection:
            frame = json.loads(text)
            match frame["type"]:
                case "connection_init":
                    await connection.send(json.dumps({"type": "connection_ack", "connectionTimeoutMs": silence_ms}))
                case "subscribe" if frame["channel"] in refused:
                    errors = [{"errorType": "UnauthorizedException", "message": "not yours"}]
                    await connection.send(json.dumps({"type": "subscribe_error", "id": frame["id"], "errors": errors}))
                case "subscribe":
                    await connection.send(json.dumps({"type": "subscribe_success", "id": frame["id"]}))
                    for event in events:
                        await connection.send(json.dumps({"type": "data", "id": frame["id"], "event": event}))
                    if ends:
                        return
                case _:
                    raise AssertionError(text)

    return talk


def _client(endpoint: FeedEndpoint, token: Callable[[], str] = lambda: "token") -> FeedClient:
    return FeedClient(endpoint, token, now_ms=lambda: 1234, pause_s=lambda _: 0.0)


def _tokens(*answers: str | Exception) -> Callable[[], str]:
    """What gives these, one after the other, or raises them."""
    following = iter(answers)

    def token() -> str:
        answer = next(following)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return token


async def _news(client: FeedClient, count: int) -> list[FeedNews]:
    news = aiter(client)
    return [await anext(news) for _ in range(count)]


@pytest.mark.parametrize("event", ['{"n": 1}', ['{"n": 1}']])
def test_an_event_is_understood_as_it_is_documented_and_as_it_is_sent(event: Any) -> None:
    async def scenario() -> None:
        async with _service(_talk(event)) as endpoint, _client(endpoint) as client:
            await client.subscribe("/market/stone")
            assert await _news(client, 1) == [FeedEvent("/market/stone", {"n": 1}, 1234)]

    asyncio.run(scenario())


def test_the_handshake_carries_host_and_token() -> None:
    offered: list[str] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        offered.extend(connection.request.headers["Sec-WebSocket-Protocol"].replace(" ", "").split(","))
        await _talk()(connection)

    async def scenario() -> None:
        async with _service(talk) as endpoint, _client(endpoint):
            pass

    asyncio.run(scenario())
    protocol, header = offered
    encoded = header.removeprefix("header-")
    assert protocol == "aws-appsync-event-ws"
    assert json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))) == {
        "host": _HTTP_HOST,
        "Authorization": "token",
    }


def test_a_broken_connection_is_told_and_every_channel_subscribed_to_again() -> None:
    tokens = iter(["first", "for the channel", "second"])

    async def scenario() -> None:
        broken = _talk('{"n": 1}', ends=True)
        async with _service(broken, _talk('{"n": 2}')) as endpoint, _client(endpoint, lambda: next(tokens)) as client:
            await client.subscribe("/market/stone")
            before, lost, *after = await _news(client, 4)
            assert before == FeedEvent("/market/stone", {"n": 1}, 1234)
            assert isinstance(lost, ConnectionLost)
            # What comes on the new connection may come before all channels are there again: nothing is dropped.
            assert FeedEvent("/market/stone", {"n": 2}, 1234) in after
            assert ConnectionRestored() in after

    asyncio.run(scenario())
    assert list(tokens) == []


def test_a_silent_service_is_given_up() -> None:
    async def scenario() -> None:
        given_up = asyncio.Event()

        async def silent(connection: ServerConnection) -> None:
            await _talk(silence_ms=50)(connection)
            given_up.set()

        async with _service(silent, _talk('{"n": 1}')) as endpoint, _client(endpoint) as client:
            await client.subscribe("/market/stone")
            lost, *after = await _news(client, 3)
            await asyncio.wait_for(given_up.wait(), 30)
            assert isinstance(lost, ConnectionLost)
            assert "no sign of life" in lost.reason
            assert FeedEvent("/market/stone", {"n": 1}, 1234) in after

    asyncio.run(scenario())


@pytest.mark.parametrize("frame", ["no JSON", "[]", "7", "[" * 5000, b"\xff"])
def test_a_service_that_talks_nonsense_is_given_up(frame: str | bytes) -> None:
    async def nonsense(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "connection_ack", "connectionTimeoutMs": "soon"}')
        await connection.send(frame)
        await connection.wait_closed()

    async def scenario() -> None:
        async with _service(nonsense, _talk()) as endpoint, _client(endpoint) as client:
            lost, restored = await _news(client, 2)
            assert isinstance(lost, ConnectionLost)
            assert "no frame" in lost.reason
            assert restored == ConnectionRestored()

    asyncio.run(scenario())


def test_an_event_that_is_no_object_is_passed_over() -> None:
    async def scenario() -> None:
        events = ("{", "7", None, ["{", '{"n": 1}'], "[" * 5000, '{"n": 2}')
        async with _service(_talk(*events)) as endpoint, _client(endpoint) as client:
            await client.subscribe("/market/stone")
            heard = [news.content for news in await _news(client, 2) if isinstance(news, FeedEvent)]
            assert heard == [{"n": 1}, {"n": 2}]

    asyncio.run(scenario())


def test_a_new_connection_waits_for_a_token_and_a_lost_right_to_one_ends_the_news() -> None:
    token = _tokens("first", ConnectionError("no network"), "second", LookupError("no such player"))

    async def ends(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "connection_ack"}')

    async def scenario() -> None:
        async with _service(ends) as endpoint, _client(endpoint, token) as client:
            lost, restored, again = await _news(client, 3)
            assert isinstance(lost, ConnectionLost)
            assert restored == ConnectionRestored()
            assert isinstance(again, ConnectionLost)
            with pytest.raises(LookupError, match="no such player"):
                await _news(client, 1)

    asyncio.run(scenario())


def test_without_a_token_there_is_no_subscription() -> None:
    token = _tokens("first", ConnectionError("no network"))

    async def scenario() -> None:
        async with _service(_talk()) as endpoint, _client(endpoint, token) as client:
            with pytest.raises(EnvironmentUnavailableError, match="/market/stone with: no network"):
                await client.subscribe("/market/stone")

    asyncio.run(scenario())


def test_a_later_subscription_has_a_token_of_its_own() -> None:
    """The connection's may have expired meanwhile."""
    tokens = iter(["first", "second"])
    sent: list[str] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "connection_ack"}')
        frame = json.loads(await connection.recv())
        sent.append(frame["authorization"]["Authorization"])
        await connection.send(json.dumps({"type": "subscribe_success", "id": frame["id"]}))
        await connection.wait_closed()

    async def scenario() -> None:
        async with _service(talk) as endpoint, _client(endpoint, lambda: next(tokens)) as client:
            await client.subscribe("/market/stone")

    asyncio.run(scenario())
    assert sent == ["second"]


def test_a_service_that_comes_back_is_found() -> None:
    port = free_port()
    channels = ["/market/stone", "/market/wood", "/players/pann"]

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            async with _service(_talk(), port=port) as endpoint:
                client = await stack.enter_async_context(_client(endpoint))
                for channel in channels:
                    await client.subscribe(channel)
            (lost,) = await _news(client, 1)
            assert isinstance(lost, ConnectionLost)
            await stack.enter_async_context(_service(_talk('{"n": 1}'), port=port))
            news = await _news(client, 4)
            assert ConnectionRestored() in news
            assert [one.channel for one in news if isinstance(one, FeedEvent)] == channels

    asyncio.run(scenario())


def test_a_subscription_that_is_not_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.feed, "ANSWER_LIMIT_S", 0.05)

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "connection_ack"}')
        first, second = [json.loads(await connection.recv())["id"] for _ in range(2)]
        await connection.send(json.dumps({"type": "subscribe_success", "id": second}))
        for identifier in (first, second):
            await connection.send(json.dumps({"type": "data", "id": identifier, "event": '{"n": 1}'}))
        await connection.wait_closed()

    async def scenario() -> None:
        async with _service(talk) as endpoint, _client(endpoint) as client:
            with pytest.raises(EnvironmentUnavailableError, match="did not answer the subscription to /market/stone"):
                await client.subscribe("/market/stone")
            monkeypatch.setattr(cli.feed, "ANSWER_LIMIT_S", 10)
            await client.subscribe("/market/wood")
            assert await _news(client, 1) == [FeedEvent("/market/wood", {"n": 1}, 1234)]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, FeedRefusedError),
        (403, FeedRefusedError),
        (404, EnvironmentUnavailableError),
        (429, EnvironmentUnavailableError),
        (503, EnvironmentUnavailableError),
    ],
)
def test_a_refused_handshake_is_for_good_only_if_it_is_this_players(status: int, failure: type[Exception]) -> None:
    async def scenario() -> None:
        async with serve(
            _talk(), HOST, 0, process_request=lambda connection, _: connection.respond(status, "")
        ) as server:
            (listening,) = server.sockets
            endpoint = FeedEndpoint(f"ws://{HOST}:{listening.getsockname()[1]}/event/realtime", _HTTP_HOST)
            with pytest.raises(failure, match=str(status)):
                await _client(endpoint).__aenter__()

    asyncio.run(scenario())


@pytest.mark.parametrize("attempt", [1, 2, 10, 5000])
def test_the_pause_before_another_attempt_stays_short_however_many_there_were(attempt: int) -> None:
    pause_s = cli.feed._jittered_pause_s  # pyright: ignore[reportPrivateUsage]
    assert all(0 <= pause_s(attempt) <= min(0.25 * 2 ** min(attempt, 20), 20) for _ in range(100))


def test_a_subscription_that_is_refused_later_ends_the_news() -> None:
    async def scenario() -> None:
        later = _talk(refused=("/market/stone",))
        async with _service(_talk(ends=True), later) as endpoint, _client(endpoint) as client:
            await client.subscribe("/market/stone")
            with pytest.raises(FeedRefusedError, match="/market/stone: UnauthorizedException: not yours"):
                await _news(client, 2)

    asyncio.run(scenario())


def test_a_refused_subscription_leaves_the_others_and_is_not_tried_again() -> None:
    async def scenario() -> None:
        refused = ("/players/pbob",)
        talks = _talk('{"n": 1}', refused=refused, ends=True), _talk(refused=refused)
        async with _service(*talks) as endpoint, _client(endpoint) as client:
            with pytest.raises(FeedRefusedError, match="not yours"):
                await client.subscribe("/players/pbob")
            await client.subscribe("/market/stone")
            event, lost, restored = await _news(client, 3)
            assert event == FeedEvent("/market/stone", {"n": 1}, 1234)
            assert isinstance(lost, ConnectionLost)
            assert restored == ConnectionRestored()

    asyncio.run(scenario())


def test_a_connection_may_be_refused_after_the_handshake() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send('{"type": "connection_error", "errors": [{"errorType": "UnauthorizedException"}]}')
        await connection.wait_closed()

    async def scenario() -> None:
        async with _service(talk) as endpoint:
            with pytest.raises(FeedRefusedError, match="UnauthorizedException"):
                await _client(endpoint).__aenter__()

    asyncio.run(scenario())


def test_no_service_and_no_feed_are_one_line_each() -> None:
    async def scenario() -> None:
        with pytest.raises(
            EnvironmentUnavailableError, match=r"^the live feed at ws://[^\n]* does not answer: [^\n]*$"
        ):
            await _client(FeedEndpoint(f"ws://{HOST}:{free_port()}/event/realtime", _HTTP_HOST)).__aenter__()

    asyncio.run(scenario())
    without = Environment("dev", {"feed_http_host": None}, lambda _: None)
    with pytest.raises(EnvironmentUnavailableError, match="dev has no live feed: its setting liveFeed is off"):
        FeedEndpoint.of(without)


def test_an_environment_says_where_its_feed_is() -> None:
    outputs = {"feed_http_host": _HTTP_HOST, "feed_realtime_url": "wss://realtime/event/realtime"}
    assert FeedEndpoint.of(Environment("prod", outputs, lambda _: None)) == FeedEndpoint(
        "wss://realtime/event/realtime", _HTTP_HOST
    )
    local = Environment("local", outputs, lambda _: None, "ws://127.0.0.1:1/event/realtime")
    assert FeedEndpoint.of(local).realtime_url == "ws://127.0.0.1:1/event/realtime"
