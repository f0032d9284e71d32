"""A request to change an open order: what it comes down to, and what it holds in addition.

A smaller quantity at the same price is a reduction, which keeps the order's place. Any other change is a new order that
takes the old one's hold over, when the matcher closes the one and admits the other in one commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from market.errors import InvalidFieldError, Rule
from market.fees import replacing_hold_minor
from market.requests.fields import read_price, read_quantity, refuse_unknown_fields
from market.requests.placing import read_client_order_id, require_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.requests.placing import PlacingRules

_FIELDS = ("quantity", "price", "client_order_id")


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """A valid request: the new quantity in all, what is filled included, and the new limit in minor units.

    At least one of the two; the other is None and stays as it is. `client_order_id` is the client's own name for the
    order that takes the place, if the change makes one; None if it gave none.
    """

    quantity: int | None
    limit_minor: int | None
    client_order_id: str | None = None

    def fingerprint(self, order_id: str) -> str:
        """Return the SHA-256 (64 hex digits) of this change of an order, equal for every spelling of it."""
        asked = ("change", order_id, self.quantity, self.limit_minor)
        return sha256("\n".join(map(str, asked)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """A limit order to be changed.

    Parameters
    ----------
    limit_minor
        Its limit, minor units.
    quantity
        Its quantity in all.
    reduced_to
        The quantity in all that its player has asked for already and the matcher has not executed; None if not so.
    filled
        Units traded.
    fee_bps
        Of a bid, the highest rate it pays; 0 for an ask.
    """

    limit_minor: int
    quantity: int
    reduced_to: int | None
    filled: int
    fee_bps: int

    @property
    def wanted_quantity(self) -> int:
        """The quantity in all that its player wants by now."""
        return self.quantity if self.reduced_to is None else min(self.quantity, self.reduced_to)

    @property
    def open_quantity(self) -> int:
        """What is still to be traded, at least; what it holds covers this much."""
        return max(self.wanted_quantity - self.filled, 0)


@dataclass(frozen=True, slots=True)
class Reduction:
    """The order gets a smaller quantity in all."""

    quantity: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new order takes the place: its limit in minor units, and the units it is to trade beyond those filled."""

    limit_minor: int
    quantity: int


def read_replace_order(request: Mapping[str, object], rules: PlacingRules) -> ReplaceOrder:
    """Check a request to change an order.

    Parameters
    ----------
    request
        A decoded JSON object whose numbers are `market.requests.fields.NumberLiteral`; fields quantity, price or both,
        and, if wanted, client_order_id.
    rules
        The environment's limits.

    Raises
    ------
    InvalidFieldError
        The first rule that is broken.
    """
    refuse_unknown_fields(request, _FIELDS, "a change")
    if "quantity" not in request and "price" not in request:
        raise InvalidFieldError("quantity", None, Rule.REQUIRED, "given, or price, or both")
    return ReplaceOrder(
        quantity=read_quantity(request, rules.max_quantity) if "quantity" in request else None,
        limit_minor=read_price(request, rules.tick_minor, rules.currency_digits) if "price" in request else None,
        client_order_id=read_client_order_id(request),
    )


def change_of(order: OpenOrder, wanted: ReplaceOrder, rules: PlacingRules) -> Reduction | Replacement | None:
    """Return what a request comes down to; None if the order is as wanted.

    Parameters
    ----------
    order
        The order as it stands.
    wanted
        What is asked for; its quantity is more than what is filled.
    rules
        The environment's limits.

    Raises
    ------
    InvalidFieldError
        Rule ``minimum_value``: the order as a whole would be worth too little.
    """
    limit_minor = order.limit_minor if wanted.limit_minor is None else wanted.limit_minor
    quantity = order.wanted_quantity if wanted.quantity is None else wanted.quantity
    same_price = limit_minor == order.limit_minor
    if same_price and quantity == order.wanted_quantity == order.quantity:
        return None
    require_value(limit_minor, quantity, rules)
    if same_price and quantity < order.quantity:
        return Reduction(quantity)
    return Replacement(limit_minor, quantity - order.filled)


def replacing_ask_hold(order: OpenOrder, replacement: Replacement) -> int:
    """Return the units that a replacing ask holds beyond those the replaced one holds."""
    return max(replacement.quantity - order.open_quantity, 0)


def replacing_bid_hold_minor(order: OpenOrder, replacement: Replacement, fee_bps: int) -> int:
    """Return the minor units that a replacing bid, of the rate `fee_bps`, holds beyond those the replaced one holds."""
    return replacing_hold_minor(
        old_price_minor=order.limit_minor,
        old_bps=order.fee_bps,
        old_open=order.open_quantity,
        price_minor=replacement.limit_minor,
        bps=fee_bps,
        quantity=replacement.quantity,
    )
