"""A request to place an order, checked field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from market.errors import InvalidFieldError, Rule
from market.keys import HIGHEST_PRICE_MINOR
from market.materials import require_traded
from market.money import format_price
from market.requests.fields import (
    read_choice,
    read_flag,
    read_price,
    read_quantity,
    read_text,
    refuse_unknown_fields,
    require_fields,
)
from market.timestamps import parse_utc

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LONGEST_LIFE_DAYS: Final = 90
"""How far ahead the end of an order may lie."""

_FIELDS = (
    "material",
    "quantity",
    "price",
    "client_order_id",
    "type",
    "time_in_force",
    "expires_at",
    "post_only",
)
_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_DAY_MS = 86_400_000
_AHEAD = f"in the future, at most {LONGEST_LIFE_DAYS} days ahead"


class OrderType(StrEnum):
    """Whether an order has a limit price."""

    LIMIT = "limit"
    """It trades at its price or a better one."""
    MARKET = "market"
    """It trades at any price, at once; a bid as far as the buyer's money goes."""


class TimeInForce(StrEnum):
    """How long an order stays open."""

    GTC = "GTC"
    """Good till canceled."""
    GTD = "GTD"
    """Good till date: until `PlaceOrder.expires_at_ms`."""
    IOC = "IOC"
    """Immediate or cancel: what does not trade at once is canceled."""
    FOK = "FOK"
    """Fill or kill: all of it trades at once, or nothing."""


class EndedOrderError(InvalidFieldError):
    """The end of an order that is otherwise valid has passed; it may have been placed in time, and be asked for again.

    Parameters
    ----------
    order
        The order.
    text
        Its end as given.
    """

    def __init__(self, order: PlaceOrder, text: str) -> None:
        super().__init__("expires_at", text, Rule.FUTURE, _AHEAD)
        self.order = order


@dataclass(frozen=True, slots=True)
class PlacingRules:
    """An environment's limits for a new order.

    Parameters
    ----------
    materials
        Names of the traded materials.
    tick_minor
        Tick size in minor units, 1 or more.
    currency_digits
        Decimal digits of the currency, 0 or more.
    max_quantity
        Largest quantity of one order.
    min_order_value_minor
        Smallest price times quantity of a limit order, minor units.
    """

    materials: Collection[str]
    tick_minor: int
    currency_digits: int
    max_quantity: int
    min_order_value_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A valid request to place an order; which side is said by the route it came on.

    Parameters
    ----------
    material
        A traded material.
    quantity
        Whole units, 1..max_quantity.
    limit_minor
        Limit price in minor units, a multiple of the tick size; None for a market order.
    time_in_force
        How long the order stays open.
    expires_at_ms
        With GTD, the epoch millisecond from which it does not trade any more; otherwise None.
    post_only
        Whether it is rejected if it would trade at once.
    client_order_id
        The client's own name for the order, which makes placing it idempotent; None if it gave none.
    """

    material: str
    quantity: int
    limit_minor: int | None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_at_ms: int | None = None
    post_only: bool = False
    client_order_id: str | None = None

    @property
    def order_type(self) -> OrderType:
        """Whether there is a limit."""
        return OrderType.MARKET if self.limit_minor is None else OrderType.LIMIT

    @property
    def rests_at_once(self) -> bool:
        """Whether an ask may be stored in the book before the matcher has seen it."""
        rests = self.time_in_force in (TimeInForce.GTC, TimeInForce.GTD)
        return rests and not self.post_only and self.limit_minor is not None

    def bid_price_minor(self) -> int:
        """Return the price that a bid is stored with: its limit, or the highest there is."""
        return HIGHEST_PRICE_MINOR if self.limit_minor is None else self.limit_minor

    def ask_price_minor(self) -> int:
        """Return the price that an ask is stored with: its limit, or the lowest there is."""
        return 1 if self.limit_minor is None else self.limit_minor

    def fingerprint(self) -> str:
        """Return the SHA-256 (64 hex digits) of what is asked for, equal for every spelling of the same order."""
        asked = (
            self.material,
            self.quantity,
            self.limit_minor,
            self.time_in_force,
            self.expires_at_ms,
            self.post_only,
        )
        return sha256("\n".join(map(str, asked)).encode()).hexdigest()


def read_place_order(request: Mapping[str, object], rules: PlacingRules, now_ms: int) -> PlaceOrder:
    """Check a request to place an order.

    Parameters
    ----------
    request
        A decoded JSON object whose numbers are `market.requests.fields.NumberLiteral`. Fields material, quantity, price
        (unless it is a market order) and, if wanted, client_order_id, type, time_in_force, expires_at, post_only.
    rules
        The environment's limits.
    now_ms
        Epoch milliseconds, for `expires_at`.

    Raises
    ------
    InvalidFieldError
        The first rule that is broken: unknown fields come first, then missing ones, then values.
    EndedOrderError
        Only the end is wrong, because it has passed.
    """
    refuse_unknown_fields(request, _FIELDS, "an order")
    order_type = OrderType(read_choice(request, "type", tuple(OrderType), OrderType.LIMIT))
    is_limit = order_type is OrderType.LIMIT
    require_fields(request, ("material", "quantity", "price") if is_limit else ("material", "quantity"))
    if not is_limit and "price" in request:
        raise InvalidFieldError("price", None, Rule.COMBINATION, "left out of a market order")
    material = require_traded(read_text(request, "material"), rules.materials)
    quantity = read_quantity(request, rules.max_quantity)
    limit_minor = read_price(request, rules.tick_minor, rules.currency_digits) if is_limit else None
    time_in_force = _read_time_in_force(request, order_type)
    if limit_minor is not None:
        require_value(limit_minor, quantity, rules)
    order = PlaceOrder(
        material=material,
        quantity=quantity,
        limit_minor=limit_minor,
        time_in_force=time_in_force,
        expires_at_ms=_read_expires_at_ms(request, time_in_force, now_ms),
        post_only=_read_post_only(request, time_in_force),
        client_order_id=read_client_order_id(request),
    )
    if order.expires_at_ms is not None and order.expires_at_ms <= now_ms:
        raise EndedOrderError(order, read_text(request, "expires_at"))
    return order


def require_value(limit_minor: int, quantity: int, rules: PlacingRules) -> None:
    """Require that an order is worth enough.

    Raises
    ------
    InvalidFieldError
        Rule ``minimum_value``.
    """
    if limit_minor * quantity < rules.min_order_value_minor:
        smallest = format_price(rules.min_order_value_minor, rules.currency_digits)
        requirement = f"large enough for price times quantity to reach {smallest}"
        raise InvalidFieldError("quantity", str(quantity), Rule.MINIMUM_VALUE, requirement)


def _read_time_in_force(request: Mapping[str, object], order_type: OrderType) -> TimeInForce:
    if order_type is OrderType.LIMIT:
        return TimeInForce(read_choice(request, "time_in_force", tuple(TimeInForce), TimeInForce.GTC))
    text = read_choice(request, "time_in_force", tuple(TimeInForce), TimeInForce.IOC)
    if text != TimeInForce.IOC:
        raise InvalidFieldError("time_in_force", text, Rule.COMBINATION, "IOC or left out: a market order never rests")
    return TimeInForce.IOC


def _read_expires_at_ms(request: Mapping[str, object], time_in_force: TimeInForce, now_ms: int) -> int | None:
    if time_in_force is not TimeInForce.GTD:
        if "expires_at" in request:
            raise InvalidFieldError("expires_at", None, Rule.COMBINATION, "left out unless time_in_force is GTD")
        return None
    require_fields(request, ("expires_at",))
    text = read_text(request, "expires_at")
    expires_at_ms = parse_utc(text, "expires_at")
    if expires_at_ms > now_ms + LONGEST_LIFE_DAYS * _DAY_MS:
        raise InvalidFieldError("expires_at", text, Rule.FUTURE, _AHEAD)
    return expires_at_ms


def _read_post_only(request: Mapping[str, object], time_in_force: TimeInForce) -> bool:
    post_only = read_flag(request, "post_only")
    if post_only and time_in_force not in (TimeInForce.GTC, TimeInForce.GTD):
        requirement = "false or left out: an order that may only rest must be a GTC or GTD limit order"
        raise InvalidFieldError("post_only", "true", Rule.COMBINATION, requirement)
    return post_only


def read_client_order_id(request: Mapping[str, object]) -> str | None:
    """Read the client's own name for what it asks for, None if it gave none.

    Raises
    ------
    InvalidFieldError
        Rule ``type`` or ``pattern``.
    """
    if "client_order_id" not in request:
        return None
    text = read_text(request, "client_order_id")
    if not _CLIENT_ORDER_ID.fullmatch(text):
        requirement = "1 to 36 letters, digits, hyphens or underscores"
        raise InvalidFieldError("client_order_id", text, Rule.PATTERN, requirement)
    return text
