"""Routes of an HTTP function: from event to answer, with one error shape and one log line a request."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, Any, TypeAlias

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from functions.api.problems import Problem, invalid_field, not_found
from functions.api.request import Request, read_origin, read_request
from market.errors import InvalidFieldError, Rule
from market.tracing import Origin, format_traceparent, new_span_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.logging import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.clock import Clock

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers.

    Parameters
    ----------
    status
        HTTP status.
    body
        JSON document.
    log
        Ids worth finding the request by, for its log line.
    """

    status: int
    body: Mapping[str, object]
    log: Mapping[str, str] = field(default_factory=dict[str, str])


Handler: TypeAlias = "Callable[[dict[str, Any], LambdaContext], dict[str, Any]]"
"""A Lambda handler: payload format 2.0 in and out."""

Routes: TypeAlias = "Mapping[tuple[str, str], Callable[..., Answer]]"
"""(method, path) to the function that answers; it gets the `Request`, and the path's ``<name>`` parts by keyword."""


class HttpApi:
    """A Lambda handler made of a table of routes.

    Parameters
    ----------
    routes
        What is served. Another method on one of its paths is answered 405, any other path 404.
    logger
        Gets one line a request, and the stack of an unexpected exception.
    clock
        Measures a request's duration.
    entropy
        Random bytes for trace and span ids.
    """

    def __init__(
        self, routes: Routes, logger: Logger, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._logger = logger
        self._clock = clock
        self._entropy = entropy
        self._origin = Origin("", 0)
        self._line: dict[str, object] = {}
        self._resolver = APIGatewayHttpResolver()
        for (method, path), answer in routes.items():
            self._resolver.route(path, method=method)(self._served(answer))
        for path in {path for _, path in routes}:
            allowed = [method for method in _METHODS if (method, path) in routes]
            others = [method for method in _METHODS if method not in allowed]
            self._resolver.route(path, method=others)(_not_allowed(", ".join(allowed)))
        self._resolver.exception_handler(Exception)(self._failed)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request, of the client's trace or a new one; never raises."""
        started_ms = self._clock()
        self._line = {}
        self._origin = read_origin(event, started_ms, self._entropy)
        self._logger.append_keys(trace_id=self._origin.trace_id)
        try:
            answer: dict[str, Any] = self._resolver.resolve(event, context)
        except Exception as error:  # an event that is no HTTP request at all
            response = self._failed(error)
            answer = {"statusCode": response.status_code, "body": response.body, "headers": {**_JSON_HEADERS}}
        span_id = new_span_id(self._entropy)
        answer["headers"]["traceresponse"] = format_traceparent(self._origin.trace_id, span_id)
        request = event.get("requestContext", {})
        self._logger.info(
            "request",
            extra={
                "route": request.get("routeKey"),
                "method": request.get("http", {}).get("method"),
                "status": answer["statusCode"],
                "duration_ms": self._clock() - started_ms,
                "request_id": request.get("requestId"),
                "function_request_id": getattr(context, "aws_request_id", None),
                **self._line,
            },
        )
        return answer

    def _served(self, answer: Callable[..., Answer]) -> Callable[..., Response[str]]:
        def route(**path_parameters: str) -> Response[str]:
            request: Request = read_request(self._resolver.current_event.raw_event, self._origin)
            self._line["player"] = request.player
            answered = answer(request, **path_parameters)
            self._line.update(answered.log)
            return _response(answered.status, answered.body)

        return route

    def _failed(self, error: Exception) -> Response[str]:
        if isinstance(error, InvalidFieldError):
            error = invalid_field(error)
        elif isinstance(error, NotFoundError):  # Powertools' own, for a path without a route
            path = self._resolver.current_event.path
            error = not_found(InvalidFieldError("path", path, Rule.KNOWN_ROUTE, "a route of this API"))
        if not isinstance(error, Problem):
            self._logger.error("unexpected exception", exc_info=error)
            error = Problem(500, "internal", "the request failed; it is safe to repeat it with a client_order_id")
        self._line.update(error=error.code, field=error.field, rule=error.rule)
        return _response(error.status, error.body(), error.headers)


_JSON_HEADERS = {"Content-Type": "application/json"}


def _response(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response[str]:
    document = dumps(body, separators=(",", ":"))
    return Response(status, content_type="application/json", body=document, headers=dict(headers or {}))


def _not_allowed(allowed: str) -> Callable[..., Response[str]]:
    def route(**_path_parameters: str) -> Response[str]:
        message = f"only {allowed} here"
        raise Problem(405, "method_not_allowed", message, headers={"Allow": allowed})

    return route
