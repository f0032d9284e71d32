"""The few AWS calls that delivery makes for every batch, as plain signed JSON over kept connections.

They cost a fifth of what a botocore client takes for them, which reads and rebuilds every attribute of every record; a
stream's JSON is what a function gets anyway.
"""

from __future__ import annotations

import json
import select
import threading
import urllib.parse
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, cast

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class UnansweredError(Exception):
    """No answer came: the request may or may not have been carried out."""


class RefusedError(Exception):
    """The service answered with an error.

    Attributes
    ----------
    code : str
        The exception's name in the service's API reference.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class SignedConnection:
    """Calls of one service at one endpoint, from any thread; each thread keeps a connection of its own.

    Parameters
    ----------
    service : str
        The service's name in signatures, such as `kinesis`.
    endpoint_url : str
        Such as `http://127.0.0.1:4566`; TLS is not supported.
    region : str
        AWS region.
    access_key_id : str
        Of the caller.
    timeout_s : float
        How long to wait for an answer.
    """

    def __init__(self, service: str, endpoint_url: str, region: str, access_key_id: str, *, timeout_s: float) -> None:
        self._endpoint_url = endpoint_url
        self._address = urllib.parse.urlsplit(endpoint_url)
        self._timeout_s = timeout_s
        # botocore is untyped here.
        self._signer = cast("Any", SigV4Auth)(cast("Any", Credentials)(access_key_id, "local"), service, region)
        self._kept = threading.local()

    def call(self, target: str, request: dict[str, object]) -> dict[str, Any]:
        """Make a call of a service with the AWS JSON protocol.

        Parameters
        ----------
        target : str
            The `X-Amz-Target`, such as `Kinesis_20131202.GetRecords`.
        request : dict[str, object]
            The request's members.

        Raises
        ------
        RefusedError, UnansweredError
        """
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        answer, text = self.post("/", json.dumps(request, separators=(",", ":")).encode(), headers)
        if answer.status >= 300:
            raise _refusal(answer, text)
        return json.loads(text)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
        """Send a signed POST and read the answer, whatever its status.

        Raises
        ------
        UnansweredError
        """
        request = AWSRequest("POST", self._endpoint_url + path, headers, body)  # pyright: ignore[reportUnknownMemberType]
        self._signer.add_auth(request)
        connection = self._connection()
        try:
            connection.request("POST", path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            return answer, answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise UnansweredError(f"no answer from {self._endpoint_url}: {error!r}") from None

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            connection = HTTPConnection(self._address.hostname or "", self._address.port, timeout=self._timeout_s)
            self._kept.connection = connection
        # Between two calls there is nothing to read, unless the server has closed the connection.
        elif connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        return connection


def _refusal(answer: HTTPResponse, text: bytes) -> RefusedError:
    try:
        document: Any = json.loads(text)
        code = str(document.get("__type", "")).rpartition("#")[2]
        message = str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        code, message = "", text.decode(errors="replace")[:200]
    return RefusedError(code or f"HTTP {answer.status}", message)
