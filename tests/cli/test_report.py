"""The report of a day: its figures are those of the tables, and it fits a log as well as a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from cli.report import print_day, print_sending, print_verdict, summarize_day
from cli.simulation import SentOrder
from cli.trading_day import PlannedOrder
from market.invariants import Invariant, Verdict, Violation
from market.order_book import Side
from market.tables import Bid, MarketTables, OpenAsk, StandingBid
from market.tape import TapeCommit, TradeFill

MATERIAL = "a-material-with-the-longest-name"


def open_ask(price_minor: int) -> OpenAsk:
    return OpenAsk(
        material=MATERIAL,
        price_key="",
        ask_id="ask",
        seller="s",
        price_minor=price_minor,
        quantity=9,
        remaining=9,
        placed_at_ms=0,
    )


def standing_bid(price_minor: int) -> StandingBid:
    return StandingBid(
        material=MATERIAL,
        price_key="",
        bid_id="bid",
        buyer="b",
        price_minor=price_minor,
        quantity=9,
        remaining=9,
        placed_at_ms=0,
    )


def bid(bid_id: str, sequenced_at_ms: int | None, matched_at_ms: int | None) -> Bid:
    return Bid(
        buyer="b",
        bid_id=bid_id,
        material=MATERIAL,
        price_minor=1,
        quantity=1,
        filled=0,
        status="NEW",
        placed_at_ms=1_000,
        sequenced_at_ms=sequenced_at_ms,
        matched_at_ms=matched_at_ms,
    )


def fill(n: int, quantity: int) -> TradeFill:
    return TradeFill(n, "bid", "b", "ask", "s", 1, quantity, Side.BUY)


TABLES = MarketTables(
    asks=(open_ask(1_250), open_ask(1_240)),
    sell_orders=(),
    bids=(bid("one", 1_100, 1_400), bid("two", 1_200, 1_900), bid("another day's", 1_001, 9_999)),
    standing_bids=(standing_bid(1_100), standing_bid(1_230)),
    tape=(TapeCommit(MATERIAL, 1, 0, 0, (fill(1, 3), fill(2, 4))), TapeCommit(MATERIAL, 2, 0, 0, (fill(1, 5),))),
)
PLANNED = PlannedOrder(0, 0, "BUY", MATERIAL, 1, 1)
SENT = [
    SentOrder(PLANNED, "one", None, 20.0, 0),
    SentOrder(PLANNED, "two", None, 40.0, 0),
    SentOrder(PLANNED, None, "refused (400): price [is off]", 60.0, 0),
]


def test_the_figures_are_those_of_the_tables_and_the_latencies_those_of_this_day() -> None:
    day = summarize_day([MATERIAL, "unused"], SENT, TABLES)[MATERIAL]
    assert (day.best_ask_minor, day.best_bid_minor) == (1_240, 1_230)
    assert (day.fills, day.volume) == (3, 12)
    assert day.http_ms == [20, 40, 60]
    assert (day.sequenced_ms, day.matched_ms, day.whole_ms) == ([100, 200], [300, 700], [400, 900])


def printed(*, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    print_sending(console, SENT, sending_s=2.0, resting_s=1.0)
    print_day(console, summarize_day([MATERIAL, "unused"], SENT, TABLES), currency_digits=2)
    print_verdict(console, Verdict((), ()), [], TABLES)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_a_report_is_readable_in_a_log_of_100_columns() -> None:
    shown = printed()
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    for text in ("12.40", "12.30", "40 / 60", "150 / 200", "500 / 700", "650 / 900"):
        assert text in shown
    assert "2 of 3 orders accepted in 2.0 s (2 orders/s)" in shown
    assert "1 × refused (400): price [is off]" in shown
    assert "SOUND" in shown


def test_a_finding_is_printed_with_its_order_and_changes_the_verdict() -> None:
    console = Console(file=io.StringIO(), width=100)
    violation = Violation(Invariant.ASK_SUM, MATERIAL, "ask-1", "5 in all", "6 sold and 0 remaining")
    print_verdict(console, Verdict((violation,), ()), ["SELL order x was accepted and is in no table"], TABLES)
    output = console.file
    assert isinstance(output, io.StringIO)
    shown = output.getvalue()
    assert "ask-1: expected 5 in all, found 6 sold and 0 remaining" in shown
    assert "SELL order x" in shown
    assert "UNSOUND: 2 findings" in shown


def test_a_day_without_a_single_bid_has_a_report_too() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_day(console, summarize_day(["copper"], [], replace(TABLES, asks=(), bids=(), standing_bids=(), tape=())), 2)
