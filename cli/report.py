"""What a trading day came to: materials, latencies, orders by status, where all goods and money are, the verdict."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from cli.trading_day import PlannedOrder
from market.accounts.bookkeeping import MONEY
from market.invariants import Invariant
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from cli.simulation import SentOrder
    from market.accounts.rows import AccountTables
    from market.invariants import AssetTotals, Verdict
    from market.whole_tables import MarketTables

_MOST_LINES = 20
_STATUSES = ("PENDING", "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED")
_PARTICULARS = re.compile(r"\d[\d.,]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class MaterialDay:
    """A material's day: the book as it stands now, what was traded, and each hop's latencies in milliseconds.

    Attributes
    ----------
    http_ms
        Each order's request, as the client saw it.
    sequenced_ms
        Each order that the matcher takes from the Kinesis stream, from its time of placing to its arrival there: table,
        change stream and Pipe.
    matched_ms
        Each of them from its arrival in the stream to the matcher's commit.
    whole_ms
        Each of them from its time of placing to the matcher's commit.
    """

    best_ask_minor: int | None = None
    best_bid_minor: int | None = None
    fills: int = 0
    volume: int = 0
    http_ms: list[float] = field(default_factory=list[float])
    sequenced_ms: list[float] = field(default_factory=list[float])
    matched_ms: list[float] = field(default_factory=list[float])
    whole_ms: list[float] = field(default_factory=list[float])


def summarize_day(materials: Sequence[str], sent: Sequence[SentOrder], tables: MarketTables) -> dict[str, MaterialDay]:
    """Sum a day up by material.

    Parameters
    ----------
    materials
        The environment's, in the order to show.
    sent
        The day's orders; latencies are of these only.
    tables
        The tables after the day; best prices, fills and volume are of all orders.
    """
    days: defaultdict[str, MaterialDay] = defaultdict(MaterialDay, {material: MaterialDay() for material in materials})
    for ask in tables.asks:
        day = days[ask.material]
        day.best_ask_minor = min(ask.price_minor, day.best_ask_minor or ask.price_minor)
    for standing in tables.standing_bids:
        day = days[standing.material]
        day.best_bid_minor = max(standing.price_minor, day.best_bid_minor or 0)
    for commit in tables.tape:
        days[commit.material].fills += len(commit.fills)
        days[commit.material].volume += sum(fill.quantity for fill in commit.fills)
    for outcome in sent:
        if isinstance(outcome.planned, PlannedOrder):
            days[outcome.planned.material].http_ms.append(outcome.http_ms)
    ours = {outcome.order_id for outcome in sent}
    rows = {bid.bid_id: bid for bid in tables.bids} | {order.ask_id: order for order in tables.sell_orders}
    for order_id, row in rows.items():
        if order_id in ours and row.sequenced_at_ms is not None and row.matched_at_ms is not None:
            day = days[row.material]
            day.sequenced_ms.append(row.sequenced_at_ms - row.placed_at_ms)
            day.matched_ms.append(row.matched_at_ms - row.sequenced_at_ms)
            day.whole_ms.append(row.matched_at_ms - row.placed_at_ms)
    return dict(days)


def print_day(console: Console, days: dict[str, MaterialDay], currency_digits: int) -> None:
    """Print the table of the materials, with a last line for all of them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="latencies in ms, average / worst")
    table.add_column("material")
    for heading in ("best\nask", "best\nbid", "fills", "volume", "HTTP\nrequest", "stored →\nsequenced"):
        table.add_column(heading, justify="right")
    for heading in ("sequenced\n→ matched", "placed →\nmatched"):
        table.add_column(heading, justify="right")
    for material, day in days.items():
        prices = (_price(price, currency_digits) for price in (day.best_ask_minor, day.best_bid_minor))
        table.add_row(material, *prices, *_figures(day))
    every = MaterialDay()
    for day in days.values():
        every.fills += day.fills
        every.volume += day.volume
        every.http_ms += day.http_ms
        every.sequenced_ms += day.sequenced_ms
        every.matched_ms += day.matched_ms
        every.whole_ms += day.whole_ms
    table.add_section()
    table.add_row("all", "", "", *_figures(every), style="bold")
    console.print(table)


def print_sending(console: Console, sent: Sequence[SentOrder], sending_s: float, resting_s: float) -> None:
    """Print how many orders were accepted and how fast they went, and the reasons of the refused ones."""
    placed = sum(isinstance(outcome.planned, PlannedOrder) for outcome in sent)
    refused = [outcome for outcome in sent if outcome.order_id is None]
    rate = len(sent) / sending_s
    console.print(
        f"{placed:,} orders, {len(sent) - placed:,} changes and cancels: {len(sent) - len(refused):,} accepted in "
        f"{sending_s:.1f} s ({rate:.0f}/s); at rest {resting_s:.1f} s later"
    )
    reasons: Counter[str] = Counter(_reason(outcome.refusal or "") for outcome in refused)
    for reason, times in reasons.most_common(_MOST_LINES):
        console.print(f"  {times:,} × {escape(reason)}", style="yellow", soft_wrap=True)


def print_orders(console: Console, tables: MarketTables) -> None:
    """Print how many orders have each status, and for which reason."""
    open_asks = {ask.ask_id: ask for ask in tables.asks}
    asks: Counter[tuple[str, str]] = Counter()
    for order in tables.sell_orders:
        ask = open_asks.get(order.ask_id)
        status = order.status
        if status is None:
            status = "FILLED" if ask is None else "NEW" if ask.remaining == ask.quantity else "PARTIALLY_FILLED"
        asks[status, order.reason or ""] += 1
    bids = Counter((bid.status, bid.reason or "") for bid in tables.bids)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("status", "reason"):
        table.add_column(heading)
    for heading in ("asks", "bids"):
        table.add_column(heading, justify="right")
    for status, reason in sorted(asks.keys() | bids.keys(), key=lambda row: (_STATUSES.index(row[0]), row[1])):
        table.add_row(status, reason, f"{asks[status, reason]:,}", f"{bids[status, reason]:,}")
    console.print(table)


def print_conservation(
    console: Console, before: Sequence[AssetTotals], after: Sequence[AssetTotals], currency_digits: int
) -> list[str]:
    """Print where all goods and money are, and how much there was before; return what does not add up."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="goods and money: all there is, before and after")
    table.add_column("asset")
    for heading in ("available", "held", "in\nsettlement", "house", "total", "before"):
        table.add_column(heading, justify="right")
    totals_before = {totals.asset: totals.total for totals in before}
    wrong: list[str] = []
    for totals in after:
        amounts = (
            totals.available,
            totals.held,
            totals.in_settlement,
            totals.house,
            totals.total,
            totals_before.get(totals.asset, 0),
            totals.deposited,
        )
        cells = [_amount(totals.asset, amount, currency_digits) for amount in amounts]
        conserved = len({*amounts[-3:]}) == 1
        table.add_row(totals.asset, *cells[:-1], style=None if conserved else "bold red")
        if not conserved:
            wrong.append(f"{totals.asset} is not conserved: {cells[-3]} now, {cells[-2]} before, {cells[-1]} deposited")
    console.print(table)
    return wrong


def print_verdict(
    console: Console, verdict: Verdict, wrong: Sequence[str], tables: MarketTables, accounts: AccountTables
) -> None:
    """Print what the invariant check found, or what it covered when it found nothing.

    Parameters
    ----------
    console
        Where to.
    verdict
        The invariants.
    wrong
        Whatever else was found: lost orders, goods or money that are not conserved.
    tables, accounts
        What was checked.
    """
    found = [*wrong, *(str(violation) for violation in verdict.violations)]
    for line in found[:_MOST_LINES]:
        console.print(escape(line), style="red", soft_wrap=True)
    if len(found) > _MOST_LINES:
        console.print(f"… and {len(found) - _MOST_LINES:,} more", style="red")
    trades = sum(len(commit.fills) for commit in tables.tape)
    settled = sum(1 for commit in tables.tape if commit.orders)
    scope = (
        f"{len(tables.sell_orders):,} asks, {len(tables.bids):,} bids, {trades:,} trades, {settled:,} settled commits, "
        f"{len(accounts.journal):,} journal entries, {len(accounts.notifications):,} notifications"
    )
    if found:
        console.print(f"UNSOUND: {len(found):,} findings over {scope}", style="bold red")
    else:
        console.print(
            f"SOUND: all {len(Invariant)} invariants hold over {scope}; no order lost; goods and money conserved",
            style="bold green",
        )


def _figures(day: MaterialDay) -> tuple[str, ...]:
    hops = (day.http_ms, day.sequenced_ms, day.matched_ms, day.whole_ms)
    return (f"{day.fills:,}", f"{day.volume:,}", *map(_latency, hops))


def _latency(values_ms: Sequence[float]) -> str:
    return f"{sum(values_ms) / len(values_ms):.0f} / {max(values_ms):.0f}" if values_ms else "–"


def _price(price_minor: int | None, currency_digits: int) -> str:
    return "–" if price_minor is None else format_price(price_minor, currency_digits)


def _amount(asset: str, amount: int, currency_digits: int) -> str:
    if asset != MONEY:
        return f"{amount:,}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{format_price(abs(amount), currency_digits)}"


def _reason(refusal: str) -> str:
    """Leave out what differs between refusals of one kind: ids and amounts."""
    return _PARTICULARS.sub("…", refusal.partition(" [")[0])
