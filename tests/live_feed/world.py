"""A feed in this process: its two endpoints, an issuer with a key, and an emulator that lets some keys publish."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cli.feed import FeedEndpoint
from local.emulator import HOST
from local.feed.apis import load_apis
from local.feed.authorization import Authorizer
from local.feed.hub import Hub
from local.feed.publishing import PublishingEndpoint
from local.feed.realtime import PATH, RealtimeEndpoint
from local.feed.tokens import TokenVerifier
from tests.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from websockets.asyncio.server import Server

    from local.feed.apis import EventApi

API_ID = "feed0123"
HTTP_HOST = f"{API_ID}.appsync-api.us-east-1.amazonaws.com"
POOL_ID = "us-east-1_players"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL_ID}"
PLAYERS_HANDLER = (Path(__file__).parents[2] / "components" / "live_feed_players.js").read_text("utf-8")
KEY_ID = "key-1"


def signature(key: str) -> str:
    """An Authorization header as IAM's are; the emulator here looks at the key alone."""
    return f"AWS4-HMAC-SHA256 Credential={key}/20261121/us-east-1/appsync/aws4_request, SignedHeaders=host, Signature=0"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Issuer:
    """Signs tokens as a Cognito pool does."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        return {"keys": [{"kid": KEY_ID, "kty": "RSA", "e": _number(numbers.e), "n": _number(numbers.n)}]}

    def token(self, player: str, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token of a player; further claims, and fields of its header, replace the usual ones."""
        now_s = int(time.time())
        usual = {"sub": player, "iss": ISSUER, "iat": now_s, "exp": now_s + 3600, "client_id": "game"}
        first = {"alg": "RS256", "kid": KEY_ID, **(header or {})}
        parts = (json.dumps(part).encode() for part in (first, {**usual, **claims}))
        signed = ".".join(map(_encoded, parts))
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@dataclass
class Emulator:
    """What the feed asks of the emulator: the pool's keys, and whether a key may publish."""

    issuer: Issuer
    publishers: set[str] = field(default_factory=lambda: {"AKIAMATCHER"})
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    answers: bool = True

    @contextlib.contextmanager
    def serve(self) -> Generator[str]:
        """Answer on a free port; gives the URL."""
        emulator = self

        class Handler(JsonHandler):
            def respond(self) -> None:
                if self.command == "GET":
                    self.answer(200 if POOL_ID in self.path else 404, emulator.issuer.jwks)
                    return
                self.rfile.read(int(self.headers["Content-Length"]))
                if not emulator.answers:
                    self.close_connection = True
                    return
                emulator.asked.append({name.lower(): value for name, value in self.headers.items()})
                key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
                self.answer(200 if key in emulator.publishers else 403, {"message": "not authorized"})

        with serving(Handler) as url:
            yield url


def resources(*, client_ids: str | None = None, handler: str = PLAYERS_HANDLER) -> list[dict[str, Any]]:
    """The feed's resources as a state file has them."""
    pool = {"awsRegion": "us-east-1", "userPoolId": POOL_ID}
    config = {
        "authProviders": [
            {
                "authType": "AMAZON_COGNITO_USER_POOLS",
                "cognitoConfig": pool | ({"appIdClientRegex": client_ids} if client_ids else {}),
            },
            {"authType": "AWS_IAM"},
        ],
        "connectionAuthModes": [{"authType": "AMAZON_COGNITO_USER_POOLS"}],
        "defaultSubscribeAuthModes": [{"authType": "AMAZON_COGNITO_USER_POOLS"}],
        "defaultPublishAuthModes": [{"authType": "AWS_IAM"}],
    }
    namespaces = ({"name": "market"}, {"name": "players", "codeHandlers": handler})
    return [
        {
            "type": "aws:appsync/api:Api",
            "inputs": {"eventConfig": config},
            "outputs": {"apiId": API_ID, "dns": {"HTTP": HTTP_HOST}},
        },
        *(
            {"type": "aws:appsync/channelNamespace:ChannelNamespace", "inputs": {"apiId": API_ID, **inputs}}
            for inputs in namespaces
        ),
    ]


@dataclass
class Feed:
    """The running feed."""

    issuer: Issuer
    emulator: Emulator
    authorizer: Authorizer
    realtime_port: int
    publishing_port: int
    realtime: Server
    hub: Hub

    @property
    def endpoint(self) -> FeedEndpoint:
        return FeedEndpoint(f"ws://{HOST}:{self.realtime_port}{PATH}", HTTP_HOST)

    def cut(self) -> None:
        """Break every client's connection."""
        for connection in self.realtime.connections:
            connection.transport.abort()

    async def publish(self, channel: object, *contents: Any, key: str = "AKIAMATCHER") -> tuple[int, dict[str, Any]]:
        """Publish objects on a channel; returns the answer's status and body."""
        events = [json.dumps(content) for content in contents]
        return await self.post(json.dumps({"channel": channel, "events": events}), authorization=signature(key))

    async def post(
        self, body: str, *, authorization: str | None, path: str = "/event", host: str = HTTP_HOST
    ) -> tuple[int, dict[str, Any]]:
        """Post a body to the publishing endpoint."""
        return await asyncio.to_thread(self._post, body, authorization, path, host)

    def _post(self, body: str, authorization: str | None, path: str, host: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(HOST, self.publishing_port, timeout=30)
        headers = {"Host": host, **({} if authorization is None else {"Authorization": authorization})}
        with contextlib.closing(connection):
            connection.request("POST", path, body.encode(), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


@contextlib.asynccontextmanager
async def running_feed(*, client_ids: str | None = None, handler: str = PLAYERS_HANDLER) -> AsyncGenerator[Feed]:
    """Serve the feed in this event loop."""
    issuer = Issuer()
    emulator = Emulator(issuer)
    apis: dict[str, EventApi] = load_apis(resources(client_ids=client_ids, handler=handler))
    hub = Hub()
    with emulator.serve() as url:
        authorizer = Authorizer(TokenVerifier(url), url)
        realtime = await RealtimeEndpoint(apis, authorizer, hub).listen(0)
        publishing = await PublishingEndpoint(apis, authorizer, hub).listen(0)
        ports = (next(iter(server.sockets)).getsockname()[1] for server in (realtime, publishing))
        yield Feed(issuer, emulator, authorizer, next(ports), next(ports), realtime, hub)
        realtime.close()
        publishing.close()
        await realtime.wait_closed()
