"""A feed that everybody's messages end in, as they would on AppSync Events."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from functions.feed.events_api import MOST_EVENTS
from functions.feed.feed import Feed
from functions.matching.live import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.logging import Logger

    from functions.clock import Clock

Message = dict[str, Any]


@dataclass
class Listener:
    """An endpoint that takes everything, or fails, and remembers."""

    fails: bool = False
    events: list[tuple[str, Message]] = field(default_factory=list[tuple[str, Message]])

    def publish(self, channel: str, events: Sequence[str], /) -> None:
        """Take events."""
        assert 1 <= len(events) <= MOST_EVENTS
        if self.fails:
            raise ConnectionError("nobody there")
        self.events += [(channel, json.loads(event)) for event in events]

    def on(self, channel: str) -> list[Message]:
        """Return the messages of a channel, in order."""
        return [message for found, message in self.events if found == channel]


def feed_of(listener: Listener, clock: Clock) -> Feed:
    """Return a feed with a publisher id of its own."""
    return Feed(listener.publish, clock, lambda: f"publisher-{id(listener)}", cast("Logger", logging.getLogger("feed")))


def live_of(listener: Listener, clock: Clock) -> Live:
    """Return what the matcher tells a listener by, reading one page after the other."""
    return Live(feed_of(listener, clock), 2, lambda call: call)
