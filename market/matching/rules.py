"""How far a taker gets: self-trade prevention, budgets, all or nothing; and what its trades cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from market.endings import Ending
from market.fees import affordable_quantity, fee_minor, hold_minor
from market.matching.commits import items_of_sweep
from market.matching.order_kinds import BUYING
from market.matching.steps import Trade
from market.side import Side
from market.tables import Bid, StandingBid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from market.fees import Fees
    from market.matching.order_book import Fill
    from market.matching.resting import RestingSide
    from market.tables import ArrivingOrder, RestingOrder


class SelfTradePrevention(StrEnum):
    """What happens when an arriving order meets a resting order of the same player."""

    CANCEL_TAKER = "CANCEL_TAKER"
    """What is left of the arriving order is canceled."""
    CANCEL_MAKER = "CANCEL_MAKER"
    """The resting order is canceled, the arriving one goes on."""
    CANCEL_BOTH = "CANCEL_BOTH"
    """Both are canceled."""


@dataclass(slots=True)
class Reach:
    """How far a taker gets.

    Parameters
    ----------
    quantity
        What it trades.
    makers
        Resting orders it trades with.
    ending
        Why it closes, if not for want of further orders.
    own
        Its player's own orders in its way that are to be withdrawn.
    """

    quantity: int = 0
    makers: int = 0
    ending: Ending | None = None
    own: list[RestingOrder] = field(default_factory=list["RestingOrder"])


@dataclass(frozen=True, slots=True)
class MatchingRules:
    """An environment's rules of matching, see `market.matching.engine.match`."""

    fees: Fees
    self_trade_prevention: SelfTradePrevention
    most_items: int

    def reach(
        self,
        taker: RestingOrder | ArrivingOrder,
        player: str,
        quantity: int,
        opposite: RestingSide,
        *,
        all_or_nothing: bool,
    ) -> Reach:
        """Say how far a taker gets, order by order; nothing but what is in memory changes.

        Parameters
        ----------
        taker, player, quantity
            What takes, whose it is, and how much.
        opposite
            The side it takes from.
        all_or_nothing
            Whether it trades all of the quantity, in one commit, or nothing.
        """
        reach = self._reach(taker, player, quantity, opposite)
        if not all_or_nothing:
            return reach
        if reach.quantity < quantity:
            return Reach(ending=Ending.NO_MATCH)
        side = Side.BUY if opposite.side is Side.SELL else Side.SELL
        if items_of_sweep(side, reach.makers, len(reach.own)) >= self.most_items:
            return Reach(ending=Ending.TOO_MANY_MAKERS)
        return reach

    def trades(
        self, taker: RestingOrder | ArrivingOrder, fills: Iterable[Fill], makers: Mapping[str, RestingOrder]
    ) -> tuple[Trade, ...]:
        """Return a taker's fills as trades with their fees; `makers` has the resting orders by id."""
        seller_bps = self.fees.maker_bps if isinstance(taker, BUYING) else self.fees.taker_bps
        trades: list[Trade] = []
        for maker_id, _taker_id, price_minor, quantity in fills:
            maker, value_minor = makers[maker_id], price_minor * quantity
            buyer_fee_minor = fee_minor(value_minor, self._buyer_bps(taker, maker))
            trades.append(Trade(maker, quantity, buyer_fee_minor, fee_minor(value_minor, seller_bps)))
        return tuple(trades)

    def _reach(self, taker: RestingOrder | ArrivingOrder, player: str, quantity: int, opposite: RestingSide) -> Reach:
        budget_minor = budget_of(taker)
        reach = Reach()
        for maker, open_quantity in opposite.reached(taker.price_minor):
            if opposite.owner(maker) == player:
                if self.self_trade_prevention is not SelfTradePrevention.CANCEL_TAKER:
                    reach.own.append(maker)
                if self.self_trade_prevention is not SelfTradePrevention.CANCEL_MAKER:
                    reach.ending = Ending.SELF_TRADE
                    return reach
                continue
            taken = min(open_quantity, quantity - reach.quantity)
            if budget_minor is not None:
                bps = self._buyer_bps(taker, maker)
                affordable = affordable_quantity(budget_minor, maker.price_minor, bps)
                if affordable < taken:
                    reach.quantity += affordable
                    reach.ending = Ending.BUDGET_SPENT
                    return reach
                budget_minor -= hold_minor(maker.price_minor, taken, bps)
            reach.quantity += taken
            reach.makers += 1
            if reach.quantity == quantity:
                break
        return reach

    def _buyer_bps(self, taker: RestingOrder | ArrivingOrder, maker: RestingOrder) -> int:
        """Return the rate in effect, but no higher than the one the bid was placed with."""
        if isinstance(maker, StandingBid):
            return min(self.fees.maker_bps, maker.fee_bps or 0)
        assert isinstance(taker, BUYING)
        return min(self.fees.taker_bps, taker.fee_bps or 0)


def budget_of(bid: RestingOrder | ArrivingOrder) -> int | None:
    """Return the money a market bid has left, in minor units; None for all other orders."""
    if isinstance(bid, StandingBid):
        return bid.budget_minor
    return (bid.hold or 0) if isinstance(bid, Bid) and bid.order_type == "MARKET" else None
