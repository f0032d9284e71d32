"""What counts as passed over, and what does not because nobody could have known, as a table of small stories.

Every order is for one piece. The trade under test is commit 1, received at 1000 ms; the other order stays open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from market.invariants import Invariant, Verdict, check_invariants
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill
from market.whole_tables import MarketTables

RECEIVED_AT_MS = 1_000


def oid(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def sell_order(number: int, price_minor: int) -> SellOrder:
    return SellOrder(
        seller="s", ask_id=oid(number), material="copper", price_minor=price_minor, quantity=1, placed_at_ms=number
    )


def open_ask(number: int, price_minor: int) -> OpenAsk:
    return OpenAsk(
        material="copper",
        price_key=f"{price_minor:012d}#{oid(number)}",
        ask_id=oid(number),
        seller="s",
        price_minor=price_minor,
        quantity=1,
        remaining=1,
        placed_at_ms=number,
    )


def bid(number: int, price_minor: int, matched_at_ms: int, *, filled: int) -> Bid:
    return Bid(
        buyer="b",
        bid_id=oid(number),
        material="copper",
        price_minor=price_minor,
        quantity=1,
        filled=filled,
        status="FILLED" if filled else "NEW",
        placed_at_ms=number,
        sequenced_at_ms=number,
        matched_at_ms=matched_at_ms,
    )


def standing_bid(number: int, price_minor: int) -> StandingBid:
    return StandingBid(
        material="copper",
        price_key=f"{999_999_999_999 - price_minor:012d}#{oid(number)}",
        bid_id=oid(number),
        buyer="b",
        price_minor=price_minor,
        quantity=1,
        remaining=1,
        placed_at_ms=number,
    )


def passed(verdict: Verdict) -> bool:
    """Whether an order was passed over; the stories leave out what says how their orders closed."""
    return any(violation.invariant is Invariant.PRIORITY for violation in verdict.violations)


def trade(bid_number: int, ask_number: int, price_minor: int, taker_side: Side) -> TapeCommit:
    fill = TradeFill(1, oid(bid_number), "b", oid(ask_number), "s", price_minor, 1, taker_side)
    return TapeCommit("copper", 1, RECEIVED_AT_MS + 10, RECEIVED_AT_MS, (fill,))


@pytest.mark.parametrize(
    ("taker_side", "traded", "other", "other_stored_by_ms", "passed_over"),
    [
        pytest.param(Side.BUY, (5, 8), (6, 7), 999, True, id="cheaper ask, stored in time"),
        pytest.param(Side.BUY, (5, 8), (6, 7), 1000, False, id="cheaper ask, perhaps stored too late"),
        pytest.param(Side.BUY, (5, 8), (4, 8), 999, True, id="same price and older"),
        pytest.param(Side.BUY, (5, 8), (6, 8), 999, False, id="same price and younger"),
        pytest.param(Side.BUY, (5, 8), (4, 9), 999, False, id="older and dearer"),
        pytest.param(Side.SELL, (5, 8), (6, 7), 999, False, id="cheaper ask that came after the one that took the bid"),
        pytest.param(Side.SELL, (5, 8), (4, 7), 999, True, id="cheaper ask that came before the one that took the bid"),
    ],
)
def test_an_ask_trades_before_a_worse_one(
    *, taker_side: Side, traded: tuple[int, int], other: tuple[int, int], other_stored_by_ms: int, passed_over: bool
) -> None:
    verdict = check_invariants(
        MarketTables(
            asks=(open_ask(*other),),
            sell_orders=(sell_order(*traded), sell_order(*other)),
            bids=(bid(20, 8, 500, filled=1),),
            standing_bids=(),
            tape=(trade(20, traded[0], 8, taker_side),),
        ),
        stored_by_ms={oid(other[0]): other_stored_by_ms},
    )
    assert passed(verdict) is passed_over


@pytest.mark.parametrize("taker_side", list(Side))
@pytest.mark.parametrize(
    ("traded", "other", "other_matched_at_ms", "passed_over"),
    [
        pytest.param((25, 8), (26, 9), 999, True, id="dearer bid, handled before"),
        pytest.param((25, 8), (26, 9), 1000, False, id="dearer bid, perhaps handled later"),
        pytest.param((25, 8), (24, 8), 999, True, id="same price and older"),
        pytest.param((25, 8), (26, 8), 999, False, id="same price and younger"),
        pytest.param((25, 8), (24, 7), 999, False, id="older and cheaper"),
    ],
)
def test_a_bid_trades_before_a_worse_one(
    *, taker_side: Side, traded: tuple[int, int], other: tuple[int, int], other_matched_at_ms: int, passed_over: bool
) -> None:
    verdict = check_invariants(
        MarketTables(
            asks=(),
            sell_orders=(sell_order(1, 8),),
            bids=(bid(*traded, 1_010, filled=1), bid(*other, other_matched_at_ms, filled=0)),
            standing_bids=(standing_bid(*other),),
            tape=(trade(traded[0], 1, 8, taker_side),),
        ),
    )
    assert passed(verdict) is passed_over


@pytest.mark.parametrize(
    ("terms", "matched_at_ms", "passed_over"),
    [
        pytest.param({}, None, True, id="plain: in the book when stored"),
        pytest.param({"expires_at_ms": 1_000}, None, False, id="its time is over when the batch is received"),
        pytest.param({"expires_at_ms": 1_001}, None, True, id="its time is nearly over"),
        pytest.param({"post_only": True}, 999, True, id="post-only, handled before"),
        pytest.param({"post_only": True}, 1_000, False, id="post-only, perhaps handled later"),
        pytest.param({"replaces": oid(3)}, 1_000, False, id="a replacement, perhaps handled later"),
    ],
)
def test_an_ask_has_to_be_known_and_alive(
    *, terms: dict[str, Any], matched_at_ms: int | None, passed_over: bool
) -> None:
    other = replace(sell_order(6, 7), matched_at_ms=matched_at_ms, **terms)
    tables = MarketTables(
        asks=(replace(open_ask(6, 7), expires_at_ms=other.expires_at_ms),),
        sell_orders=(sell_order(5, 8), other),
        bids=(bid(20, 8, 500, filled=1),),
        standing_bids=(),
        tape=(trade(20, 5, 8, Side.BUY),),
    )
    assert passed(check_invariants(tables, stored_by_ms={oid(6): 999})) is passed_over


def test_an_order_that_closes_in_the_commit_need_not_trade_in_it() -> None:
    closed = TapeOrder(oid(6), "s", Side.SELL, 1, Closing("CANCELED", "requested", 1, 1))
    tables = MarketTables(
        asks=(),
        sell_orders=(sell_order(5, 8), replace(sell_order(6, 7), status="CANCELED", reason="requested", filled=0)),
        bids=(bid(20, 8, 500, filled=1),),
        standing_bids=(),
        tape=(replace(trade(20, 5, 8, Side.BUY), orders=(closed,)),),
    )
    assert not passed(check_invariants(tables, stored_by_ms={oid(6): 999}))


def test_an_unhandled_bid_is_reported_but_wrong_only_in_a_quiet_market() -> None:
    pending = Bid(
        buyer="b",
        bid_id=oid(1),
        material="copper",
        price_minor=8,
        quantity=1,
        filled=0,
        status="PENDING",
        placed_at_ms=1,
    )
    tables = MarketTables(asks=(), sell_orders=(), bids=(pending,), standing_bids=(), tape=())
    assert check_invariants(tables).holds
    assert check_invariants(tables).pending_ids == (oid(1),)
    assert [violation.invariant for violation in check_invariants(tables, quiet=True).violations] == [Invariant.HANDLED]
