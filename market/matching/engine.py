"""Matching one batch: who trades with whom, in which order, whatever the storage.

What the tables promise, and this module keeps: after the matcher has worked on a material, no standing bid is priced at
or above an open ask. So an ask that does cross the best standing bid is one the matcher has not seen, and nothing else
is. A batch is therefore matched in three steps:

1. A standing bid that was cut inside its sweep (``taking``) goes on taking, at the asks' prices.
2. Unseen crossing asks are placed, earliest id first, at the standing bids' prices; before them what is left of an ask
   that was cut inside its sweep and must not stand. One that was stored while the sweep of step 1 was cut may have sold
   to it before: what is left of it takes now.
3. The batch's turns are taken in order of arrival. An arriving order takes at the resting orders' prices; what is left
   of it stands, or closes if it must not.

Both sides are iterators, best first, read only as deep as the batch trades. A resting order whose time is over never
trades: it closes when it is reached.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from market.endings import Ending
from market.fees import hold_minor
from market.matching.commits import MOST_ITEMS
from market.matching.order_book import OrderBook, TimeInForce
from market.matching.order_kinds import ARRIVING
from market.matching.resting import RestingSide
from market.matching.rules import MatchingRules, SelfTradePrevention, budget_of
from market.matching.steps import Placement, Reduction, Withdrawal
from market.matching.turns import Arrival, Cancel, Reduce
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid, is_immediate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.fees import Fees
    from market.matching.steps import Step
    from market.matching.turns import Turn
    from market.tables import ArrivingOrder, RestingOrder


def match(
    asks: Iterable[OpenAsk],
    standing_bids: Iterable[StandingBid],
    turns: Iterable[Turn],
    *,
    received_at_ms: int,
    fees: Fees,
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_TAKER,
    most_items: int = MOST_ITEMS,
) -> Iterator[Step]:
    """Match a batch against the book of one material.

    Parameters
    ----------
    asks
        Open asks, lowest price first, at one price the earliest first.
    standing_bids
        Bids that stand, highest price first, at one price the earliest first.
    turns
        What happens, in order of arrival. Repeated turns change nothing.
    received_at_ms
        Epoch ms at which the batch was received: the time that orders expire by.
    fees
        The rates in effect.
    self_trade_prevention
        What happens when two orders of one player meet.
    most_items
        Items of one commit, as for `market.matching.commits.cut_commits`: a fill-or-kill order that needs more is
        canceled.

    Yields
    ------
    Step
        Placements, withdrawals and reductions in the order they happened. Left out are asks of the book that traded
        nothing, arrivals of orders that were read as resting (a delivery repeated), and turns that change nothing.

    Notes
    -----
    Lazy on both ends: resting orders are read while the steps are consumed. But for what fill-or-kill orders look for
    in vain, one beyond the last that trades.
    """
    rules = MatchingRules(fees, self_trade_prevention, most_items)
    batch = _Batch(asks, standing_bids, now_ms=received_at_ms, rules=rules)
    batch.go_on()
    for ask in batch.unseen():
        batch.place(ask)
        yield from batch.steps()
    yield from batch.steps()
    for turn in turns:
        batch.take_turn(turn)
        yield from batch.steps()


_TAKE_ONLY = TimeInForce.IMMEDIATE_OR_CANCEL  # what is left is let rest here


class _Batch:
    """The two sides of the book, and what happens to them."""

    def __init__(
        self, asks: Iterable[OpenAsk], standing_bids: Iterable[StandingBid], *, now_ms: int, rules: MatchingRules
    ) -> None:
        self._book = OrderBook()
        self._asks = RestingSide(Side.SELL, asks, self._book, now_ms)
        self._bids = RestingSide(Side.BUY, standing_bids, self._book, now_ms)
        self._now_ms = now_ms
        self._rules = rules
        self._arrived: set[str] = set()
        self._steps: list[Step] = []

    def steps(self) -> list[Step]:
        """Return what has happened since the last call."""
        if self._asks.expired or self._bids.expired:
            self._close_expired()
        steps, self._steps = self._steps, []
        return steps

    def go_on(self) -> None:
        """Let a bid that was cut inside its sweep go on taking."""
        best = self._bids.peek()
        if isinstance(best, StandingBid) and best.taking:
            self._bids.take()
            self._take(best, best.remaining, self._bids, self._asks)

    def unseen(self) -> list[OpenAsk]:
        """Take the asks that cross the best standing bid out of the book, in the order they are to be placed in."""
        best_bid = self._bids.best_price()
        if best_bid is None:
            return []
        unseen = [ask for ask in self._asks.better_or_at(best_bid) if isinstance(ask, OpenAsk)]
        return sorted(unseen, key=lambda ask: (not ask.immediate, ask.ask_id))

    def place(self, ask: OpenAsk) -> None:
        """Place an ask that is not in the book."""
        self._take(ask, ask.remaining, self._asks, self._bids)

    def take_turn(self, turn: Turn) -> None:
        """Do what a turn says."""
        if isinstance(turn, Arrival):
            self._arrive(turn)
            return
        side = self._bids if turn.target.side is Side.BUY else self._asks
        order = side.find(turn.target)
        if order is None:
            return
        if self._is_over(order):
            self._close(side, order, Ending.EXPIRED)
        elif isinstance(turn, Cancel):
            self._close(side, order, Ending.REQUESTED)
        elif isinstance(turn, Reduce) and turn.quantity < order.quantity:
            if turn.quantity > order.quantity - order.remaining:
                side.reduce(order, turn.quantity)
                self._steps.append(Reduction(order, turn.quantity))
            else:  # as much, or more, has traded meanwhile
                self._close(side, order, Ending.REQUESTED)

    def _arrive(self, arrival: Arrival) -> None:
        order = arrival.order
        if isinstance(order, Bid):
            own, opposite, order_id = self._bids, self._asks, order.bid_id
        else:
            own, opposite, order_id = self._asks, self._bids, order.ask_id
        if order_id in self._arrived or order_id in own.known:
            return
        self._arrived.add(order_id)
        if self._is_over(order):
            self._steps.append(Placement(order, ending=Ending.EXPIRED))
            return
        replaced = None
        if order.replaces is not None:
            replaced = own.find(arrival.replaces) if arrival.replaces is not None else None
            order, refusal = self._admit(order, replaced, own)
            if refusal is not None:
                self._steps.append(Placement(order, ending=refusal))
                return
        if order.post_only and opposite.is_reached(order.price_minor):
            self._steps.append(Placement(arrival.order, ending=Ending.WOULD_TAKE))
            return
        if replaced is not None:
            own.withdraw(replaced)
        self._take(order, order.quantity, own, opposite, replaced)

    def _admit(
        self, order: ArrivingOrder, replaced: RestingOrder | None, own: RestingSide
    ) -> tuple[ArrivingOrder, Ending | None]:
        """Return a replacing order with the quantity that is left for it, and why it may not take the other's place."""
        if replaced is None:
            return order, Ending.REPLACED_ORDER_CLOSED
        if self._is_over(replaced):
            self._close(own, replaced, Ending.EXPIRED)
            return order, Ending.REPLACED_ORDER_CLOSED
        traded_since = replaced.quantity - replaced.remaining - (order.replaced_filled or 0)
        if traded_since >= order.quantity:
            self._close(own, replaced, Ending.REPLACED)
            return order, Ending.REPLACED_ORDER_CLOSED
        left = replace(order, quantity=order.quantity - traded_since) if traded_since > 0 else order
        return (left, None) if _is_covered(left, replaced) else (order, Ending.INSUFFICIENT_HOLD)

    def _take(
        self,
        taker: RestingOrder | ArrivingOrder,
        quantity: int,
        own: RestingSide,
        opposite: RestingSide,
        replaced: RestingOrder | None = None,
    ) -> None:
        """Let an order that is not in the book trade, then rest or close."""
        order_id, player = own.order_id(taker), own.owner(taker)
        has_budget = own is self._bids and budget_of(taker) is not None
        arrives = isinstance(taker, ARRIVING)
        all_or_nothing = arrives and taker.time_in_force == "FOK"
        if not has_budget:
            opposite.load(taker.price_minor, quantity, player)
        wanted, ending, withdrawn = quantity, None, ()
        if has_budget or all_or_nothing or player in opposite.owners:
            reach = self._rules.reach(taker, player, quantity, opposite, all_or_nothing=all_or_nothing)
            wanted, ending = reach.quantity, reach.ending
            for order in reach.own:
                opposite.withdraw(order)
            withdrawn = tuple([Withdrawal(order, Ending.SELF_TRADE) for order in reach.own])
        if opposite.expired:
            self._close_expired()
        if withdrawn and not all_or_nothing and self._rules.self_trade_prevention is SelfTradePrevention.CANCEL_MAKER:
            # There may be more of them than fit in a commit; a fill-or-kill order's belong to its only one.
            self._steps += withdrawn
            withdrawn = ()

        trades = ()
        if wanted:
            fills = self._book.place(order_id, own.side, taker.price_minor, wanted, _TAKE_ONLY)
            trades = self._rules.trades(taker, fills, opposite.known)
        left = quantity
        for trade in trades:
            left -= trade.quantity
        opposite.open_quantity -= quantity - left
        rests = None
        if left and ending is None:
            if is_immediate(taker) if arrives else taker.immediate:
                ending = Ending.NO_MATCH
            else:
                rests = _resting(taker, left)
                own.stand(rests)
        if trades or ending is not None or not isinstance(taker, OpenAsk):
            self._steps.append(Placement(taker, trades, rests, ending, replaced, withdrawn))

    def _close(self, side: RestingSide, order: RestingOrder, ending: Ending) -> None:
        side.withdraw(order)
        self._steps.append(Withdrawal(order, ending))

    def _close_expired(self) -> None:
        """Close the orders that were reached and whose time is over."""
        for side in (self._asks, self._bids):
            self._steps += [Withdrawal(order, Ending.EXPIRED) for order in side.expired]
            side.expired.clear()

    def _is_over(self, order: RestingOrder | ArrivingOrder) -> bool:
        return order.expires_at_ms is not None and order.expires_at_ms <= self._now_ms


def _is_covered(order: ArrivingOrder, replaced: RestingOrder) -> bool:
    """Whether the holds of an order and of the one it replaces are enough for it."""
    if isinstance(order, Bid):
        assert isinstance(replaced, StandingBid)
        held = (order.hold or 0) + hold_minor(replaced.price_minor, replaced.remaining, replaced.fee_bps or 0)
        return held >= hold_minor(order.price_minor, order.quantity, order.fee_bps or 0)
    return (order.hold or 0) + replaced.remaining >= order.quantity


def _resting(taker: RestingOrder | ArrivingOrder, remaining: int) -> RestingOrder:
    match taker:
        case Bid():
            return StandingBid.of(taker, remaining)
        case SellOrder():
            return OpenAsk.of(taker, remaining)
        case StandingBid():
            return replace(taker, remaining=remaining, taking=None)
        case OpenAsk():
            return replace(taker, remaining=remaining) if remaining < taker.remaining else taker
