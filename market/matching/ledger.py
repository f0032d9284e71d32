"""The orders a batch has touched: what they were, what they are, and the commit that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.endings import Ending
from market.matching.changes import AskChange, Commit, StandingChange
from market.matching.order_kinds import SELLING
from market.matching.steps import Withdrawal
from market.matching.touched_order import TouchedOrder
from market.side import Side
from market.tables import OpenAsk
from market.tape import TradeFill

if TYPE_CHECKING:
    from market.matching.changes import BidChange, SellOrderChange
    from market.matching.steps import Placement, Reduction, Trade
    from market.tables import ArrivingOrder, RestingOrder
    from market.tape import TapeOrder


_SELL = Side.SELL  # bound once: a look-up on an Enum class runs Python code every time in CPython 3.11


class Ledger:
    """Current state of every order touched so far, and the commit being drafted.

    Parameters
    ----------
    material, head
        As for `market.matching.commits.cut_commits`.
    """

    def __init__(self, material: str, head: int) -> None:
        self.items = 0  # of the draft, the tape's not included
        self._material = material
        self._sequence = head
        self._orders: dict[str, TouchedOrder] = {}
        self._draft: dict[str, TouchedOrder] = {}
        self._fills: list[TradeFill] = []

    def drafted(self, order: RestingOrder) -> int:
        """Return how many items of the draft are this order's."""
        drafted = self._draft.get(order.ask_id if isinstance(order, OpenAsk) else order.bid_id)
        return 0 if drafted is None else drafted.items

    def place(self, placement: Placement, trades: tuple[Trade, ...], *, first: bool, last: bool) -> None:
        """Add a placement to the draft, or the next part of one."""
        taker = self._touch(placement.taker)
        if first and placement.replaced is not None:
            self._replace(taker, self._touch(placement.replaced))
        for trade in trades:
            maker = self._touch(trade.maker)
            self._record(maker, taker, trade)
            maker.trade(trade.quantity)
            taker.trade(trade.quantity)
            if taker.budget_minor is not None:
                taker.budget_minor -= trade.maker.price_minor * trade.quantity + trade.buyer_fee_minor
            self._count(maker)
        taker.taking = not last
        if last:
            if placement.rests is not None:
                taker.terms = placement.rests
            if placement.ending is not None:
                taker.close(placement.ending)
            for withdrawal in placement.withdrawn:
                self.change(withdrawal)
        taker.rests = taker.closed is None
        self._count(taker)

    def change(self, step: Withdrawal | Reduction) -> None:
        """Add a withdrawal or a reduction to the draft."""
        order = self._touch(step.order)
        if isinstance(step, Withdrawal):
            order.close(step.ending)
            order.request_done |= step.ending is Ending.REQUESTED
        else:
            order.remaining -= order.quantity - step.quantity
            order.quantity = step.quantity
            order.request_done = True
        self._count(order)

    def seal(self) -> Commit:
        """Finish the draft as the next commit."""
        self._sequence += 1
        asks: list[AskChange] = []
        standing_bids: list[StandingChange] = []
        bids: list[BidChange] = []
        sell_orders: list[SellOrderChange] = []
        tape_orders: list[TapeOrder] = []
        for order in self._draft.values():
            before, after = order.before, order.row()
            if order.side is _SELL:
                if before is not after:
                    asks.append(AskChange(before, after))  # pyright: ignore[reportArgumentType]  # of its side
                if order.record_changes:
                    sell_orders.append(order.sell_order_change())
            else:
                if before is not after:
                    standing_bids.append(StandingChange(before, after))  # pyright: ignore[reportArgumentType]
                if order.record_changes:
                    bids.append(order.bid_change())
            tape_order = order.tape_order()
            if tape_order is not None:
                tape_orders.append(tape_order)
            order.committed(after)
        commit = Commit(
            material=self._material,
            sequence=self._sequence,
            asks=tuple(asks),
            standing_bids=tuple(standing_bids),
            bids=tuple(bids),
            sell_orders=tuple(sell_orders),
            fills=tuple(self._fills),
            orders=tuple(tape_orders),
        )
        self._draft = {}
        self._fills = []
        self.items = 0
        return commit

    def _touch(self, row: RestingOrder | ArrivingOrder) -> TouchedOrder:
        order_id = row.ask_id if isinstance(row, SELLING) else row.bid_id
        order = self._draft.get(order_id)
        if order is None:
            order = self._orders.get(order_id)
            if order is None:
                order = self._orders[order_id] = TouchedOrder(row, order_id)
            self._draft[order_id] = order
        return order

    def _count(self, order: TouchedOrder) -> None:
        items = (order.before is not None or order.rests) + order.record_changes
        self.items += items - order.items
        order.items = items

    def _record(self, maker: TouchedOrder, taker: TouchedOrder, trade: Trade) -> None:
        bid, ask = (maker, taker) if taker.side is _SELL else (taker, maker)
        self._fills.append(
            TradeFill(
                len(self._fills) + 1,
                bid.order_id,
                bid.player,
                ask.order_id,
                ask.player,
                trade.maker.price_minor,
                trade.quantity,
                taker.side,
                trade.buyer_fee_minor,
                trade.seller_fee_minor,
            )
        )

    def _replace(self, order: TouchedOrder, replaced: TouchedOrder) -> None:
        # The replaced order's hold passes to the one that takes its place; it releases what of both is not needed.
        needed = order.hold_of(order.remaining)
        replaced.held += order.held - needed
        order.held = needed
        replaced.close(Ending.REPLACED)
        self._count(replaced)
