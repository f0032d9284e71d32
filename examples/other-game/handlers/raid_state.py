"""The state of a raid while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Raid:
    """Who goes, how many rooms they have cleared, and the gold they carry."""

    dungeon: str
    members: list[str]
    rooms_cleared: int = 0
    loot: int = 0
