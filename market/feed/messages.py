"""What the feed says: of a material's book and trades to everybody, of orders and fills to their player.

`market.feed.view` says what is in a message, and reads it. Only its publisher can stamp it: see `text_of`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from market.price_text import format_price
from market.side import Side
from market.tables import OpenAsk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from market.matching.changes import Commit
    from market.matching.order_book import DepthLevel
    from market.tables import RestingOrder
    from market.tape import TapeCommit, TradeFill

Message: TypeAlias = "dict[str, Any]"
"""A JSON object, not yet stamped."""

MOST_LEVELS: Final = 20
"""Price levels of a side in a market message."""

MOST_TRACE_IDS: Final = 100
"""Trace ids of a market message."""

# An event of AppSync Events has 240 KB at most (AWS General Reference, "AWS AppSync endpoints and quotas").
_TRADES_A_MESSAGE: Final = 1000  # of at most 170 bytes each
_LINES_A_MESSAGE: Final = 250  # of an own message: that many orders of at most 550 bytes, and fills of 250


@dataclass(frozen=True, slots=True)
class BookTop:
    """The best levels of both sides, at most `MOST_LEVELS`, best first, as they were at a moment (epoch ms).

    `asks_complete` and `bids_complete` say that the side has no further levels.
    """

    as_of_ms: int
    asks: Sequence[DepthLevel]
    bids: Sequence[DepthLevel]
    asks_complete: bool
    bids_complete: bool


@dataclass(frozen=True, slots=True)
class OrderTrace:
    """Where an order's request comes from: its trace id, and the times of its hops by name, epoch ms."""

    trace_id: str | None = None
    hops: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as a commit left it, or as a plain ask was when the matcher first saw it."""

    order_id: str
    player: str
    side: Side
    status: str
    reason: str | None
    filled: int
    remaining: int
    sequence: int


def market_messages(
    material: str,
    commits: Sequence[TapeCommit],
    *,
    currency_digits: int,
    head: int | None = None,
    sequence: int | None = None,
    book: BookTop | None = None,
    trace_ids: Iterable[str] = (),
) -> list[Message]:
    """Say what happened to a material's market.

    Parameters
    ----------
    material
        Whose market.
    commits
        In order of their sequence; those that did not trade say nothing themselves.
    currency_digits
        Decimal digits of prices.
    head, sequence
        The tape's head before and after; None of whoever only passes a tape's commits on.
    book
        The book at `sequence`; None if it is not known.
    trace_ids
        Of the orders that this is about; the first `MOST_TRACE_IDS` are told.

    Returns
    -------
    list[Message]
        Usually one; the book is in the last.
    """
    trades = [_trade(commit, fill, currency_digits) for commit in commits for fill in commit.fills]
    after = sequence if sequence is not None else commits[-1].sequence
    before = {} if head is None else {"from": head}
    messages: list[Message] = []
    while len(trades) > _TRADES_A_MESSAGE:
        told, trades = trades[:_TRADES_A_MESSAGE], trades[_TRADES_A_MESSAGE:]
        part = {"part": len(messages) + 1, "sequence": told[-1]["sequence"], "trades": told, "trace_ids": []}
        messages.append({"material": material, **before, **part})
    last: Message = {"material": material, **before, "sequence": after}
    if book is not None:
        last |= {
            "as_of_ms": book.as_of_ms,
            "asks": _levels(book.asks, currency_digits),
            "bids": _levels(book.bids, currency_digits),
            "asks_complete": book.asks_complete,
            "bids_complete": book.bids_complete,
        }
    last |= {"trades": trades, "trace_ids": list(dict.fromkeys(trace_ids))[:MOST_TRACE_IDS]}
    if messages:
        last["part"] = len(messages) + 1
    messages.append(last)
    return messages


def own_messages(
    material: str,
    sequence: int,
    states: Iterable[OrderState],
    commits: Iterable[TapeCommit],
    *,
    currency_digits: int,
    traces: Mapping[str, OrderTrace] | None = None,
) -> dict[str, list[Message]]:
    """Say to each player what happened to the player's own orders.

    Parameters
    ----------
    material, sequence
        The market, and its tape's head after all that is told.
    states
        Orders as they are; of an order that is given more than once, the last state is told.
    commits
        Their fills are told to both sides.
    currency_digits
        Decimal digits of prices and fees.
    traces
        By order id.

    Returns
    -------
    dict[str, list[Message]]
        By player; usually one each.
    """
    traces = traces or {}
    orders: dict[str, dict[str, Message]] = {}
    fills: dict[str, list[Message]] = {}
    for state in states:
        trace = traces.get(state.order_id, OrderTrace())
        orders.setdefault(state.player, {})[state.order_id] = _order(state, trace)
    for commit in commits:
        for fill in commit.fills:
            for player, line in _own_fills(commit, fill, currency_digits):
                fills.setdefault(player, []).append(line)
    return {
        player: _own(material, sequence, list(orders.get(player, {}).values()), fills.get(player, []))
        for player in dict.fromkeys([*orders, *fills])
    }


def text_of(message: Message, *, publisher: str, number: int, published_at_ms: int) -> str:
    """Return a message with its publisher's stamp, as JSON text."""
    stamped = {**message, "publisher": publisher, "number": number, "published_at_ms": published_at_ms}
    return json.dumps(stamped, separators=(",", ":"))


def states_after(commit: Commit) -> Iterator[OrderState]:
    """Yield every order that a commit changed, as it left it."""
    for change in commit.asks:
        if (ask := change.after) is not None:
            yield open_state(ask, commit.sequence)
    for change in commit.standing_bids:
        if (bid := change.after) is not None:
            yield open_state(bid, commit.sequence)
    yield from closings_of(commit)


def open_state(order: RestingOrder, sequence: int) -> OrderState:
    """Return the state of an order that rests in the book at `sequence`."""
    if isinstance(order, OpenAsk):
        order_id, player, side = order.ask_id, order.seller, Side.SELL
    else:
        order_id, player, side = order.bid_id, order.buyer, Side.BUY
    filled = order.quantity - order.remaining
    status = "PARTIALLY_FILLED" if filled else "NEW"
    return OrderState(order_id, player, side, status, None, filled, order.remaining, sequence)


def closings_of(commit: Commit | TapeCommit) -> Iterator[OrderState]:
    """Yield every order that closed in a commit."""
    for order in commit.orders:
        if (closed := order.closed) is not None:
            filled = closed.quantity - closed.withdrawn
            yield OrderState(
                order.order_id, order.player, order.side, closed.status, closed.reason, filled, 0, commit.sequence
            )


def _own(material: str, sequence: int, orders: list[Message], fills: list[Message]) -> list[Message]:
    lines = max(len(orders), len(fills))
    return [
        {
            "material": material,
            "sequence": sequence,
            "orders": orders[start : start + _LINES_A_MESSAGE],
            "fills": fills[start : start + _LINES_A_MESSAGE],
        }
        for start in range(0, lines, _LINES_A_MESSAGE)
    ]


def _levels(levels: Sequence[DepthLevel], currency_digits: int) -> list[list[str | int]]:
    return [[format_price(level.price_minor, currency_digits), level.quantity, level.orders] for level in levels]


def _trade(commit: TapeCommit, fill: TradeFill, currency_digits: int) -> Message:
    return {
        "sequence": commit.sequence,
        "n": fill.n,
        "price": format_price(fill.price_minor, currency_digits),
        "quantity": fill.quantity,
        "taker": str(fill.taker_side),
        "committed_at_ms": commit.committed_at_ms,
    }


def _order(state: OrderState, trace: OrderTrace) -> Message:
    return {
        "order_id": state.order_id,
        "sequence": state.sequence,
        "side": str(state.side),
        "status": state.status,
        "reason": state.reason,
        "filled": state.filled,
        "remaining": state.remaining,
        "trace_id": trace.trace_id,
        "hops": dict(trace.hops),
    }


def _own_fills(commit: TapeCommit, fill: TradeFill, currency_digits: int) -> Iterator[tuple[str, Message]]:
    for player, order_id, side, fee_minor in (
        (fill.buyer, fill.bid_id, Side.BUY, fill.buyer_fee_minor),
        (fill.seller, fill.ask_id, Side.SELL, fill.seller_fee_minor),
    ):
        yield (
            player,
            {
                "sequence": commit.sequence,
                "n": fill.n,
                "order_id": order_id,
                "side": str(side),
                "price": format_price(fill.price_minor, currency_digits),
                "quantity": fill.quantity,
                "fee": format_price(fee_minor, currency_digits),
                "role": "TAKER" if side is fill.taker_side else "MAKER",
            },
        )
