"""Whose requests the emulator serves first: it works on one at a time, and some callers keep nobody waiting.

On AWS a table serves its history's recorder without delaying the matcher. Here both share one thread of Python. So the
functions that only follow (behind table streams and schedules) have one request under way at a time, however many of
them there are; and while others ask for something, they are left a part of the time only.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    Application: TypeAlias = "Callable[[dict[str, Any], Any, Any], Awaitable[None]]"

_ACCESS_KEY = re.compile(rb"Credential=([A-Z0-9]+)/")

PAUSES: Final = 1
"""How many times as long as a request of theirs took those who give way then wait, while others ask."""

_BUSY_S: Final = 0.05
"""How long after a request others count as asking."""


class Precedence:
    """An ASGI application around another.

    Parameters
    ----------
    application
        Serves the requests.
    giving_way
        Access keys of the callers that give way; looked into at each request.
    delivering
        Access key of the event delivery, whose invocations and polls are for either kind: it neither waits nor counts.
    """

    def __init__(self, application: Application, giving_way: Collection[str], delivering: str) -> None:
        self._application = application
        self._giving_way = giving_way
        self._delivering = delivering
        self._turn = asyncio.Lock()
        self._busy_until_s = 0.0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request, in its turn."""
        key = access_key(scope)
        if key not in self._giving_way:
            if key != self._delivering:
                self._busy_until_s = time.monotonic() + _BUSY_S
            await self._application(scope, receive, send)
            return
        async with self._turn:
            started_s = time.monotonic()
            await self._application(scope, receive, send)
            ended_s = time.monotonic()
            if ended_s < self._busy_until_s:
                await asyncio.sleep(PAUSES * (ended_s - started_s))


def access_key(scope: dict[str, Any]) -> str | None:
    """Return the access key a request is signed with, None if it is not signed."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization":
            signed = _ACCESS_KEY.search(value)
            return signed[1].decode() if signed else None
    return None
