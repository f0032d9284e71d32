# ruff: noqa: N803 - the stand-in of Cognito has its parameter names
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from cli import environments, lifecycle
from tests.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str
    body: dict[str, Any] | None
    connection: int
    headers: dict[str, str]


@dataclass
class ApiStandIn:
    """An HTTP server on loopback that answers as it is told to and remembers what it was asked."""

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    answer: Callable[[Request], Answer | None] = lambda request: (200, {})
    """None closes the connection without an answer."""


@pytest.fixture
def api() -> Iterator[ApiStandIn]:
    stand_in = ApiStandIn()

    class Handler(JsonHandler):
        def respond(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = Request(
                method=self.command,
                path=self.path,
                token=self.headers.get("Authorization", "").removeprefix("Bearer "),
                body=json.loads(self.rfile.read(length)) if length else None,
                connection=self.client_address[1],
                headers={name.lower(): value for name, value in self.headers.items()},
            )
            stand_in.requests.append(request)
            answer = stand_in.answer(request)
            if answer is None:
                self.close_connection = True
                return
            self.answer(*answer)

    with serving(Handler) as url:
        stand_in.url = f"{url}/_aws/execute-api/a1/$default"
        yield stand_in


class PlayerPoolStandIn:
    """The operations of Cognito that mint a token, with the refusals that matter."""

    class exceptions:  # noqa: N801
        class UsernameExistsException(Exception):  # noqa: N818
            pass

    def __init__(self) -> None:
        self._passwords: dict[str, str | None] = {}

    def admin_create_user(self, *, UserPoolId: str, Username: str, MessageAction: str) -> dict[str, Any]:
        assert (UserPoolId, MessageAction) == ("pool-1", "SUPPRESS")
        if Username in self._passwords:
            raise self.exceptions.UsernameExistsException
        self._passwords[Username] = None
        return {}

    def admin_set_user_password(self, *, UserPoolId: str, Username: str, Password: str, Permanent: bool) -> None:
        assert (UserPoolId, Permanent) == ("pool-1", True)
        assert Password not in self._passwords.values()
        self._passwords[Username] = Password

    def admin_initiate_auth(
        self,
        *,
        UserPoolId: str,
        ClientId: str,
        AuthFlow: str,
        AuthParameters: dict[str, str],
    ) -> dict[str, Any]:
        assert (UserPoolId, ClientId, AuthFlow) == ("pool-1", "client-1", "ADMIN_USER_PASSWORD_AUTH")
        assert self._passwords[AuthParameters["USERNAME"]] == AuthParameters["PASSWORD"]
        return {"AuthenticationResult": {"AccessToken": f"token-of-{AuthParameters['USERNAME']}"}}


@dataclass
class RunningStandIn:
    """Looks like a running local environment: the API stand-in, and a player pool."""

    outputs: dict[str, Any]
    pid: int = 4242
    endpoint_url: str = "http://127.0.0.1:1"
    started_at_ms: int = 0
    feed_url: str | None = None

    pool: PlayerPoolStandIn = field(default_factory=PlayerPoolStandIn)

    def client(self, service_name: str) -> Any:
        assert service_name == "cognito-idp"
        return self.pool


@pytest.fixture
def local_environment(api: ApiStandIn, monkeypatch: pytest.MonkeyPatch) -> RunningStandIn:
    """A running local environment."""
    running = RunningStandIn(
        {
            "environment": "local",
            "api_url": api.url,
            "materials": ["copper", "wheat"],
            "currency_digits": 2,
            "tick_size": "0.05",
            "player_pool_id": "pool-1",
            "player_pool_client_id": "client-1",
        }
    )
    _pretend(monkeypatch, running)
    return running


@pytest.fixture
def no_local_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No local environment, whatever runs on this machine."""
    _pretend(monkeypatch, None)


def _pretend(monkeypatch: pytest.MonkeyPatch, running: RunningStandIn | None) -> None:
    def find(_stack: str) -> RunningStandIn | None:
        return running

    monkeypatch.delenv("MARKET_ENVIRONMENT", raising=False)
    monkeypatch.setattr(environments, "find", find)
    monkeypatch.setattr(lifecycle, "find_local", find)
