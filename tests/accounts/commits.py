"""Commits of the tape that add up: what the matcher may write, and a little more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import strategies as st

from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill

if TYPE_CHECKING:
    from collections.abc import Callable

MATERIAL = "copper"


def order_id(number: int) -> str:
    """Return the id of an order, in the order of its number."""
    return str(UUID(int=0x7 << 76 | 0b10 << 62 | number))


@st.composite
def commits(draw: Callable[[st.SearchStrategy[int]], int], most_fills: int = 12) -> TapeCommit:
    """Draw a commit in which each order belongs to one player and releases at least what it spent."""
    sides = [Side.BUY if draw(st.integers(0, 1)) else Side.SELL for _ in range(draw(st.integers(1, 10)))]
    players = [f"player-{draw(st.integers(0, 6))}" for _ in sides]
    bids = [number for number, side in enumerate(sides) if side is Side.BUY]
    asks = [number for number, side in enumerate(sides) if side is Side.SELL]
    fills: list[TradeFill] = []
    spent: Counter[int] = Counter()
    for n in range(1, draw(st.integers(0, most_fills if bids and asks else 0)) + 1):
        bid, ask = bids[draw(st.integers(0, len(bids) - 1))], asks[draw(st.integers(0, len(asks) - 1))]
        price_minor, quantity = draw(st.integers(1, 50)), draw(st.integers(1, 9))
        value_minor = price_minor * quantity
        fill = TradeFill(
            n=n,
            bid_id=order_id(bid),
            buyer=players[bid],
            ask_id=order_id(ask),
            seller=players[ask],
            price_minor=price_minor,
            quantity=quantity,
            taker_side=Side.BUY,
            buyer_fee_minor=draw(st.integers(0, value_minor // 10)),
            seller_fee_minor=draw(st.integers(0, value_minor // 10)),
        )
        fills.append(fill)
        spent[bid] += value_minor + fill.buyer_fee_minor
        spent[ask] += quantity
    orders: list[TapeOrder] = []
    for number, (side, player) in enumerate(zip(sides, players, strict=True)):
        back = draw(st.integers(0, 3)) * draw(st.integers(0, 40))
        closed = Closing("CANCELED", "requested", 10, 1) if draw(st.integers(0, 1)) else None
        if spent[number] or back or closed:
            orders.append(TapeOrder(order_id(number), player, side, spent[number] + back, closed))
    return TapeCommit(MATERIAL, 7, 1_000, 900, tuple(fills), tuple(orders))
