"""One WebSocket of the live feed: AWS AppSync Events' subprotocol, as a client speaks it.

Source: https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from cli.failures import CommandFailedError, EnvironmentUnavailableError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from cli.environments import Environment

ANSWER_LIMIT_S = 10.0
"""How long an answer of the service is waited for."""

_PROTOCOL = "aws-appsync-event-ws"
_SILENCE_LIMIT_MS = 300_000
_LARGEST_FRAME_BYTES = 1 << 20
_REFUSALS = (401, 403)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class FeedRefusedError(CommandFailedError):
    """The feed accepts the connection or a subscription not from this player."""


@dataclass(frozen=True, slots=True)
class FeedEndpoint:
    """Where an environment's feed is.

    Attributes
    ----------
    realtime_url
        Address of the WebSocket, such as ``wss://….appsync-realtime-api.eu-west-1.amazonaws.com/event/realtime``.
    http_host
        Host of the API's HTTP endpoint, which an authorization names.
    """

    realtime_url: str
    http_host: str

    @classmethod
    def of(cls, environment: Environment) -> FeedEndpoint:
        """Find the feed of an environment.

        Raises
        ------
        EnvironmentUnavailableError
            It has none: its setting ``liveFeed`` is off.
        """
        host = environment.outputs.get("feed_http_host")
        if host is None:
            raise EnvironmentUnavailableError(
                f"environment {environment.name} has no live feed: its setting liveFeed is off"
            )
        url = environment.realtime_url or environment.output("feed_realtime_url")
        return cls(realtime_url=str(url), http_host=str(host))


class FeedConnection:
    """An open connection; made by `open_connection`."""

    def __init__(self, socket: ClientConnection, authorization: dict[str, str]) -> None:
        self._socket = socket
        self._authorization = authorization
        self.silence_limit_s = _SILENCE_LIMIT_MS / 1000
        """Seconds without any frame after which the connection is dead."""

    async def receive(self) -> dict[str, Any]:
        """Return the next frame.

        Raises
        ------
        FeedRefusedError
            The service takes the connection back.
        ConnectionError
            What came is no frame.
        websockets.exceptions.ConnectionClosed
            It is closed.
        TimeoutError
            There was no sign of life.
        """
        try:
            async with asyncio.timeout(self.silence_limit_s):
                text = await self._socket.recv()
        except TimeoutError:
            raise TimeoutError(f"no sign of life for {self.silence_limit_s:g} s") from None
        decoded = _decoded(text)
        if not isinstance(decoded, dict):
            raise ConnectionError(f"the service sent no frame but {text[:40]!r}")
        frame = cast("dict[str, Any]", decoded)
        match frame.get("type"):
            case "connection_ack":
                limit_ms: Any = frame.get("connectionTimeoutMs")
                self.silence_limit_s = (limit_ms if isinstance(limit_ms, int) else _SILENCE_LIMIT_MS) / 1000
            case "connection_error":
                raise FeedRefusedError(f"the live feed refused the connection: {errors_of(frame)}")
            case _:
                pass
        return frame

    async def subscribe(self, identifier: str, channel: str, token: str | None = None) -> None:
        """Ask for a channel; a later frame with the identifier answers. Without a token, with the connection's."""
        authorization = self._authorization if token is None else {**self._authorization, "Authorization": token}
        request = {"type": "subscribe", "id": identifier, "channel": channel, "authorization": authorization}
        await self._socket.send(json.dumps(request))

    async def close(self) -> None:
        """Close it. Safe to call twice."""
        await self._socket.close()


async def open_connection(endpoint: FeedEndpoint, token: str) -> FeedConnection:
    """Connect as a player.

    Parameters
    ----------
    endpoint
        Where the feed is.
    token
        The player's access token.

    Raises
    ------
    FeedRefusedError
        The token is not accepted.
    OSError, websockets.exceptions.InvalidHandshake, websockets.exceptions.ConnectionClosed
        The feed does not answer, or not as a feed does.
    """
    authorization = {"host": endpoint.http_host, "Authorization": token}
    header = base64.urlsafe_b64encode(json.dumps(authorization).encode()).decode().rstrip("=")
    local = urlsplit(endpoint.realtime_url).hostname in _LOOPBACK
    try:
        socket = await connect(
            endpoint.realtime_url,
            subprotocols=[Subprotocol(_PROTOCOL), Subprotocol(f"header-{header}")],
            compression=None,
            proxy=None if local else True,
            # The service sends signs of life of its own.
            ping_interval=None,
            open_timeout=ANSWER_LIMIT_S,
            max_size=_LARGEST_FRAME_BYTES,
        )
    except InvalidStatus as error:
        if error.response.status_code in _REFUSALS:
            status = f"{error.response.status_code} {error.response.reason_phrase}"
            raise FeedRefusedError(f"the live feed refused the connection: {status}") from error
        raise
    connection = FeedConnection(socket, authorization)
    try:
        await socket.send(json.dumps({"type": "connection_init"}))
        async with asyncio.timeout(ANSWER_LIMIT_S):
            while (await connection.receive()).get("type") != "connection_ack":
                pass
    except BaseException:
        await connection.close()
        raise
    return connection


def contents_of(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects in a data frame: the service documents a list of JSON texts, and sends one text."""
    event: Any = frame.get("event")
    texts = cast("list[Any]", event) if isinstance(event, list) else [event]
    contents = [_decoded(text) for text in texts if isinstance(text, str)]
    return [cast("dict[str, Any]", content) for content in contents if isinstance(content, dict)]


def errors_of(frame: dict[str, Any]) -> str:
    """Return the errors of a frame for a person."""
    listed: Any = frame.get("errors")
    errors = cast("list[dict[str, Any]]", listed) if isinstance(listed, list) else []
    texts = [": ".join(str(error[key]) for key in ("errorType", "message") if error.get(key)) for error in errors]
    return "; ".join(filter(None, texts)) or "no reason given"


def _decoded(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
