"""What orders are, as their players see them, and whether everything that was held is accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from market.fees import hold_minor
from market.side import Side

if TYPE_CHECKING:
    from market.tables import StandingBid
    from market.whole_tables import MarketTables
    from tests.matching.market_on_moto import MarketOnMoto

CLOSED = ("FILLED", "CANCELED", "EXPIRED", "REJECTED")


class State(NamedTuple):
    """Status, reason, units traded and in all."""

    status: str
    reason: str | None
    filled: int
    quantity: int


def states(tables: MarketTables) -> dict[str, State]:
    """Order id to what the API shows of it."""
    open_asks = {ask.ask_id: ask for ask in tables.asks}
    found = {bid.bid_id: State(bid.status, bid.reason, bid.filled, bid.quantity) for bid in tables.bids}
    for order in tables.sell_orders:
        ask = open_asks.get(order.ask_id)
        if order.status is not None:
            state = State(order.status, order.reason, order.filled or 0, order.quantity)
        elif ask is None:
            state = State("FILLED", None, order.quantity, order.quantity)
        else:
            filled = ask.quantity - ask.remaining
            state = State("PARTIALLY_FILLED" if filled else "NEW", None, filled, ask.quantity)
        found[order.ask_id] = state
    return found


def held(bid: StandingBid) -> int:
    if bid.budget_minor is not None:
        return bid.budget_minor
    return hold_minor(bid.price_minor, bid.remaining, bid.fee_bps or 0)


def assert_accounted(market: MarketOnMoto) -> None:
    """Whatever placing held is still held by an open order, or was released on the tape, exactly once."""
    tables = market.tables()
    found = states(tables)
    standing = {bid.bid_id: bid for bid in tables.standing_bids}
    open_asks = {ask.ask_id: ask for ask in tables.asks}
    released: Counter[Side] = Counter()
    closings: dict[str, list[tuple[str, str | None, int, int]]] = defaultdict(list)
    filled: Counter[str] = Counter()
    for commit in tables.tape:
        due: Counter[str] = Counter()
        for fill in commit.fills:
            filled[fill.bid_id] += fill.quantity
            filled[fill.ask_id] += fill.quantity
            due[fill.bid_id] += fill.price_minor * fill.quantity + fill.buyer_fee_minor
            due[fill.ask_id] += fill.quantity
            assert fill.buyer != fill.seller
        assert len({order.order_id for order in commit.orders}) == len(commit.orders)
        for order in commit.orders:
            released[order.side] += order.released
            assert order.released >= due.pop(order.order_id, 0), order
            if order.closed is not None:
                closed = order.closed
                closings[order.order_id].append((closed.status, closed.reason, closed.quantity, closed.withdrawn))
        assert not due, f"traded without a release: {due}"

    for order_id, state in found.items():
        if state.status == "PENDING":
            assert not closings[order_id]
            continue
        assert filled[order_id] == state.filled, (order_id, state)
        if state.status in CLOSED:
            expected = (state.status, state.reason, state.quantity, state.quantity - state.filled)
            assert closings[order_id] == [expected], (order_id, state)
            assert order_id not in standing
            assert order_id not in open_asks
        else:
            assert not closings[order_id], (order_id, state)
            resting = standing.get(order_id) or open_asks[order_id]
            assert (resting.quantity, resting.remaining) == (state.quantity, state.quantity - state.filled)

    pending = {order_id for order_id, state in found.items() if state.status == "PENDING"}
    holds = {
        Side.BUY: sum(bid.hold or 0 for bid in tables.bids if bid.bid_id not in pending),
        Side.SELL: sum(order.hold or 0 for order in tables.sell_orders if order.ask_id not in pending),
    }
    assert holds[Side.BUY] == released[Side.BUY] + sum(map(held, tables.standing_bids))
    assert holds[Side.SELL] == released[Side.SELL] + sum(ask.remaining for ask in tables.asks)
