"""Who may connect, subscribe and publish: the API's authorization modes, then the namespace's handler."""

from __future__ import annotations

import asyncio
import http.client
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.feed.apis import TOKEN_MODES, AuthMode
from local.feed.handlers import HandlerFailed, HandlerRefused, SubscribeHandler
from local.feed.tokens import TokenRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.feed.apis import EventApi, Namespace
    from local.feed.channels import Path
    from local.feed.tokens import TokenVerifier

_ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/")
_EMULATOR_LIMIT_S = 30.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Refused(Exception):  # noqa: N818 - a statement of what is the case
    """An operation is refused, with AppSync's type of error and its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class EmulatorAnswer:
    """What the emulator answered to a publish: status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Authorizer:
    """Decides. For one event loop.

    Parameters
    ----------
    tokens
        Verifies players' tokens.
    emulator_url
        URL of the emulator, which checks signatures and roles' policies.
    """

    def __init__(self, tokens: TokenVerifier, emulator_url: str) -> None:
        self._tokens = tokens
        self._emulator = urlsplit(emulator_url)
        self._handlers: dict[str, SubscribeHandler] = {}
        self._publishers: set[tuple[str, str, str, str]] = set()

    def forget_publishers(self) -> None:
        """Ask the emulator again: a deployment may have changed what roles may do."""
        self._publishers.clear()

    async def check_connection(self, api: EventApi, headers: Mapping[str, Any]) -> None:
        """Let a connection pass.

        Raises
        ------
        Refused
            It proves no way of authorization that the API accepts for connections.
        """
        await self._identity(api, api.connection_modes, headers)

    async def check_subscription(self, api: EventApi, path: Path, headers: Mapping[str, Any]) -> None:
        """Let a subscription pass.

        Parameters
        ----------
        api
            The API of the connection.
        path
            The channel.
        headers
            The subscription's own authorization, as HTTP headers.

        Raises
        ------
        Refused
            There is no such namespace, it does not accept the authorization, or its handler says no.
        """
        namespace = self._namespace(api, path)
        identity = await self._identity(api, namespace.subscribe_modes, headers)
        if namespace.code is None:
            return
        handler = self._handlers.get(namespace.code)
        if handler is None:
            handler = self._handlers[namespace.code] = SubscribeHandler(namespace.code)
        try:
            handler.check(path, identity)
        except HandlerRefused as refusal:
            raise Refused("UnauthorizedException", str(refusal)) from None
        except HandlerFailed as failure:
            raise Refused("SubscriptionProcessingError", str(failure)) from None

    async def check_publish(
        self, api: EventApi, path: Path, headers: Mapping[str, str], body: bytes
    ) -> EmulatorAnswer | None:
        """Let a publish pass that came as an HTTP request.

        The emulator is asked once for each access key and namespace: it checks the signature, and whether the role may
        `appsync:EventPublish`. Between two deployments neither changes.

        Returns
        -------
        EmulatorAnswer | None
            The emulator's refusal, as it is; None: the publish may pass.

        Raises
        ------
        Refused
            There is no such namespace, or it does not accept what the request carries.
        """
        namespace = self._namespace(api, path)
        signed = _ACCESS_KEY.match(headers.get("authorization", ""))
        if AuthMode.IAM not in namespace.publish_modes or signed is None:
            raise Refused("UnauthorizedException", "You are not authorized to make this call.")
        publisher = (api.api_id, namespace.name, signed[1], headers.get("x-amz-security-token", ""))
        if publisher in self._publishers:
            return None
        answer = await asyncio.to_thread(self._ask_emulator, headers, body)
        if answer.status != HTTPStatus.OK:
            return answer
        self._publishers.add(publisher)
        return None

    def _namespace(self, api: EventApi, path: Path) -> Namespace:
        if (namespace := api.namespaces.get(path[0])) is None:
            raise Refused("UnauthorizedException", f"there is no channel namespace {path[0]}")
        return namespace

    async def _identity(self, api: EventApi, modes: frozenset[AuthMode], headers: Mapping[str, Any]) -> dict[str, Any]:
        token = next((value for name, value in headers.items() if name.lower() == "authorization"), None)
        if not isinstance(token, str) or not modes & TOKEN_MODES:
            raise Refused("UnauthorizedException", "You are not authorized to make this call.")
        try:
            issuer, claims = await self._tokens.verify(token, [each for each in api.issuers if each.mode in modes])
        except TokenRefused as refusal:
            raise Refused("UnauthorizedException", str(refusal)) from None
        identity = {"sub": claims["sub"], "issuer": issuer.url, "claims": claims}
        if issuer.mode is AuthMode.COGNITO:
            identity |= {"username": claims.get("username"), "groups": claims.get("cognito:groups")}
        return identity

    def _ask_emulator(self, headers: Mapping[str, str], body: bytes) -> EmulatorAnswer:
        connection = http.client.HTTPConnection(
            self._emulator.hostname or "", self._emulator.port, timeout=_EMULATOR_LIMIT_S
        )
        try:
            # The request as it was signed, its Host header included.
            sent = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
            connection.request("POST", "/event", body, sent)
            answer = connection.getresponse()
            return EmulatorAnswer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
