"""What `market watch` says of the news: each thing once, and when it has to read again."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from cli.feed import ConnectionLost, ConnectionRestored, FeedEvent
from cli.watch import render
from cli.watching import LIVE, READING, RECONNECTING, Watch

_OWN = "/players/pann"


def _market(number: int, before: int, after: int, *trades: tuple[int, int], ask: int = 5) -> FeedEvent:
    message = {
        "material": "stone",
        "publisher": "p1",
        "number": number,
        "part": 1,
        "from": before,
        "sequence": after,
        "as_of_ms": number,
        "published_at_ms": 1000,
        "asks": [["7.00", ask, 1]],
        "bids": [],
        "asks_complete": True,
        "bids_complete": True,
        "trades": [
            {"sequence": sequence, "n": n, "price": "7.00", "quantity": 2, "taker": "BUY", "committed_at_ms": 990}
            for sequence, n in trades
        ],
        "trace_ids": [],
    }
    return FeedEvent("/market/stone", message, 1007)


def _own(number: int, *, material: str = "stone", sequence: int = 1) -> FeedEvent:
    order: dict[str, Any] = {
        "order_id": "o1",
        "sequence": sequence,
        "side": "SELL",
        "status": "PARTIALLY_FILLED",
        "reason": None,
        "filled": 2,
        "remaining": 3,
        "trace_id": None,
        "hops": {},
    }
    fill = {
        "sequence": sequence,
        "n": 0,
        "order_id": "o1",
        "side": "SELL",
        "price": "7.00",
        "quantity": max(sequence, 2),
    }
    message: dict[str, Any] = {
        "material": material,
        "publisher": "p1",
        "number": number,
        "sequence": sequence,
        "published_at_ms": 1000,
        "orders": [order],
        "fills": [fill | {"fee": "0.02", "role": "MAKER"}],
    }
    return FeedEvent(_OWN, message, 1003)


def _settled(trade: str, material: str = "stone") -> dict[str, Any]:
    fields = {"id": trade, "material": material, "side": "SELL", "price": "7.00", "quantity": 2, "fee": "0.02"}
    return fields | {"role": "maker"}


_BOOK = {"sequence": 0, "asks": [{"price": "7.00", "quantity": 5, "orders": 1}], "bids": []}


@pytest.fixture
def watch() -> Watch:
    """A watch that has just read book and fills."""
    watch = Watch("stone", _OWN)
    assert (watch.state, watch.needs_book, watch.needs_fills) == (READING, True, True)
    assert watch.load_book(_BOOK) == ["book at 0: no bid, ask 5 at 7.00"]
    assert watch.load_fills({"fills": []}) == []
    assert watch.state == LIVE
    return watch


def test_trades_and_the_best_prices_are_told_once(watch: Watch) -> None:
    event = _market(1, 0, 1, (1, 0), ask=3)
    assert watch.take(event) == ["trade: 2 at 7.00, buyer took", "book at 1: no bid, ask 3 at 7.00"]
    assert watch.lag_ms == 7
    assert watch.take(event) == []
    assert watch.state == LIVE


def test_lost_messages_make_it_read_the_book_again(watch: Watch) -> None:
    assert watch.take(_market(2, 1, 2))[0] == "messages were lost, re-reading"
    assert (watch.state, watch.needs_book) == (READING, True)
    assert watch.load_book(_BOOK) == [], "an answer from before the gap does not fill it"
    assert watch.needs_book
    watch.load_book({**_BOOK, "sequence": 2})
    assert watch.state == LIVE


def test_own_orders_and_fills_are_told_once_from_either_source(watch: Watch) -> None:
    assert watch.take(_own(1)) == [
        "own sell order o1: PARTIALLY_FILLED, 2 filled, 3 left",
        "own fill: sold 2 at 7.00 as maker, fee 0.02",
    ]
    assert watch.take(_own(1)) == []
    assert watch.load_fills({"fills": [_settled("stone-1-0")]}) == []
    assert len(watch.load_fills({"fills": [_settled("stone-2-0")]})) == 1
    assert watch.load_fills({"fills": [_settled("wood-2-0", material="wood")]}) == []
    assert len(watch.fills) == 2


def test_own_news_of_other_materials_are_not_told_but_counted(watch: Watch) -> None:
    assert watch.take(_own(1, material="wood")) == []
    assert not watch.needs_fills
    watch.take(_own(3, sequence=2))
    assert watch.needs_fills, "the second one is missing"
    watch.take(_own(4, sequence=3))
    assert watch.needs_fills, "nothing has been read yet"
    assert [fill.quantity for fill in watch.fills] == [3, 2], "latest first"


def test_a_broken_connection_is_told_and_all_is_read_again(watch: Watch) -> None:
    assert watch.take(ConnectionLost("reset")) == ["connection lost: reset"]
    assert watch.state == RECONNECTING
    watch.take(ConnectionRestored())
    assert (watch.state, watch.needs_book, watch.needs_fills, watch.breaks) == (READING, True, True, 1)


def test_what_came_to_rest_during_a_break_is_shown(watch: Watch) -> None:
    """It takes no commit, so the snapshot's sequence is the one that is shown already."""
    watch.take(_market(1, 0, 1, (1, 1), ask=3))
    watch.take(ConnectionLost("reset"))
    watch.take(ConnectionRestored())
    level = {"price": "6.00", "quantity": 9, "orders": 1}
    assert watch.load_book({"sequence": 1, "asks": [level], "bids": []}) == ["book at 1: no bid, ask 9 at 6.00"]
    assert watch.state == LIVE


def test_trades_that_were_missed_are_read_and_told_once(watch: Watch) -> None:
    watch.take(_market(2, 1, 2, (2, 1)))
    trade = {"price": "7.00", "quantity": 4, "at": "2026-11-21T08:00:00.007Z", "taker_side": "SELL"}
    answer = {"trades": [{"id": f"stone-{sequence}-1", **trade} for sequence in (2, 1)]}
    assert watch.load_trades(answer) == ["trade: 4 at 7.00, seller took"]
    assert watch.load_trades(answer) == []
    assert [(each["sequence"], each["n"]) for each in watch.market.trades] == [(2, 1), (1, 1)]
    assert watch.market.trades[1] == {
        "sequence": 1,
        "n": 1,
        "price": "7.00",
        "quantity": 4,
        "taker": "SELL",
        "committed_at_ms": 1_795_248_000_007,
    }


def test_the_screen_shows_state_book_tape_and_fills(watch: Watch) -> None:
    watch.take(_market(1, 0, 1, (1, 0), ask=3))
    watch.take(_own(1))
    console = Console(width=140)
    with console.capture() as shown:
        console.print(render(watch))
    words = shown.get().split()
    for expected in ("stone", "live", "sequence", "bids", "asks", "trades", "own", "fills", "7.00", "maker"):
        assert expected in words
