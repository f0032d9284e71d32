"""The book and the trades of a material, as anybody signed in sees them."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.api import trades_store
from functions.api.book_store import SNAPSHOT_ATTEMPTS
from market.keys import ask_price_key, bid_price_key
from market.side import Side
from market.tape import TapeCommit, TradeFill, encode_commit
from patterns.dynamodb.page_token import encode_page_token
from tests.api.faults import hooked
from tests.api.front_door import FrontDoor, opened

_orders = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 9)), max_size=25)  # (price in ticks, remaining)


def open_order(
    market: FrontDoor, side: Side, number: int, price_minor: int, remaining: int, **more: int | bool
) -> None:
    """Put an order in the book as the matcher leaves it."""
    order_id = str(UUID(int=number))
    key = ask_price_key if side is Side.SELL else bid_price_key
    market.put(
        "asks" if side is Side.SELL else "standing-bids",
        {
            "material": "copper",
            "price_key": key(price_minor, order_id),
            "price_minor": price_minor,
            "quantity": remaining + 1,
            "remaining": remaining,
            **more,
        },
    )


def commit(market: FrontDoor, sequence: int, fills: int) -> list[str]:
    """Write a commit to the tape; return its trades' ids, newest first."""
    traded = tuple(
        TradeFill(
            n=n,
            bid_id=str(UUID(int=1000 + n)),
            buyer="bob",
            ask_id=str(UUID(int=2000 + n)),
            seller="alice",
            price_minor=1250 + n,
            quantity=n,
            taker_side=Side.BUY if n % 2 else Side.SELL,
        )
        for n in range(1, fills + 1)
    )
    written = encode_commit(TapeCommit("copper", sequence, 1_795_248_000_007 + sequence, 1_795_248_000_000, traded))
    market.put("tape", dict(written))  # pyright: ignore[reportArgumentType]  # plain values are values of an item
    return [f"copper-{sequence}-{n}" for n in range(fills, 0, -1)]


def brute_force(orders: list[tuple[int, int]], *, best_first: bool, depth: int) -> list[dict[str, object]]:
    """Aggregate orders by price the slow way."""
    levels = groupby(sorted(orders, reverse=not best_first), key=lambda order: order[0])
    summed = [(price, [remaining for _, remaining in level]) for price, level in levels]
    return [
        {"price": f"{price * 5 / 100:.2f}", "quantity": sum(level), "orders": len(level)}
        for price, level in summed[:depth]
    ]


@settings(max_examples=30)
@given(asks=_orders, bids=_orders, depth=st.integers(1, 9))
def test_the_book_adds_up_the_open_orders_of_each_price(
    asks: list[tuple[int, int]], bids: list[tuple[int, int]], depth: int
) -> None:
    with opened() as market:
        for side, orders in ((Side.SELL, asks), (Side.BUY, bids)):
            for number, (ticks, remaining) in enumerate(orders):
                open_order(market, side, number, ticks * 5, remaining)
        book = market.send("GET", "/materials/copper/book", query={"depth": str(depth)}).body
    assert book == {
        "material": "copper",
        "sequence": 0,
        "asks": brute_force(asks, best_first=True, depth=depth),
        "bids": brute_force(bids, best_first=False, depth=depth),
    }


def test_a_level_of_more_orders_than_a_query_returns_is_complete(market: FrontDoor) -> None:
    for number in range(501):
        open_order(market, Side.SELL, number, 1250, 2)
    open_order(market, Side.SELL, 501, 1255, 1)
    book = market.send("GET", "/materials/copper/book").body
    assert book["asks"] == [
        {"price": "12.50", "quantity": 1002, "orders": 501},
        {"price": "12.55", "quantity": 1, "orders": 1},
    ]


@pytest.mark.parametrize("side", [Side.SELL, Side.BUY])
def test_what_nobody_can_trade_with_is_not_depth(market: FrontDoor, side: Side) -> None:
    """Expired and not removed yet, or the rest of an order that may only trade at once: behind it others are found."""
    now_ms = market.clock.now_ms
    best_first = 1 if side is Side.SELL else -1
    for number in range(12):
        gone = {"immediate": True} if number % 2 else {"expires_at_ms": now_ms}
        open_order(market, side, number, 1250, 7, **gone)
    open_order(market, side, 12, 1250, 1, expires_at_ms=now_ms + 60_000)
    open_order(market, side, 13, 1250 + best_first * 5, 2, expires_at_ms=now_ms)
    open_order(market, side, 14, 1250 + best_first * 10, 3)
    for depth, expected in (("1", [(1, 1)]), ("2", [(1, 1), (3, 1)])):
        book = market.send("GET", "/materials/copper/book", query={"depth": depth}).body
        levels = book["asks" if side is Side.SELL else "bids"]
        assert [(level["quantity"], level["orders"]) for level in levels] == expected


@pytest.mark.parametrize(
    ("commits_meanwhile", "status"), [(0, 200), (1, 200), (SNAPSHOT_ATTEMPTS - 1, 200), (SNAPSHOT_ATTEMPTS, 503)]
)
def test_both_sides_of_the_book_are_of_one_sequence_number(
    market: FrontDoor, commits_meanwhile: int, status: int
) -> None:
    """Each commit moves one unit from a bid to an ask, between the reads of the two sides."""
    commit(market, 1, 0)
    open_order(market, Side.SELL, 1, 1250, 100)
    open_order(market, Side.BUY, 2, 1200, 100)
    sequence = 1

    def commit_before_bids(params: dict[str, Any], **_kwargs: object) -> None:
        nonlocal sequence
        if "standing-bids" in str(params["body"]) and sequence <= commits_meanwhile:
            sequence += 1
            open_order(market, Side.SELL, 1, 1250, 100 + sequence)
            open_order(market, Side.BUY, 2, 1200, 100 - sequence)
            commit(market, sequence, 1)

    with hooked(market.client, "before-call.dynamodb.Query", commit_before_bids):
        reply = market.send("GET", "/materials/copper/book")
    assert reply.status == status
    if status == 200:
        assert reply.body["sequence"] == 1 + commits_meanwhile
        assert reply.body["asks"][0]["quantity"] + reply.body["bids"][0]["quantity"] == 200


@settings(max_examples=25)
@given(
    fills=st.lists(st.sampled_from([0, 0, 1, 2, 7]), max_size=12),
    limits=st.lists(st.integers(1, 5), min_size=1, max_size=3),
)
def test_the_pages_together_are_all_trades_newest_first(fills: list[int], limits: list[int]) -> None:
    with opened() as market:
        expected: list[str] = []
        for sequence, count in enumerate(fills, 1):
            expected = commit(market, sequence, count) + expected
        pages = list(market.pages("/materials/copper/trades", "trades", limits))
    assert [trade["id"] for page in pages for trade in page] == expected
    assert all(pages[:-1])
    assert all(len(page) == limits[index % len(limits)] for index, page in enumerate(pages[:-1]))


def test_pages_of_trades_stay_valid_while_the_market_trades_on(market: FrontDoor) -> None:
    expected: list[str] = []
    for sequence in range(1, 6):
        expected = commit(market, sequence, 3) + expected
    seen: list[str] = []
    for number, page in enumerate(market.pages("/materials/copper/trades", "trades", [2])):
        seen += [trade["id"] for trade in page]
        commit(market, 6 + number, 2)
    assert seen == expected


def test_trades_are_found_behind_many_commits_without_any(market: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page reads a bounded number of commits; when none of them traded it is empty, but the next one goes on."""
    monkeypatch.setattr(trades_store, "_FIRST_READ", 2)
    monkeypatch.setattr(trades_store, "_READ", 3)
    monkeypatch.setattr(trades_store, "_READS", 2)
    oldest = commit(market, 1, 3)
    for sequence in range(2, 13):
        commit(market, sequence, 0)
    pages = list(market.pages("/materials/copper/trades", "trades", [2]))
    assert [[trade["id"] for trade in page] for page in pages] == [[], [], oldest[:2], oldest[2:]]


def test_a_trade_tells_price_and_time_but_not_who(market: FrontDoor) -> None:
    commit(market, 1, 1)
    assert market.send("GET", "/materials/copper/trades").body == {
        "trades": [
            {
                "id": "copper-1-1",
                "price": "12.51",
                "quantity": 1,
                "at": "2026-11-21T08:00:00.008Z",
                "taker_side": "BUY",
            }
        ],
        "next": None,
    }


def test_a_token_of_another_material_or_around_no_position_is_refused(market: FrontDoor) -> None:
    commit(market, 1, 2)
    token = market.send("GET", "/materials/copper/trades", query={"limit": "1"}).body["next"]
    assert market.send("GET", "/materials/copper/trades", query={"next": token}).status == 200
    forged = [encode_page_token(text, ("trades", "copper")) for text in ("", "1", "0-1", "1--1", "1-1e9", "٣-1")]
    for path, bad in [("wheat", token), *(("copper", text) for text in forged)]:
        reply = market.send("GET", f"/materials/{path}/trades", query={"next": bad})
        assert (reply.status, reply.error) == (400, ("invalid_field", "next", "page_token"))


@pytest.mark.parametrize("path", ["/materials/gold/book", "/materials/COPPER/trades", "/materials/ｃopper/book"])
def test_a_material_that_is_not_traded_is_not_found(market: FrontDoor, path: str) -> None:
    reply = market.send("GET", path)
    assert (reply.status, reply.error) == (404, ("not_found", "material", "known_material"))
