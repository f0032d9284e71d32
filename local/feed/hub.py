"""Subscriptions, and the way of an event to them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from websockets.asyncio.server import broadcast

from local.feed.channels import patterns_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.asyncio.server import ServerConnection

    from local.feed.channels import Path

MOST_UNSENT_BYTES = 1 << 20
"""What may wait for one client; it is cut off when it leaves more unread."""


class Hub:
    """Who listens to what. For one event loop.

    Events go out at once, without waiting for anybody: what a client does not read waits in its connection's buffer,
    and when that is full the client is cut off.
    """

    def __init__(self) -> None:
        # API and pattern → identifier of the subscription → connections; most clients use the same identifiers.
        self._listeners: defaultdict[tuple[str, Path], defaultdict[str, set[ServerConnection]]] = defaultdict(
            lambda: defaultdict(set)
        )

    def add(self, api_id: str, pattern: Path, identifier: str, connection: ServerConnection) -> None:
        """Let a connection's subscription listen to a channel, or to all that begin alike."""
        self._listeners[api_id, pattern][identifier].add(connection)

    def remove(self, api_id: str, pattern: Path, identifier: str, connection: ServerConnection) -> None:
        """End it; unknown ones are ignored."""
        listeners = self._listeners.get((api_id, pattern))
        if listeners is None or identifier not in listeners:
            return
        listeners[identifier].discard(connection)
        if not listeners[identifier]:
            del listeners[identifier]
        if not listeners:
            del self._listeners[api_id, pattern]

    def publish(self, api_id: str, path: Path, events: Iterable[str]) -> None:
        """Send events to all who listen, in order.

        Parameters
        ----------
        api_id
            The API.
        path
            The channel.
        events
            JSON texts.
        """
        listeners = [self._listeners[key] for p in patterns_of(path) if (key := (api_id, p)) in self._listeners]
        for event in events:
            for subscriptions in listeners:
                for identifier, connections in subscriptions.items():
                    text = json.dumps({"id": identifier, "type": "data", "event": event})
                    broadcast(connections, text)
                    cut_off_slow(connections)


def cut_off_slow(connections: Iterable[ServerConnection]) -> None:
    """Break connections whose client leaves too much unread."""
    for connection in connections:
        if connection.transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            connection.transport.abort()
