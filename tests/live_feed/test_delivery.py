"""Events reach everybody who listens, in order; who does not read is cut off and harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from cli.feed import FeedClient, FeedEvent
from cli.feed_connection import FeedConnection, open_connection
from tests.live_feed.world import running_feed


async def _contents(client: FeedClient, count: int) -> list[tuple[str, dict[str, Any]]]:
    news = aiter(client)
    heard = [await anext(news) for _ in range(count)]
    return [(event.channel, event.content) for event in heard if isinstance(event, FeedEvent)]


def test_everybody_who_listens_hears_all_in_order() -> None:
    async def scenario() -> None:
        async with running_feed() as feed, contextlib.AsyncExitStack() as stack:
            clients: list[FeedClient] = []
            for player in ("ann", "bob"):
                token = feed.issuer.token(player)
                clients.append(await stack.enter_async_context(FeedClient(feed.endpoint, lambda token=token: token)))
                await clients[-1].subscribe("/market/stone")
            await clients[0].subscribe("/market/*")
            for start in range(0, 20, 5):
                status, answer = await feed.publish("/market/stone", *({"n": start + n} for n in range(5)))
                assert (status, answer["failed"], len(answer["successful"])) == (200, [], 5)
                await feed.publish("/market/wood", {"wood": start})
            stone = [("/market/stone", {"n": n}) for n in range(20)]
            heard = await _contents(clients[0], 20 + 20 + 4)
            assert [one for one in heard if one[0] == "/market/stone"] == stone
            assert [content["n"] for channel, content in heard if channel == "/market/*" and "n" in content] == [
                *range(20)
            ]
            assert await _contents(clients[1], 20) == stone

    asyncio.run(scenario())


def test_a_wildcard_stands_for_one_segment_or_more() -> None:
    async def scenario() -> None:
        async with running_feed() as feed, FeedClient(feed.endpoint, lambda: feed.issuer.token("ann")) as client:
            for channel in ("/market/*", "/market/stone/*", "/market/stone", "/market/stone/day"):
                await client.subscribe(channel)
            await feed.publish("/market/stone", {"n": 1})
            await feed.publish("/market/stone/day", {"n": 2})
            await feed.publish("/market/stone/day/old", {"n": 3})
            assert sorted((content["n"], channel) for channel, content in await _contents(client, 7)) == [
                (1, "/market/*"),
                (1, "/market/stone"),
                (2, "/market/*"),
                (2, "/market/stone/*"),
                (2, "/market/stone/day"),
                (3, "/market/*"),
                (3, "/market/stone/*"),
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"type": "publish", "id": "1", "channel": "/market/stone"}'])
def test_a_frame_that_makes_no_sense_is_told_and_the_connection_goes_on(text: str) -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            connection = await open_connection(feed.endpoint, feed.issuer.token("ann"))
            await connection._socket.send(text)  # pyright: ignore[reportPrivateUsage]
            assert (await connection.receive())["type"] == "error"
            await connection.subscribe("1", "/market/stone")
            assert await connection.receive() == {"type": "subscribe_success", "id": "1"}
            await connection.close()

    asyncio.run(scenario())


def test_subscriptions_have_names_of_their_own_and_end() -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            connection = await open_connection(feed.endpoint, feed.issuer.token("ann"))
            for identifier, channel, expected in (
                ("1", "/market/stone", "subscribe_success"),
                ("1", "/market/wood", "DuplicatedOperationError"),
                ("a b", "/market/wood", "BadRequestException"),
                ("", "/market/wood", "BadRequestException"),
                ("2", "/market/wood", "subscribe_success"),
            ):
                await connection.subscribe(identifier, channel)
                assert expected in json.dumps(await connection.receive())
            for expected in ("unsubscribe_success", "UnknownOperationError"):
                await connection._socket.send('{"type": "unsubscribe", "id": "1"}')  # pyright: ignore[reportPrivateUsage]
                assert expected in json.dumps(await connection.receive())
            await feed.publish("/market/stone", {"n": 1})
            await feed.publish("/market/wood", {"n": 2})
            assert await connection.receive() == {"type": "data", "id": "2", "event": '{"n": 2}'}
            await connection.close()

    asyncio.run(scenario())


def test_who_does_not_read_is_cut_off_and_the_others_hear_all() -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            # The library takes some frames in by itself, and then reads no more from the socket.
            stuck = await open_connection(feed.endpoint, feed.issuer.token("ann"))
            await stuck.subscribe("1", "/market/stone")
            await stuck.receive()
            # More than all buffers between the two take.
            events = [{"n": n, "padding": "x" * 240_000} for n in range(100)]
            async with FeedClient(feed.endpoint, lambda: feed.issuer.token("bob")) as client:
                await client.subscribe("/market/stone")
                for event in events:
                    assert (await feed.publish("/market/stone", event))[0] == 200
                assert [content["n"] for _, content in await _contents(client, len(events))] == [*range(len(events))]
            assert 0 < await _frames_until_closed(stuck, len(events)) < len(events)

    asyncio.run(scenario())


async def _frames_until_closed(connection: FeedConnection, most: int) -> int:
    for count in range(most):
        try:
            await connection.receive()
        except ConnectionClosed:
            return count
    return most


def test_who_vanishes_is_forgotten() -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            for _ in range(3):
                connection = await open_connection(feed.endpoint, feed.issuer.token("ann"))
                await connection.subscribe("1", "/market/stone")
                await connection.receive()
                connection._socket.transport.abort()  # pyright: ignore[reportPrivateUsage]
            async with FeedClient(feed.endpoint, lambda: feed.issuer.token("bob")) as client:
                await client.subscribe("/market/stone")
                for n in range(3):
                    assert (await feed.publish("/market/stone", {"n": n}))[0] == 200
                assert [content["n"] for _, content in await _contents(client, 3)] == [0, 1, 2]
            async with asyncio.timeout(30):
                while feed.hub._listeners:  # pyright: ignore[reportPrivateUsage]
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())
