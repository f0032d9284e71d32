"""Names of channels, and how long messages get."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.endings import Ending
from market.feed.channels import LONGEST_SEGMENT, market_channel, own, player_channel, segment
from market.feed.messages import (
    BookTop,
    OrderState,
    OrderTrace,
    market_messages,
    own_messages,
    text_of,
)
from market.keys import HIGHEST_PRICE_MINOR
from market.matching.order_book import DepthLevel
from market.side import Side
from market.tape import TapeCommit, TradeFill
from market.tracing import HOPS

LONGEST_EVENT = 240 * 1024
LATEST_MS = 10**15 - 1


@given(st.text())
def test_a_segment_can_be_undone_and_has_only_what_a_channel_may(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9-]*", segment(text))
    assert unquote(segment(text).replace("-", "%"), errors="strict") == text
    assert unquote(own(text)[1:].replace("-", "%")) == text


@pytest.mark.parametrize(
    ("player", "channel"),
    [
        ("0190163d-8694-739b-aea5-966c26f8ad91", "/players/p0190163d-2d8694-2d739b-2daea5-2d966c26f8ad91"),
        ("a" * (LONGEST_SEGMENT - 1), "/players/p" + "a" * (LONGEST_SEGMENT - 1)),
        ("a" * LONGEST_SEGMENT, None),
        ("~house", "/players/p-7ehouse"),
        ("µ", "/players/p-c2-b5"),
    ],
)
def test_a_player_has_a_channel_if_its_name_fits(player: str, channel: str | None) -> None:
    assert player_channel(player) == channel


def test_a_material_has_a_channel() -> None:
    assert market_channel("iron_ore-2") == "/market/iron-5fore-2d2"


def order_id(number: int) -> str:
    return f"{number:08x}-8694-739b-aea5-966c26f8ad91"


def largest_commits(count: int, fills: int) -> list[TapeCommit]:
    return [
        TapeCommit(
            "copper",
            10**12 + number,
            LATEST_MS,
            LATEST_MS,
            tuple(
                TradeFill(
                    n,
                    order_id(n),
                    "buyer",
                    order_id(n),
                    "seller",
                    HIGHEST_PRICE_MINOR,
                    10**12,
                    Side.SELL,
                    10**20,
                    10**20,
                )
                for n in range(1, fills + 1)
            ),
        )
        for number in range(count)
    ]


def test_the_largest_messages_fit_into_an_event() -> None:
    commits = largest_commits(30, 98)
    levels = [DepthLevel(HIGHEST_PRICE_MINOR, 10**14, 10**6)] * 20
    book = BookTop(LATEST_MS, levels, levels, asks_complete=False, bids_complete=False)
    market = market_messages(
        "copper" * 5,
        commits,
        currency_digits=2,
        head=10**12,
        sequence=10**12 + 30,
        book=book,
        trace_ids=[f"{n:032x}" for n in range(500)],
    )
    assert [("part" in message, "asks" in message) for message in market] == [
        (True, False),
        (True, False),
        (True, True),
    ]
    assert sum(len(message["trades"]) for message in market) == 30 * 98
    assert {message["from"] for message in market} == {10**12}
    states = [
        OrderState(order_id(n), "buyer", Side.SELL, *Ending.REPLACED_ORDER_CLOSED.value, 10**12, 10**12, 10**12)
        for n in range(1000)
    ]
    trace = OrderTrace("f" * 32, dict.fromkeys(HOPS, LATEST_MS))
    traces = {state.order_id: trace for state in states}
    own = own_messages("copper" * 5, 10**12, states, commits, currency_digits=2, traces=traces)["buyer"]
    assert sum(len(message["orders"]) for message in own) == 1000
    for message in (*market, *own):
        text = text_of(message, publisher="f" * 32, number=10**9, published_at_ms=LATEST_MS)
        assert len(text.encode()) <= LONGEST_EVENT
