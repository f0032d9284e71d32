"""The parts of an API Gateway event that the routes read.

Event format: HTTP API, payload format 2.0,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.api.problems import Problem
from market.tracing import Origin, new_trace_id, parse_traceparent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a signed-in player.

    Parameters
    ----------
    player
        Subject of the verified JWT: whose orders this request may touch.
    query
        Decoded query parameters; a repeated one is joined by commas, as API Gateway does.
    body
        The body as API Gateway passes it on, None without one.
    is_base64
        The body is base64 of the bytes sent: API Gateway's way with content types it does not take for text.
    origin
        The trace it belongs to, and when it was received.
    """

    player: str
    query: Mapping[str, str]
    body: str | None
    is_base64: bool
    origin: Origin


def read_origin(event: Mapping[str, Any], now_ms: int, entropy: Callable[[int], bytes]) -> Origin:
    """Read where a request comes from.

    Parameters
    ----------
    event
        The event; its header ``traceparent`` names the client's trace.
    now_ms
        When it was received if the event does not say.
    entropy
        Random bytes for the id of a trace that begins here: without the header, or with a malformed one.
    """
    headers: Mapping[str, object] = event.get("headers") or {}
    context: Mapping[str, object] = event.get("requestContext") or {}
    header, received_at_ms = headers.get("traceparent"), context.get("timeEpoch")
    parent = parse_traceparent(header) if isinstance(header, str) else None
    return Origin(
        trace_id=new_trace_id(entropy) if parent is None else parent.trace_id,
        received_at_ms=received_at_ms if isinstance(received_at_ms, int) else now_ms,
    )


def read_request(event: Mapping[str, Any], origin: Origin) -> Request:
    """Read a request from an event and its origin.

    The player is taken from the claims that API Gateway's authorizer has verified. A route that was deployed without
    its authorizer has no claims and answers 401, instead of serving everybody as nobody.

    Raises
    ------
    Problem
        401, no subject.
    """
    try:
        player: object = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    except (KeyError, TypeError):
        player = None
    if not isinstance(player, str) or not player:
        raise Problem(401, "unauthorized", "a signed-in player is required")
    return Request(
        player=player,
        query=event.get("queryStringParameters") or {},
        body=event.get("body"),
        is_base64=bool(event.get("isBase64Encoded")),
        origin=origin,
    )
