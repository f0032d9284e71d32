"""A new order on its way into the tables: what was asked for, and when it replaces another one, which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from market.requests.placing import OrderType, TimeInForce

if TYPE_CHECKING:
    from market.requests.placing import PlaceOrder
    from market.requests.replacing import OpenOrder, Replacement
    from market.tracing import Origin
    from patterns.dynamodb.items import Item


@dataclass(frozen=True, slots=True)
class Replacing:
    """The order whose place a new one takes: its id, how it stands, and what changes.

    `fingerprint` is the digest of the change as it was asked for, whatever the order's state makes of it.
    """

    order_id: str
    order: OpenOrder
    replacement: Replacement
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A new order of a player.

    Parameters
    ----------
    player
        Who places it.
    order_id
        Its id, if it is not placed already; also makes repetitions of the write one.
    wanted
        What is asked for.
    placed_at_ms
        Epoch milliseconds.
    origin
        The request.
    replacing
        The order it replaces; None if it is an order of its own.
    """

    player: str
    order_id: str
    wanted: PlaceOrder
    placed_at_ms: int
    origin: Origin
    replacing: Replacing | None = None

    @property
    def fingerprint(self) -> str:
        """The digest of the request, equal for every spelling of it: what its client order id stands for."""
        return self.wanted.fingerprint() if self.replacing is None else self.replacing.fingerprint

    def record(self, owner: str, id_name: str, price_minor: int, hold: int) -> Item:
        """Return the item of the player's record of the order.

        Parameters
        ----------
        owner, id_name
            Names of the table's hash key and of the order id in this side's items.
        price_minor
            Price to sort the order by.
        hold
            Units or minor units that placing it moves to held.
        """
        wanted = self.wanted
        record: Item = {
            owner: self.player,
            "order_key": self.order_id,
            id_name: self.order_id,
            "material": wanted.material,
            "price_minor": price_minor,
            "quantity": wanted.quantity,
            "placed_at_ms": self.placed_at_ms,
            "hold": hold,
            "trace_id": self.origin.trace_id,
            "received_at_ms": self.origin.received_at_ms,
        }
        if wanted.order_type is OrderType.MARKET:
            record["order_type"] = "MARKET"
        if wanted.time_in_force is not TimeInForce.GTC:
            record["time_in_force"] = str(wanted.time_in_force)
        if wanted.expires_at_ms is not None:
            record["expires_at_ms"] = wanted.expires_at_ms
        if wanted.post_only:
            record["post_only"] = True
        if wanted.client_order_id is not None:
            record["client_order_id"] = wanted.client_order_id
        if self.replacing is not None:
            record["replaces"] = self.replacing.order_id
            record["replaced_filled"] = self.replacing.order.filled
        return record
