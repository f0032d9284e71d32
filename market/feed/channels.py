"""Names of the feed's channels: one a material, for every player, and one a player, for that player alone.

A channel is a path of segments. AppSync Events takes ASCII letters, digits and dashes, 50 characters a segment at most
(AWS AppSync Events Developer Guide, "Core concepts"), so every other byte is spelled out.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_SEGMENT: Final = 50
"""Characters of one segment of a channel."""

MARKET_NAMESPACE: Final = "market"
"""First segment of the materials' channels."""

PLAYERS_NAMESPACE: Final = "players"
"""First segment of the players' channels."""

_SPELLED_OUT = re.compile(rb"[^A-Za-z0-9]")


def segment(text: str) -> str:
    """Return a text as a channel's segment: ASCII letters and digits as they are, other UTF-8 bytes as ``-`` and hex.

    ``iron-ore`` is ``iron-2dore``. Different texts have different segments; with ``%`` for ``-`` it is the text's URL
    encoding, so any platform can undo it.
    """
    return _SPELLED_OUT.sub(lambda byte: b"-%02x" % byte[0][0], text.encode()).decode()


def own(player: str) -> str:
    """Return the segment of a player's channel: ``p`` and the player's id as a segment, so it is never empty."""
    return f"p{segment(player)}"


def market_channel(material: str) -> str | None:
    """Return the channel of a material's book and trades; None if its segment would be too long to have one."""
    return _channel(MARKET_NAMESPACE, segment(material))


def player_channel(player: str) -> str | None:
    """Return the channel of a player's orders and fills; None if its segment would be too long to have one.

    The ids of Cognito (UUIDs, 36 characters) take 45 and always fit; a player with a longer one asks for orders instead
    of being told.
    """
    return _channel(PLAYERS_NAMESPACE, own(player))


def _channel(namespace: str, name: str) -> str | None:
    return f"/{namespace}/{name}" if len(name) <= LONGEST_SEGMENT else None
