"""The publishing endpoint: AppSync Events' `POST /event`.

Source: https://docs.aws.amazon.com/appsync/latest/eventapi/publish-http.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, cast

import h11

from local.emulator import HOST
from local.feed.authorization import Refused
from local.feed.channels import parse_channel
from local.feed.json_objects import decode_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.feed.apis import EventApi
    from local.feed.authorization import Authorizer
    from local.feed.channels import Path
    from local.feed.hub import Hub

MOST_EVENTS = 5
LARGEST_EVENT_BYTES = 240 << 10
_LARGEST_BODY_BYTES = 2 * MOST_EVENTS * LARGEST_EVENT_BYTES  # as JSON in JSON
_READ_BYTES = 64 << 10
_IDLE_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    kind: str | None = None


class PublishingEndpoint:
    """Serves HTTP. For one event loop.

    Parameters
    ----------
    apis
        The Event APIs by their host; the mapping's content may change.
    authorizer
        Decides who may.
    hub
        Where events go.
    """

    def __init__(self, apis: Mapping[str, EventApi], authorizer: Authorizer, hub: Hub) -> None:
        self._apis = apis
        self._authorizer = authorizer
        self._hub = hub

    async def listen(self, port: int) -> asyncio.Server:
        """Start on a port of the loopback interface; 0 for a free one."""
        return await asyncio.start_server(self._serve, HOST, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one kept-alive connection's requests, one after another."""
        connection = h11.Connection(h11.SERVER)
        try:
            while (request := await _read(connection, reader)) is not None:
                answer = await self._answer(*request)
                writer.write(_written(connection, answer))
                await writer.drain()
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except (OSError, TimeoutError):
            pass
        except h11.RemoteProtocolError as error:
            with contextlib.suppress(h11.LocalProtocolError):
                writer.write(_written(connection, _error(error.error_status_hint, "BadRequestException", str(error))))
        finally:
            writer.close()

    async def _answer(self, request: h11.Request, body: bytes) -> _Answer:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        api = self._apis.get(headers.get("host", "").lower())
        if api is None:
            return _error(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", "Unable to find the Api.")
        if request.target.partition(b"?")[0] != b"/event" or request.method != b"POST":
            return _error(HTTPStatus.NOT_FOUND, "UnknownOperationException", "Unknown Operation Request.")
        try:
            path, events = _parsed(body)
            refused = await self._authorizer.check_publish(api, path, headers, body)
        except Refused as refusal:
            forbidden = refusal.kind == "UnauthorizedException"
            status = HTTPStatus.UNAUTHORIZED if forbidden else HTTPStatus.BAD_REQUEST
            return _error(status, refusal.kind, refusal.message)
        except (OSError, HTTPException) as error:
            text = f"nobody can say whether you may: {error}"
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableException", text)
        if refused is not None:
            return _Answer(refused.status, refused.body, refused.headers.get("x-amzn-errortype"))
        self._hub.publish(api.api_id, path, events)
        accepted = [{"identifier": str(uuid.uuid4()), "index": index} for index in range(len(events))]
        return _Answer(HTTPStatus.OK, json.dumps({"failed": [], "successful": accepted}).encode())


def _parsed(body: bytes) -> tuple[Path, list[str]]:
    """Channel and events of a request."""
    document = decode_object(body)
    if document is None:
        raise Refused("SerializationException", "Unable to parse request body")
    path = parse_channel(document.get("channel"))
    if path is None:
        raise Refused("BadRequestException", "Invalid Channel Format")
    events: Any = document.get("events")
    if not isinstance(events, list) or not events:
        raise Refused("BadRequestException", "events must be a list of JSON texts")
    if len(cast("list[Any]", events)) > MOST_EVENTS:
        raise Refused("BadRequestException", f"Input exceeded {MOST_EVENTS} event limit")
    return path, [_json_text(event) for event in cast("list[Any]", events)]


def _json_text(event: Any) -> str:
    if not isinstance(event, str):
        raise Refused("BadRequestException", "an event must be a JSON text")
    try:
        size = len(event.encode())
        json.loads(event)
    except (ValueError, RecursionError):
        raise Refused("BadRequestException", "an event must be a JSON text") from None
    if size > LARGEST_EVENT_BYTES:
        raise Refused("BadRequestException", f"an event must have at most {LARGEST_EVENT_BYTES} bytes")
    return event


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes] | None:
    """The next request and its body; None when the client has closed."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        match connection.next_event():
            case h11.Request() as request:
                pass
            case h11.Data(data=data):
                body += data
                if len(body) > _LARGEST_BODY_BYTES:
                    raise h11.RemoteProtocolError("the request is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            case h11.EndOfMessage() if request is not None:
                return request, bytes(body)
            case h11.NEED_DATA:
                async with asyncio.timeout(_IDLE_LIMIT_S):
                    connection.receive_data(await reader.read(_READ_BYTES))
            case _:
                return None


def _written(connection: h11.Connection, answer: _Answer) -> bytes:
    headers = [("content-type", "application/json"), ("content-length", str(len(answer.body)))]
    if answer.kind is not None:
        headers.append(("x-amzn-errortype", answer.kind))
    reason = HTTPStatus(answer.status).phrase.encode()
    events = (
        h11.Response(status_code=int(answer.status), reason=reason, headers=headers),
        h11.Data(data=answer.body),
        h11.EndOfMessage(),
    )
    return b"".join(connection.send(event) or b"" for event in events)


def _error(status: int, kind: str, message: str) -> _Answer:
    return _Answer(status, json.dumps({"errors": [{"errorType": kind, "message": message}]}).encode(), kind)
