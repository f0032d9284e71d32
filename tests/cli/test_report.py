"""The report of a day: its figures are those of the tables, and it fits a log as well as a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from cli.report import print_conservation, print_day, print_orders, print_sending, print_verdict, summarize_day
from cli.simulation import SentOrder
from cli.trading_day import PlannedOrder
from market.accounts.rows import AccountTables
from market.invariants import AssetTotals, Invariant, Verdict, Violation
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import TapeCommit, TradeFill
from market.whole_tables import MarketTables

if TYPE_CHECKING:
    from collections.abc import Callable

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
NO_ACCOUNTS = AccountTables(lines=(), journal=(), settlements=(), notifications=())
PLANNED = PlannedOrder(0, 0, "BUY", MATERIAL, 1, 1)
SENT = [
    SentOrder(PLANNED, "one", None, 20.0, 0),
    SentOrder(PLANNED, "two", None, 40.0, 0),
    SentOrder(PLANNED, None, "refused (400): price 12.505 [field]", 60.0, 0),
]


def test_the_figures_are_those_of_the_tables_and_the_latencies_those_of_this_day() -> None:
    day = summarize_day([MATERIAL, "unused"], SENT, TABLES)[MATERIAL]
    assert (day.best_ask_minor, day.best_bid_minor) == (1_240, 1_230)
    assert (day.fills, day.volume) == (3, 12)
    assert day.http_ms == [20, 40, 60]
    assert (day.sequenced_ms, day.matched_ms, day.whole_ms) == ([100, 200], [300, 700], [400, 900])


TOTALS = [
    AssetTotals("money", 2_399_990_000, 5_000_000, 100, 12_345, 2_405_002_445),
    AssetTotals(MATERIAL, 12_000, 100, 20, 0, 12_120),
]


def printed(*, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    print_sending(console, SENT, sending_s=2.0, resting_s=1.0)
    print_day(console, summarize_day([MATERIAL, "unused"], SENT, TABLES), currency_digits=2)
    print_orders(console, TABLES)
    print_conservation(console, TOTALS, TOTALS, currency_digits=2)
    print_verdict(console, Verdict((), ()), [], TABLES, NO_ACCOUNTS)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_a_report_is_readable_in_a_log_of_100_columns() -> None:
    shown = printed()
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    for text in ("12.40", "12.30", "40 / 60", "150 / 200", "500 / 700", "650 / 900"):
        assert text in shown
    assert "3 orders, 0 changes and cancels: 2 accepted in 2.0 s (2/s)" in shown
    assert "1 × refused (…): price …" in shown
    assert "SOUND" in shown


def test_a_finding_is_printed_with_its_order_and_changes_the_verdict() -> None:
    console = Console(file=io.StringIO(), width=100)
    violation = Violation(Invariant.ASK_SUM, MATERIAL, "ask-1", "5 in all", "6 sold and 0 remaining")
    print_verdict(
        console, Verdict((violation,), ()), ["SELL order x was accepted and is in no table"], TABLES, NO_ACCOUNTS
    )
    output = console.file
    assert isinstance(output, io.StringIO)
    shown = output.getvalue()
    assert "ask-1: expected 5 in all, found 6 sold and 0 remaining" in shown
    assert "SELL order x" in shown
    assert "UNSOUND: 2 findings" in shown


def test_a_day_without_a_single_bid_has_a_report_too() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_day(console, summarize_day(["copper"], [], replace(TABLES, asks=(), bids=(), standing_bids=(), tape=())), 2)


def shown_by(print_to: Callable[[Console], object]) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False)
    print_to(console)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_orders_are_counted_by_status_and_reason() -> None:
    sold = SellOrder(seller="s", ask_id="sold", material=MATERIAL, price_minor=1, quantity=1, placed_at_ms=0)
    tables = replace(
        TABLES,
        sell_orders=(sold, replace(sold, ask_id="ask"), replace(sold, ask_id="x", status="EXPIRED", reason="expired")),
        bids=(*TABLES.bids, replace(TABLES.bids[0], bid_id="r", status="REJECTED", reason="would_take")),
    )
    lines = shown_by(lambda console: print_orders(console, tables)).splitlines()
    rows = [line.split() for line in lines if line.strip()]
    for row in (
        ["NEW", "1", "3"],
        ["FILLED", "1", "0"],
        ["EXPIRED", "expired", "1", "0"],
        ["REJECTED", "would_take", "0", "1"],
    ):
        assert row in rows


def test_goods_and_money_that_are_not_what_they_were_are_found() -> None:
    wrong: list[str] = []
    shown = shown_by(lambda console: wrong.extend(print_conservation(console, TOTALS, TOTALS, 2)))
    assert wrong == []
    assert "24050024.45" in shown
    lost = [TOTALS[0], replace(TOTALS[1], available=11_999)]
    shown_by(lambda console: wrong.extend(print_conservation(console, TOTALS, lost, 2)))
    assert wrong == [f"{MATERIAL} is not conserved: 12,119 now, 12,120 before, 12,120 deposited"]
    more = [replace(TOTALS[0], deposited=TOTALS[0].deposited + 1), TOTALS[1]]
    shown_by(lambda console: wrong.extend(print_conservation(console, TOTALS, more, 2)))
    assert len(wrong) == 2
