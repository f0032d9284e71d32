"""How an order ends: the closed list of statuses and reasons."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """Status of a closed order, and why it closed.

    Each value is the status and the reason, None for a filled order. The position of a member is its code on the tape:
    members are only ever added, at the end.
    """

    FILLED = ("FILLED", None)
    """All of it traded."""
    REQUESTED = ("CANCELED", "requested")
    """Its player canceled it."""
    REPLACED = ("CANCELED", "replaced")
    """Its player replaced it by another order."""
    NO_MATCH = ("CANCELED", "no_match")
    """What may only trade at once found nothing to trade with."""
    BUDGET_SPENT = ("CANCELED", "budget_spent")
    """A market bid's money does not buy another unit."""
    SELF_TRADE = ("CANCELED", "self_trade")
    """It met an order of the same player."""
    TOO_MANY_MAKERS = ("CANCELED", "too_many_makers")
    """A fill-or-kill order would trade with more orders than fit in one transaction."""
    EXPIRED = ("EXPIRED", "expired")
    """Its time is over."""
    WOULD_TAKE = ("REJECTED", "would_take")
    """A post-only order would trade at once."""
    REPLACED_ORDER_CLOSED = ("REJECTED", "replaced_order_closed")
    """The order it was to replace closed, or traded all that was asked for, before its turn."""
    INSUFFICIENT_HOLD = ("REJECTED", "insufficient_hold")
    """The order it was to replace was reduced before its turn, so what is held for both does not cover it."""

    @property
    def status(self) -> str:
        """CANCELED, EXPIRED, REJECTED or FILLED."""
        return self.value[0]

    @property
    def reason(self) -> str | None:
        """Why, as text of the HTTP API; None for a filled order."""
        return self.value[1]
