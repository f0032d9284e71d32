"""What one commit did of each order, and orders that are complete: the sum of their parts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from market.side import Side
    from market.tape import Closing, TapeCommit, TradeFill


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPart:
    """What one commit did of one order.

    Parameters
    ----------
    order_id, player, side
        Which order, and whose.
    filled
        Units traded.
    value_minor, fee_minor
        Price times quantity of these trades, and what the player pays of fees for them, in minor units.
    closed
        How the commit closed the order; None if it is still open.
    """

    order_id: str
    player: str
    side: Side
    filled: int
    value_minor: int
    fee_minor: int
    closed: Closing | None

    @property
    def done(self) -> int:
        """Units that are settled for the order: traded or withdrawn."""
        return self.filled + (self.closed.withdrawn if self.closed else 0)

    @property
    def is_whole(self) -> bool:
        """Whether this commit did all there was to do of the order: no other commit traded or closed any of it."""
        return self.closed is not None and self.done == self.closed.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteOrder:
    """An order nothing will happen to any more.

    Parameters
    ----------
    order_id, player, side, material
        Which order, and whose. The side is ``BUY`` or ``SELL``.
    status, reason
        How it ended, as on the order itself.
    quantity, filled
        Units asked for and units traded.
    value_minor, fee_minor
        Price times quantity of all its trades, and the player's fees for them, in minor units.
    completed_at_ms
        When the commit that closed it was written, epoch milliseconds.
    """

    order_id: str
    player: str
    side: str
    material: str
    status: str
    reason: str | None
    quantity: int
    filled: int
    value_minor: int
    fee_minor: int
    completed_at_ms: int


def order_parts(commit: TapeCommit) -> tuple[OrderPart, ...]:
    """Return the commit's part of each order it traded or closed; the orders it did all of come first."""
    fills: defaultdict[str, list[tuple[TradeFill, int]]] = defaultdict(list)
    for fill in commit.fills:
        fills[fill.bid_id].append((fill, fill.buyer_fee_minor))
        fills[fill.ask_id].append((fill, fill.seller_fee_minor))
    parts = [
        OrderPart(
            order_id=order.order_id,
            player=order.player,
            side=order.side,
            filled=sum(fill.quantity for fill, _ in fills[order.order_id]),
            value_minor=sum(fill.price_minor * fill.quantity for fill, _ in fills[order.order_id]),
            fee_minor=sum(fee_minor for _, fee_minor in fills[order.order_id]),
            closed=order.closed,
        )
        for order in commit.orders
        if order.closed or fills[order.order_id]
    ]
    return tuple(sorted(parts, key=lambda part: not part.is_whole))


def whole_order(commit: TapeCommit, part: OrderPart) -> CompleteOrder:
    """Return the order that this commit did all of.

    Raises
    ------
    ValueError
        It did not.
    """
    if part.closed is None or not part.is_whole:
        raise ValueError(f"order {part.order_id} has more than its part in {commit.material}-{commit.sequence}")
    return CompleteOrder(
        order_id=part.order_id,
        player=part.player,
        side=str(part.side),
        material=commit.material,
        status=part.closed.status,
        reason=part.closed.reason,
        quantity=part.closed.quantity,
        filled=part.filled,
        value_minor=part.value_minor,
        fee_minor=part.fee_minor,
        completed_at_ms=commit.committed_at_ms,
    )
