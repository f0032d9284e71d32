"""Channels and what they match: AppSync Events' grammar of paths.

Source: https://docs.aws.amazon.com/appsync/latest/eventapi/event-api-websocket-protocol.html, "channel", and
https://docs.aws.amazon.com/appsync/latest/eventapi/channel-namespaces.html
"""

from __future__ import annotations

import re
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""The segments of a channel, the namespace first."""

WILDCARD = "*"
_MOST_SEGMENTS = 5
_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")


def parse_channel(text: object, *, wildcard: bool = False) -> Path | None:
    """Split a channel into its segments.

    Parameters
    ----------
    text
        The channel, with or without slashes at its ends.
    wildcard
        Whether the last segment, but not the namespace, may be `*`, as in subscriptions.

    Returns
    -------
    Path | None
        None if the text is no channel.
    """
    if not isinstance(text, str):
        return None
    path = tuple(text.removeprefix("/").removesuffix("/").split("/"))
    plain = path[:-1] if wildcard and len(path) > 1 and path[-1] == WILDCARD else path
    if len(path) > _MOST_SEGMENTS or not all(_SEGMENT.fullmatch(segment) for segment in plain):
        return None
    return path


def patterns_of(path: Path) -> list[Path]:
    """Subscriptions that an event on a channel reaches: to itself, and to all with one of its beginnings.

    A wildcard stands for one segment or more: `/market/*` gets what is on `/market/stone` and on `/market/stone/day`.
    """
    return [path, *((*path[:length], WILDCARD) for length in range(1, len(path)))]
