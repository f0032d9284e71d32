"""Who may connect, subscribe and publish, at the endpoints."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from cli.failures import CommandFailedError
from cli.feed import FeedClient, FeedEndpoint, FeedEvent, FeedRefusedError
from cli.feed_connection import open_connection
from local.emulator import HOST
from market.feed.channels import player_channel
from tests.live_feed.world import HTTP_HOST, Issuer, running_feed, signature

if TYPE_CHECKING:
    from collections.abc import Callable


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


_NOW_S = int(time.time())
_REFUSED_TOKENS: dict[str, Callable[[Issuer], str]] = {
    "none": lambda _: "",
    "no token": lambda _: "hello",
    "not three parts": lambda issuer: issuer.token("ann").rpartition(".")[0],
    "no JSON": lambda issuer: f"e30.bm8.{issuer.token('ann').rpartition('.')[2]}",
    "another signature": lambda issuer: issuer.token("ann")[:-8] + "AAAAAAAA",
    "claims of another": lambda issuer: ".".join(
        (*issuer.token("ann").split(".")[:1], issuer.token("bob").split(".")[1], issuer.token("ann").split(".")[2])
    ),
    "another key": lambda _: Issuer().token("ann"),
    "an unknown key": lambda issuer: issuer.token("ann", header={"kid": "key-2"}),
    "no algorithm": lambda issuer: issuer.token("ann", header={"alg": "none"}),
    "another algorithm": lambda issuer: issuer.token("ann", header={"alg": "HS256"}),
    "expired": lambda issuer: issuer.token("ann", exp=_NOW_S - 1),
    "never expires": lambda issuer: issuer.token("ann", exp=None),
    "expires in words": lambda issuer: issuer.token("ann", exp="tomorrow"),
    "not yet valid": lambda issuer: issuer.token("ann", nbf=_NOW_S + 600),
    "of another issuer": lambda issuer: issuer.token("ann", iss="https://id.example"),
    "without a subject": lambda issuer: issuer.token("ann", sub=None),
    "of another client": lambda issuer: issuer.token("ann", client_id="other"),
    "of a client whose name begins alike": lambda issuer: issuer.token("ann", client_id="games"),
}


@pytest.mark.parametrize("case", _REFUSED_TOKENS)
def test_a_token_that_proves_nothing_does_not_connect(case: str) -> None:
    async def scenario() -> None:
        async with running_feed(client_ids="game|admin") as feed:
            token = _REFUSED_TOKENS[case](feed.issuer)
            with pytest.raises(FeedRefusedError, match="401 Unauthorized"):
                await FeedClient(feed.endpoint, lambda: token).__aenter__()
            # The same feed takes a good one, with the scheme's name or without.
            for prefix in ("", "Bearer "):
                async with FeedClient(feed.endpoint, lambda prefix=prefix: prefix + feed.issuer.token("ann")):
                    pass

    asyncio.run(scenario())


def test_a_connection_is_for_the_host_of_an_api() -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            status, document = await feed.post(_publish({}), authorization=signature("AKIAMATCHER"), host="other")
            assert (status, document["errors"][0]["errorType"]) == (404, "ResourceNotFoundException")
            elsewhere = FeedEndpoint(feed.endpoint.realtime_url, "other.appsync-api.us-east-1.amazonaws.com")
            with pytest.raises(FeedRefusedError, match="401"):
                await FeedClient(elsewhere, lambda: feed.issuer.token("ann")).__aenter__()
            nowhere = FeedEndpoint(feed.endpoint.realtime_url.removesuffix("/realtime"), HTTP_HOST)
            with pytest.raises(CommandFailedError, match="404"):
                await FeedClient(nowhere, lambda: feed.issuer.token("ann")).__aenter__()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (player_channel("bob"), "UnauthorizedException"),
        (player_channel("Ann"), "UnauthorizedException"),
        ("/players/*", "UnauthorizedException"),
        ("/players", "UnauthorizedException"),
        (f"{player_channel('ann')}/*", "UnauthorizedException"),
        ("/elsewhere/stone", "UnauthorizedException"),
        ("/*", "BadRequestException"),
        ("/market/*/stone", "BadRequestException"),
        ("/market//stone", "BadRequestException"),
        ("/market/iron ore", "BadRequestException"),
        ("/market/" + "x" * 51, "BadRequestException"),
        ("/market/a/b/c/d/e", "BadRequestException"),
        ("", "BadRequestException"),
    ],
)
def test_a_foreign_or_impossible_channel_is_refused_and_the_connection_goes_on(channel: str, reason: str) -> None:
    async def scenario() -> None:
        async with running_feed() as feed, FeedClient(feed.endpoint, lambda: feed.issuer.token("ann")) as client:
            with pytest.raises(FeedRefusedError, match=reason):
                await client.subscribe(channel)
            own = str(player_channel("ann"))
            await client.subscribe(own)
            await feed.publish(player_channel("bob"), {"for": "bob"})
            await feed.publish(own, {"for": "ann"})
            news = await anext(aiter(client))
            assert isinstance(news, FeedEvent)
            assert (news.channel, news.content) == (own, {"for": "ann"})

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "handler", ["no code {", "export function onSubscribe(ctx) { ctx.nothing.at.all }", "onSubscribe = 7"]
)
def test_a_handler_that_fails_lets_nobody_in(handler: str) -> None:
    async def scenario() -> None:
        async with (
            running_feed(handler=handler) as feed,
            FeedClient(feed.endpoint, lambda: feed.issuer.token("ann")) as client,
        ):
            with pytest.raises(FeedRefusedError, match="SubscriptionProcessingError"):
                await client.subscribe(str(player_channel("ann")))

    asyncio.run(scenario())


@pytest.mark.parametrize("authorization", [None, {}, "token", {"Authorization": 7}, {"Authorization": "x.y.z"}])
def test_each_subscription_is_authorized_by_itself(authorization: Any) -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            connection = await open_connection(feed.endpoint, feed.issuer.token("ann"))
            connection._authorization = authorization  # pyright: ignore[reportPrivateUsage]
            await connection.subscribe("1", "/market/stone")
            answer = await connection.receive()
            assert (answer["type"], answer["errors"][0]["errorType"]) == ("subscribe_error", "UnauthorizedException")
            await connection.close()

    asyncio.run(scenario())


_EVENTS = ["{}"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("no JSON", 400, "Unable to parse"),
        ("[]", 400, "Unable to parse"),
        (json.dumps({"events": _EVENTS}), 400, "Invalid Channel"),
        (json.dumps({"channel": "/market/*", "events": _EVENTS}), 400, "Invalid Channel"),
        (json.dumps({"channel": 7, "events": _EVENTS}), 400, "Invalid Channel"),
        (json.dumps({"channel": "/market/stone"}), 400, "list of JSON texts"),
        (json.dumps({"channel": "/market/stone", "events": []}), 400, "list of JSON texts"),
        (json.dumps({"channel": "/market/stone", "events": _EVENTS * 6}), 400, "exceeded 5 event limit"),
        (json.dumps({"channel": "/market/stone", "events": [{}]}), 400, "JSON text"),
        (json.dumps({"channel": "/market/stone", "events": ["{"]}), 400, "JSON text"),
        (json.dumps({"channel": "/market/stone", "events": ["[" * 5000]}), 400, "JSON text"),
        (json.dumps({"channel": "/market/stone", "events": ['"\ud800"']}), 400, "JSON text"),
        ("[" * 5000, 400, "Unable to parse"),
        (" " * (2 * 5 * 245_760 + 1), 413, "too large"),
        (json.dumps({"channel": "/market/stone", "events": [json.dumps("x" * 245_761)]}), 400, "245760 bytes"),
        (json.dumps({"channel": "/elsewhere/stone", "events": _EVENTS}), 401, "no channel namespace"),
    ],
)
def test_an_impossible_publish_is_refused_by_name(body: str, status: int, message: str) -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            answered, document = await feed.post(body, authorization=signature("AKIAMATCHER"))
            assert answered == status
            assert message in document["errors"][0]["message"]
            assert feed.emulator.asked == []
            assert (await feed.publish("/market/stone", {}))[0] == 200

    asyncio.run(scenario())


def test_only_a_role_with_the_grant_publishes() -> None:
    async def scenario() -> None:
        async with running_feed() as feed, FeedClient(feed.endpoint, lambda: feed.issuer.token("ann")) as client:
            await client.subscribe("/market/stone")
            token = feed.issuer.token("ann")
            for authorization in (None, token, f"Bearer {token}"):
                assert (await feed.post(_publish({"n": 0}), authorization=authorization))[0] == 401
            assert feed.emulator.asked == []
            for _ in range(2):  # a refusal is not remembered: the grant may come
                assert (await feed.publish("/market/stone", {"n": 1}, key="AKIAOTHER"))[0] == 403
            assert len(feed.emulator.asked) == 2
            assert feed.emulator.asked[0]["host"] == HTTP_HOST
            for n in (2, 3):
                assert (await feed.publish("/market/stone", {"n": n}))[0] == 200
            assert len(feed.emulator.asked) == 3  # once for a key and a namespace
            await feed.publish("/players/pann", {})
            assert len(feed.emulator.asked) == 4
            feed.emulator.publishers.clear()
            feed.authorizer.forget_publishers()
            assert (await feed.publish("/market/stone", {"n": 4}))[0] == 403
            news = aiter(client)
            heard = [await anext(news) for _ in range(2)]
            assert [event.content for event in heard if isinstance(event, FeedEvent)] == [{"n": 2}, {"n": 3}]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "header", ["header-é", "header-a", "header-" + _encoded("[" * 2000), "header-" + _encoded("7"), "x"]
)
def test_a_handshake_whose_authorization_makes_no_sense_is_refused(header: str) -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            reader, writer = await asyncio.open_connection(HOST, feed.realtime_port)
            lines = ("GET /event/realtime HTTP/1.1", "Host: feed", "Upgrade: websocket", "Connection: Upgrade")
            keys = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
            offered = f"Sec-WebSocket-Protocol: aws-appsync-event-ws, {header}"
            writer.write("\r\n".join((*lines, *keys, offered, "", "")).encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
            writer.close()

    asyncio.run(scenario())


def test_a_publish_that_nobody_can_check_is_told_so() -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            feed.emulator.answers = False
            status, document = await feed.publish("/market/stone", {})
            assert (status, document["errors"][0]["errorType"]) == (503, "ServiceUnavailableException")
            feed.emulator.answers = True
            assert (await feed.publish("/market/stone", {}))[0] == 200

    asyncio.run(scenario())


def _publish(content: object) -> str:
    return json.dumps({"channel": "/market/stone", "events": [json.dumps(content)]})
