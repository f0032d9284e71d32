"""Corruptions of orders and trades that take more than changing one attribute, and the history they are done to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from market.side import Side
from market.tables import Bid, OpenAsk, StandingBid
from tests.invariants.corruptions import Corruption, World, each, without
from tests.invariants.histories import lively_market
from tests.invariants.market_model import MATERIALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.tape import TapeCommit, TradeFill

MARKET = lively_market()
WORLD = World(MARKET.tables(), MARKET.accounts())
TABLES = WORLD.tables
STORED_BY_MS = MARKET.stored_by_ms

SELL_ORDERS = {order.ask_id: order for order in TABLES.sell_orders}
BIDS = {bid.bid_id: bid for bid in TABLES.bids}
OPEN_ASK_IDS = {ask.ask_id for ask in TABLES.asks}
ARRIVING_IDS = {order.ask_id for order in TABLES.sell_orders if order.replaces or order.post_only}


def sold_out_ask_left_in_book(world: World) -> Iterator[World]:
    for order in world.tables.sell_orders:
        if order.ask_id not in OPEN_ASK_IDS and order.status is None:
            left_over = OpenAsk(
                material=order.material,
                price_key=f"{order.price_minor:012d}#{order.ask_id}",
                ask_id=order.ask_id,
                seller=order.seller,
                price_minor=order.price_minor,
                quantity=order.quantity,
                remaining=0,
                placed_at_ms=order.placed_at_ms,
            )
            yield world.having(asks=(*world.tables.asks, left_over))


def filled_bid_still_standing(world: World) -> Iterator[World]:
    for bid in world.tables.bids:
        if bid.status == "FILLED":
            left_over = StandingBid(
                material=bid.material,
                price_key=f"{999_999_999_999 - bid.price_minor:012d}#{bid.bid_id}",
                bid_id=bid.bid_id,
                buyer=bid.buyer,
                price_minor=bid.price_minor,
                quantity=bid.quantity,
                remaining=bid.quantity,
                placed_at_ms=bid.placed_at_ms,
            )
            yield world.having(standing_bids=(*world.tables.standing_bids, left_over))


def commit_written_twice(world: World) -> Iterator[World]:
    for commit in world.tables.tape:
        if commit.fills:
            last = max(each.sequence for each in world.tables.tape if each.material == commit.material)
            yield world.having(tape=(*world.tables.tape, replace(commit, sequence=last + 1)))


def commit_lost(world: World) -> Iterator[World]:
    last = {material: max(c.sequence for c in world.tables.tape if c.material == material) for material in MATERIALS}
    yield from without("tape", lambda commit: commit.sequence < last[commit.material])(world)


def better_ask_passed_over(world: World) -> Iterator[World]:
    """An ask that nobody took turns out to have been the cheapest, and to have been there when others were taken."""
    for index, ask in enumerate(world.tables.asks):
        passed = any(
            commit.material == ask.material
            and commit.received_at_ms > STORED_BY_MS[ask.ask_id]
            and any(fill.taker_side == "BUY" for fill in commit.fills)
            for commit in world.tables.tape
        )
        if passed and ask.remaining == ask.quantity and ask.expires_at_ms is None and ask.ask_id not in ARRIVING_IDS:
            cheap = replace(ask, price_minor=1, price_key=f"{1:012d}#{ask.ask_id}")
            orders = tuple(
                replace(order, price_minor=1) if order.ask_id == ask.ask_id else order
                for order in world.tables.sell_orders
            )
            asks = (*world.tables.asks[:index], cheap, *world.tables.asks[index + 1 :])
            yield world.having(asks=asks, sell_orders=orders)


def better_bid_passed_over(world: World) -> Iterator[World]:
    """A bid that nobody filled turns out to have been the dearest, and to have stood when others were filled."""
    for index, standing in enumerate(world.tables.standing_bids):
        matched_at_ms = BIDS[standing.bid_id].matched_at_ms or 0
        passed = any(
            commit.material == standing.material and commit.received_at_ms > matched_at_ms and commit.fills
            for commit in world.tables.tape
        )
        if passed and standing.remaining == standing.quantity and standing.expires_at_ms is None:
            dear = replace(standing, price_minor=50, price_key=f"{999_999_999_999 - 50:012d}#{standing.bid_id}")
            bids = tuple(replace(b, price_minor=50) if b.bid_id == standing.bid_id else b for b in world.tables.bids)
            others = (*world.tables.standing_bids[:index], dear, *world.tables.standing_bids[index + 1 :])
            yield world.having(standing_bids=others, bids=bids)


def book_crossed(world: World) -> Iterator[World]:
    standing = {bid.material for bid in world.tables.standing_bids}
    yield from each("asks", lambda ask: {"price_minor": 1} if ask.material in standing else None)(world)


def rested_order_takes(world: World) -> Iterator[World]:
    """An order trades as a resting order, and later as the one that arrives."""
    rested: set[str] = set()
    for at, commit in enumerate(world.tables.tape):
        for index, fill in enumerate(commit.fills):
            maker_id, side = (fill.ask_id, Side.SELL) if fill.taker_side == "BUY" else (fill.bid_id, Side.BUY)
            if maker_id in rested:
                swapped = fill._replace(taker_side=side)
                wrong = replace(commit, fills=(*commit.fills[:index], swapped, *commit.fills[index + 1 :]))
                yield world.having(tape=(*world.tables.tape[:at], wrong, *world.tables.tape[at + 1 :]))
            rested.add(maker_id)


def other_status(bid: Bid) -> dict[str, str]:
    order = ("PENDING", "NEW", "PARTIALLY_FILLED", "FILLED")
    return {"status": order[(order.index(bid.status) + 2) % 4] if bid.status in order else "FILLED"}


def taker_limit(_: TapeCommit, fill: TradeFill) -> dict[str, int] | None:
    taker = BIDS[fill.bid_id] if fill.taker_side == "BUY" else SELL_ORDERS[fill.ask_id]
    return {"price_minor": taker.price_minor} if taker.price_minor != fill.price_minor else None


def self_made_trade(world: World) -> Iterator[World]:
    """Both orders of a trade turn out to be the same player's."""
    for index, commit in enumerate(world.tables.tape):
        for number, fill in enumerate(commit.fills):
            orders = tuple(
                replace(order, seller=fill.buyer) if order.ask_id == fill.ask_id else order
                for order in world.tables.sell_orders
            )
            fills = (*commit.fills[:number], fill._replace(seller=fill.buyer), *commit.fills[number + 1 :])
            tape = (*world.tables.tape[:index], replace(commit, fills=fills), *world.tables.tape[index + 1 :])
            yield world.having(sell_orders=orders, tape=tape)


def order_of_a_trade(is_taker: bool, **terms: object) -> Corruption:
    """One side's order of a trade turns out to have had other terms."""

    def corrupt(world: World) -> Iterator[World]:
        for commit in world.tables.tape:
            for fill in commit.fills:
                takes = fill.taker_side == "BUY"
                if takes is is_taker:
                    yield from each("bids", lambda b, fill=fill: terms if b.bid_id == fill.bid_id else None)(world)
                else:
                    yield from each("sell_orders", lambda o, fill=fill: terms if o.ask_id == fill.ask_id else None)(
                        world
                    )

    return corrupt
