"""What a trading day came to: a table of the materials, the hops' latencies, the throughput, and the verdict."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from market.invariants import Invariant
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from cli.simulation import SentOrder
    from market.invariants import Verdict
    from market.tables import MarketTables

_MOST_LINES = 20


@dataclass(slots=True)
class MaterialDay:
    """A material's day: the book as it stands now, what was traded, and each hop's latencies in milliseconds.

    Attributes
    ----------
    http_ms
        Each order's request, as the client saw it.
    sequenced_ms
        Each bid from its time of placing to its arrival in the Kinesis stream: table, change stream and Pipe.
    matched_ms
        Each bid from its arrival in the stream to the matcher's commit.
    whole_ms
        Each bid from its time of placing to the matcher's commit.
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
        days[outcome.planned.material].http_ms.append(outcome.http_ms)
    ours = {outcome.order_id for outcome in sent}
    for bid in tables.bids:
        if bid.bid_id in ours and bid.sequenced_at_ms is not None and bid.matched_at_ms is not None:
            day = days[bid.material]
            day.sequenced_ms.append(bid.sequenced_at_ms - bid.placed_at_ms)
            day.matched_ms.append(bid.matched_at_ms - bid.sequenced_at_ms)
            day.whole_ms.append(bid.matched_at_ms - bid.placed_at_ms)
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
    refused = [outcome for outcome in sent if outcome.order_id is None]
    rate = len(sent) / sending_s
    console.print(
        f"{len(sent) - len(refused):,} of {len(sent):,} orders accepted in {sending_s:.1f} s ({rate:.0f} orders/s); "
        f"at rest {resting_s:.1f} s later"
    )
    reasons: defaultdict[str, int] = defaultdict(int)
    for outcome in refused:
        reasons[outcome.refusal or ""] += 1
    for reason, times in sorted(reasons.items(), key=lambda entry: -entry[1])[:_MOST_LINES]:
        console.print(f"  {times:,} × {escape(reason)}", style="yellow")


def print_verdict(console: Console, verdict: Verdict, lost: Sequence[str], tables: MarketTables) -> None:
    """Print what the invariant check found, or what it covered when it found nothing."""
    found = [*lost, *(str(violation) for violation in verdict.violations)]
    for line in found[:_MOST_LINES]:
        console.print(escape(line), style="red", soft_wrap=True)
    if len(found) > _MOST_LINES:
        console.print(f"… and {len(found) - _MOST_LINES:,} more", style="red")
    trades = sum(len(commit.fills) for commit in tables.tape)
    scope = f"{len(tables.sell_orders):,} asks, {len(tables.bids):,} bids, {trades:,} trades"
    if found:
        console.print(f"UNSOUND: {len(found):,} findings over {scope}", style="bold red")
    else:
        console.print(f"SOUND: all {len(Invariant)} invariants hold over {scope}; no order lost", style="bold green")


def _figures(day: MaterialDay) -> tuple[str, ...]:
    hops = (day.http_ms, day.sequenced_ms, day.matched_ms, day.whole_ms)
    return (f"{day.fills:,}", f"{day.volume:,}", *map(_latency, hops))


def _latency(values_ms: Sequence[float]) -> str:
    return f"{sum(values_ms) / len(values_ms):.0f} / {max(values_ms):.0f}" if values_ms else "–"


def _price(price_minor: int | None, currency_digits: int) -> str:
    return "–" if price_minor is None else format_price(price_minor, currency_digits)
