"""Commits by hand, and what must come of them, computed from the whole tape the slow way."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from functions.api.timestamps import iso_utc
from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START_MS = 1_795_248_000_000  # 2026-11-21T08:00:00Z
WIDTHS_MS = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
PLAYERS = ("alice", "bob", "cleo", "dan")


def traded(
    sequence: int, at_ms: int, *trades: tuple[int, int], material: str = "copper", players: Sequence[str] = PLAYERS
) -> TapeCommit:
    """A commit of trades (price in minor units, quantity); every order trades once and closes."""
    fills: list[TradeFill] = []
    orders: list[TapeOrder] = []
    for n, (price_minor, quantity) in enumerate(trades, 1):
        bid_id, ask_id = (str(UUID(int=side << 64 | sequence << 16 | n)) for side in (1, 2))
        buyer, seller = players[(sequence + n) % len(players)], players[(sequence + n + 1) % len(players)]
        fee_minor = price_minor * quantity // 100
        taker = Side.BUY if n % 2 else Side.SELL
        fills.append(
            TradeFill(n, bid_id, buyer, ask_id, seller, price_minor, quantity, taker, fee_minor, fee_minor // 2)
        )
        closed = Closing("FILLED", None, quantity, 0)
        orders.append(TapeOrder(bid_id, buyer, Side.BUY, price_minor * quantity + fee_minor, closed))
        orders.append(TapeOrder(ask_id, seller, Side.SELL, quantity, closed))
    return TapeCommit(material, sequence, at_ms, at_ms - 5, tuple(fills), tuple(orders))


def candles(commits: Iterable[TapeCommit], interval: str) -> list[dict[str, Any]]:
    """All candles of one material's commits, newest first, `closed` left out."""
    by_sequence = sorted(commits, key=lambda commit: commit.sequence)
    fills = [(commit, fill) for commit in by_sequence for fill in commit.fills]
    fills.sort(key=lambda pair: pair[0].committed_at_ms // WIDTHS_MS[interval], reverse=True)
    return [
        {"start": iso_utc(window * WIDTHS_MS[interval]), **summary(list(pairs))}
        for window, pairs in groupby(fills, key=lambda pair: pair[0].committed_at_ms // WIDTHS_MS[interval])
    ]


def summary(pairs: Sequence[tuple[TapeCommit, TradeFill]]) -> dict[str, Any]:
    """One candle of trades in the order of the tape."""
    prices = [fill.price_minor for _, fill in pairs]
    return {
        "open": money(prices[0]),
        "high": money(max(prices)),
        "low": money(min(prices)),
        "close": money(prices[-1]),
        "volume": sum(fill.quantity for _, fill in pairs),
        "value": money(sum(fill.price_minor * fill.quantity for _, fill in pairs)),
        "trades": len(pairs),
        "last_sequence": pairs[-1][0].sequence,
    }


def ticker(commits: Iterable[TapeCommit], now_ms: int) -> dict[str, Any]:
    """The ticker of one material's commits with an empty book."""
    by_sequence = sorted(commits, key=lambda commit: commit.sequence)
    start_ms = now_ms // 60_000 * 60_000 - 1439 * 60_000
    pairs = [(commit, fill) for commit in by_sequence for fill in commit.fills if commit.committed_at_ms >= start_ms]
    nothing = dict.fromkeys(("open", "high", "low", "change", "change_bps"))
    day = summary(pairs) if pairs else {**nothing, "volume": 0, "value": "0.00", "trades": 0}
    if pairs:
        first, last = pairs[0][1].price_minor, pairs[-1][1].price_minor
        day["change"] = ("-" if last < first else "") + money(abs(last - first))
        day["change_bps"] = int((last - first) * 10_000 / first)
    ever = [fill for commit in by_sequence for fill in commit.fills]
    day["last"] = day["close"] if pairs else money(ever[-1].price_minor) if ever else None
    return {name: day[name] for name in (*nothing, "last", "volume", "value", "trades")}


def money(amount_minor: int) -> str:
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"
