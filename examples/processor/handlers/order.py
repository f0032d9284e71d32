"""The state of an order while it is fulfilled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """What a player bought, and the parcel once there is one. Prices are in the smallest unit of the game's gold."""

    player: str
    item: str
    price_minor: int
    parcel: str | None = None
