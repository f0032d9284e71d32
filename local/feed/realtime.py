"""The real-time endpoint: AppSync Events' WebSocket subprotocol.

Source: https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html. Clients publish by HTTP
alone: no namespace that is known locally lets a player publish.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.typing import Subprotocol

from local.emulator import HOST
from local.feed.authorization import Refused
from local.feed.channels import parse_channel
from local.feed.json_objects import decode_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request

    from local.feed.apis import EventApi
    from local.feed.authorization import Authorizer
    from local.feed.channels import Path
    from local.feed.hub import Hub

PATH = "/event/realtime"
CONNECTION_TIMEOUT_MS = 300_000
_PROTOCOL = "aws-appsync-event-ws"
_KEEP_ALIVE_S = 60.0
_LARGEST_FRAME_BYTES = 256 << 10
_IDENTIFIER = re.compile(r"[A-Za-z0-9_+-]{1,128}")


class RealtimeEndpoint:
    """Serves WebSockets. For one event loop.

    Parameters
    ----------
    apis
        The Event APIs by the host of their HTTP endpoint; the mapping's content may change.
    authorizer
        Decides who may.
    hub
        Where subscriptions are.
    """

    def __init__(self, apis: Mapping[str, EventApi], authorizer: Authorizer, hub: Hub) -> None:
        self._apis = apis
        self._authorizer = authorizer
        self._hub = hub

    async def listen(self, port: int) -> Server:
        """Start on a port of the loopback interface; 0 for a free one."""
        return await serve(
            self._converse,
            HOST,
            port,
            process_request=self._admit,
            subprotocols=[Subprotocol(_PROTOCOL)],
            compression=None,
            max_size=_LARGEST_FRAME_BYTES,
        )

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer the handshake with a refusal, or not at all."""
        if urlsplit(request.path).path != PATH:
            return _refusal(HTTPStatus.NOT_FOUND, "UnknownOperationException", "Unknown Operation Request.")
        headers = _authorization_of(request)
        api = self._apis.get(str(headers.get("host", "")).lower()) if headers is not None else None
        if headers is None or api is None:
            return _refusal(
                HTTPStatus.UNAUTHORIZED, "UnauthorizedException", "no authorization, or for the host of no Event API"
            )
        try:
            await self._authorizer.check_connection(api, headers)
        except Refused as refusal:
            return _refusal(HTTPStatus.UNAUTHORIZED, refusal.kind, refusal.message)
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        headers = _authorization_of(connection.request) if connection.request is not None else None
        host = str((headers or {}).get("host", "")).lower()
        conversation = _Conversation(connection, host, self._apis, self._authorizer, self._hub)
        signs_of_life = asyncio.create_task(_keep_alive(connection))
        try:
            async for text in connection:
                await conversation.hear(text)
        except ConnectionClosed:
            pass  # A vanished client is none that has to be told.
        finally:
            signs_of_life.cancel()
            conversation.end()


class _Conversation:
    """One connection's subscriptions."""

    def __init__(
        self,
        connection: ServerConnection,
        host: str,
        apis: Mapping[str, EventApi],
        authorizer: Authorizer,
        hub: Hub,
    ) -> None:
        self._connection = connection
        self._host = host
        self._apis = apis
        self._authorizer = authorizer
        self._hub = hub
        self._subscriptions: dict[str, tuple[str, Path]] = {}

    async def hear(self, text: str | bytes) -> None:
        """Answer one frame."""
        frame = decode_object(text)
        if frame is None:
            await self._say("error", None, Refused("BadRequestException", "a message must be a JSON object"))
            return
        match frame.get("type"):
            case "connection_init":
                await self._say("connection_ack", connectionTimeoutMs=CONNECTION_TIMEOUT_MS)
            case "subscribe":
                await self._answer("subscribe", frame, self._subscribe)
            case "unsubscribe":
                await self._answer("unsubscribe", frame, self._unsubscribe)
            case kind:
                refusal = Refused("UnsupportedOperation", f"the operation {kind!r} is not supported")
                await self._say("error", frame.get("id"), refusal)

    def end(self) -> None:
        """Forget every subscription."""
        for identifier, (api_id, path) in self._subscriptions.items():
            self._hub.remove(api_id, path, identifier, self._connection)
        self._subscriptions.clear()

    async def _answer(
        self, operation: str, frame: Mapping[str, Any], carry_out: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    ) -> None:
        identifier: Any = frame.get("id")
        if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            refusal = Refused("BadRequestException", f"id must match {_IDENTIFIER.pattern}")
            await self._say(f"{operation}_error", identifier, refusal)
            return
        try:
            await carry_out(identifier, frame)
        except Refused as refusal:
            await self._say(f"{operation}_error", identifier, refusal)
        else:
            await self._say(f"{operation}_success", identifier)

    async def _subscribe(self, identifier: str, frame: Mapping[str, Any]) -> None:
        path = parse_channel(frame.get("channel"), wildcard=True)
        authorization: object = frame.get("authorization")
        headers = cast("dict[str, Any]", authorization) if isinstance(authorization, dict) else {}
        if path is None:
            raise Refused("BadRequestException", "Invalid Channel Format")
        if identifier in self._subscriptions:
            raise Refused("DuplicatedOperationError", f"there is a subscription {identifier} already")
        api = self._apis.get(self._host)
        if api is None:
            raise Refused("UnauthorizedException", "the Event API is gone")
        await self._authorizer.check_subscription(api, path, headers)
        self._subscriptions[identifier] = (api.api_id, path)
        self._hub.add(api.api_id, path, identifier, self._connection)

    async def _unsubscribe(self, identifier: str, frame: Mapping[str, Any]) -> None:
        if identifier not in self._subscriptions:
            raise Refused("UnknownOperationError", f"Unknown operation id {identifier}")
        api_id, path = self._subscriptions.pop(identifier)
        self._hub.remove(api_id, path, identifier, self._connection)

    async def _say(self, kind: str, identifier: object = None, refusal: Refused | None = None, **further: Any) -> None:
        message = {"type": kind, **further}
        if identifier is not None:
            message["id"] = identifier
        if refusal is not None:
            message["errors"] = [{"errorType": refusal.kind, "message": refusal.message}]
        await self._connection.send(json.dumps(message))


async def _keep_alive(connection: ServerConnection) -> None:
    try:
        while True:
            await asyncio.sleep(_KEEP_ALIVE_S)
            await connection.send('{"type": "ka"}')
    except ConnectionClosed:
        pass


def _authorization_of(request: Request) -> dict[str, Any] | None:
    """The connection's authorization: the object in the subprotocol `header-<base64url>`."""
    for line in request.headers.get_all("Sec-WebSocket-Protocol"):
        for protocol in line.split(","):
            if protocol.strip().startswith("header-"):
                encoded = protocol.strip().removeprefix("header-")
                try:
                    return decode_object(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
                except ValueError:
                    return None
    return None


def _refusal(status: HTTPStatus, kind: str, message: str) -> Response:
    body = json.dumps({"errors": [{"errorType": kind, "message": message}]}).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "x-amzn-ErrorType": kind})
    return Response(status, status.phrase, headers, body)
