"""Calls of AppSync Events' HTTP endpoint: signed, over connections that are kept.

https://docs.aws.amazon.com/appsync/latest/eventapi/publish-http.html
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botocore.session import Session

MOST_EVENTS: Final = 5
"""Events of one call."""

_CONNECT_TIMEOUT_S: Final = 0.5
_READ_TIMEOUT_S: Final = 1.0


class PublishError(Exception):
    """The endpoint did not take all events; the text says why."""


class EventsApi:
    """The HTTP endpoint of one Event API, for any number of threads.

    Parameters
    ----------
    session
        Gives credentials and region.
    http_host
        Host of the API's HTTP endpoint.
    endpoint_url
        Where to send the calls instead, e.g. ``http://127.0.0.1:4566``; their ``Host`` is still `http_host`.
    connections
        Most of them that are kept.
    """

    def __init__(self, session: Session, http_host: str, endpoint_url: str | None, connections: int) -> None:
        self._url = f"{endpoint_url or f'https://{http_host}'}/event"
        self._host = http_host
        self._credentials: Any = session.get_credentials()  # pyright: ignore[reportUnknownMemberType]
        self._region = cast("str", session.get_config_variable("region"))  # pyright: ignore[reportUnknownMemberType]
        self._http: Any = URLLib3Session(
            timeout=cast("Any", (_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S)),
            max_pool_connections=connections,
            # As botocore's clients do: without it a call's body waits for the acknowledgement of its headers, 40 ms.
            socket_options=cast("Any", [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]),
        )

    def publish(self, channel: str, events: Sequence[str], /) -> None:
        """Publish up to `MOST_EVENTS` JSON texts, in order.

        Raises
        ------
        PublishError
            The endpoint refused the call, or some of the events.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            No answer came.
        """
        body = json.dumps({"channel": channel, "events": list(events)}).encode()
        try:
            answer = self._http.send(self._signed(body))
        except ConnectionClosedError:  # a kept connection that the endpoint had closed meanwhile
            answer = self._http.send(self._signed(body))
        if answer.status_code != 200:
            raise PublishError(f"{answer.status_code}: {answer.content[:200]!r}")
        if failed := json.loads(answer.content).get("failed"):
            raise PublishError(f"{len(failed)} of {len(events)} events: {str(failed[0])[:200]}")

    def _signed(self, body: bytes) -> Any:
        headers = {"Host": self._host, "Content-Type": "application/json"}
        request = AWSRequest(method="POST", url=self._url, data=body, headers=headers)
        SigV4Auth(self._credentials.get_frozen_credentials(), "appsync", self._region).add_auth(request)  # pyright: ignore[reportUnknownMemberType]
        return request.prepare()
