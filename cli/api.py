"""The market's HTTP API as a client sees it: one kept-alive connection, JSON in and out.

Standard library only: the command has no other use for an HTTP client, and a trading day needs the reuse of the
connection more than it needs features.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit

from cli.failures import EnvironmentUnavailableError, MarketRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

REQUEST_LIMIT_S = 35
"""The API answers or gives up within 30 s."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, decoded JSON body, and the milliseconds until it was read."""

    status: int
    body: dict[str, Any]
    elapsed_ms: float

    def accepted(self) -> dict[str, Any]:
        """Return the body of a success.

        Raises
        ------
        MarketRefusedError
            Any other status; the text carries the API's field, rule and value.
        """
        if 200 <= self.status < 300:
            return self.body
        raise MarketRefusedError(refusal(self))


class MarketApi:
    """A client of one environment's API, for one thread.

    Parameters
    ----------
    api_url
        Base address, e.g. ``https://abc.execute-api.eu-west-1.amazonaws.com``; its path is kept.
    """

    def __init__(self, api_url: str) -> None:
        address = urlsplit(api_url)
        self._api_url = api_url
        self._base_path = address.path.rstrip("/")
        connection = HTTPSConnection if address.scheme == "https" else HTTPConnection
        self._connection = connection(address.hostname or "", address.port, timeout=REQUEST_LIMIT_S)

    def __enter__(self) -> MarketApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def connect(self) -> None:
        """Open the connection before the first request needs it.

        Raises
        ------
        EnvironmentUnavailableError
            Nobody listens.
        """
        try:
            self._connection.connect()
        except OSError as error:
            raise EnvironmentUnavailableError(f"no answer from {self._api_url}: {error}") from error

    def get(self, path: str, token: str, query: Mapping[str, str | int | None] | None = None) -> Reply:
        """Read a resource; query parameters that are None are left out, here and elsewhere."""
        return self._request("GET", _with_query(path, query), token, None)

    def post(
        self, path: str, token: str, body: Mapping[str, object], *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send an order or a transfer. It must carry an id of its own, which makes the resend below safe.

        `headers` go along with those that every request has.
        """
        return self._request("POST", path, token, json.dumps(body).encode(), headers=headers)

    def patch(self, path: str, token: str, body: Mapping[str, object]) -> Reply:
        """Change an order. Never sent again by itself: what is asked for may be a new order."""
        return self._request("PATCH", path, token, json.dumps(body).encode(), attempts=1)

    def delete(self, path: str, token: str, query: Mapping[str, str | int | None] | None = None) -> Reply:
        """Cancel orders: asked for twice, it is done once."""
        return self._request("DELETE", _with_query(path, query), token, None)

    def _request(
        self,
        method: str,
        path: str,
        token: str,
        body: bytes | None,
        *,
        attempts: int = 2,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        fields = {"Authorization": f"Bearer {token}", **(headers or {})}
        if body is not None:
            fields["Content-Type"] = "application/json"
        started = time.perf_counter()
        for attempt in range(1, attempts + 1):
            try:
                self._connection.request(method, self._base_path + path, body, fields)
                response = self._connection.getresponse()
                text = response.read()
            except (OSError, HTTPException) as error:
                # A server may close a kept connection between two requests: ask once more on a new one.
                self._connection.close()
                if attempt == attempts or isinstance(error, TimeoutError):
                    reason = str(error) or type(error).__name__
                    raise EnvironmentUnavailableError(f"no answer from {self._api_url}: {reason}") from error
            else:
                return Reply(response.status, _decode(text), (time.perf_counter() - started) * 1000)
        raise AssertionError("the last attempt returns or raises")


def path_of(*segments: str) -> str:
    """Build a path of the API from texts that may hold any character."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _with_query(path: str, query: Mapping[str, str | int | None] | None) -> str:
    asked = urlencode({name: value for name, value in (query or {}).items() if value is not None})
    return f"{path}?{asked}" if asked else path


def refusal(reply: Reply) -> str:
    """Say in one line why the API refused, with whatever it told: field, rule, value."""
    error = reply.body.get("error")
    if not isinstance(error, dict):
        message = reply.body.get("message") or "no reason given"
        return f"refused ({reply.status}): {message}"
    told = cast("dict[str, object]", error)
    details = [
        f"{name} {json.dumps(told[name], ensure_ascii=False)}" for name in ("field", "rule", "value") if told.get(name)
    ]
    reason = told.get("message") or told.get("code") or "no reason given"
    return f"refused ({reply.status}): {reason}" + (f" [{', '.join(details)}]" if details else "")


def _decode(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return (
        cast("dict[str, Any]", body)
        if isinstance(body, dict)
        else {"message": text.decode(errors="replace").strip()[:200]}
    )
