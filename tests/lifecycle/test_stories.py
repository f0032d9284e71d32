"""What becomes of an arriving bid or ask, by its kind and by what it finds: one line a story.

The book, the order and the outcome are written as a person would tell them: "ask bob 5@100" rests, "bid ann 8@100 IOC"
arrives, "traded 5, CANCELED no_match".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from market.fees import Fees, hold_minor
from market.matching.engine import match
from market.matching.rules import SelfTradePrevention
from market.matching.turns import Arrival
from market.tables import Bid, OpenAsk, SellOrder
from tests.lifecycle.stored_market import StoredMarket

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1000
TAKER, MAKER, BOTH = SelfTradePrevention.CANCEL_TAKER, SelfTradePrevention.CANCEL_MAKER, SelfTradePrevention.CANCEL_BOTH

# book · arriving order · traded · what became of it · what is left of the book, best first
STORIES = [
    ("", "bid ann 8@100", 0, "rests 8", "bid ann 8@100"),
    ("ask bob 5@100", "bid ann 8@101", 5, "rests 3", "bid ann 3@101"),
    ("ask bob 9@100", "bid ann 8@101", 8, "FILLED", "ask bob 1@100"),
    ("ask bob 5@102", "bid ann 8@101", 0, "rests 8", "ask bob 5@102, bid ann 8@101"),
    ("", "bid ann 8@100 IOC", 0, "CANCELED no_match", ""),
    ("ask bob 5@100", "bid ann 8@100 IOC", 5, "CANCELED no_match", ""),
    ("ask bob 9@100", "bid ann 8@100 IOC", 8, "FILLED", "ask bob 1@100"),
    ("ask bob 5@100, ask cid 5@101", "bid ann 8@100 IOC", 5, "CANCELED no_match", "ask cid 5@101"),
    ("", "bid ann 8@100 FOK", 0, "CANCELED no_match", ""),
    ("ask bob 5@100", "bid ann 8@100 FOK", 0, "CANCELED no_match", "ask bob 5@100"),
    ("ask bob 5@100, ask cid 5@101", "bid ann 8@101 FOK", 8, "FILLED", "ask cid 2@101"),
    ("ask bob 5@100, ask cid 5@102", "bid ann 8@101 FOK", 0, "CANCELED no_match", "ask bob 5@100, ask cid 5@102"),
    ("", "bid ann 8@100 post-only", 0, "rests 8", "bid ann 8@100"),
    ("ask bob 5@100", "bid ann 8@100 post-only", 0, "REJECTED would_take", "ask bob 5@100"),
    ("ask bob 5@101", "bid ann 8@100 post-only", 0, "rests 8", "ask bob 5@101, bid ann 8@100"),
    ("ask bob 5@100", "bid ann 8@100 GTD 2000", 5, "rests 3", "bid ann 3@100"),
    ("ask bob 5@100", "bid ann 8@100 GTD 1000", 0, "EXPIRED expired", "ask bob 5@100"),
    ("ask bob 5@100 GTD 1000", "bid ann 8@100", 0, "rests 8", "bid ann 8@100"),
    ("ask bob 5@100 GTD 1001", "bid ann 8@100", 5, "rests 3", "bid ann 3@100"),
    ("ask bob 5@100 GTD 999, ask cid 5@100", "bid ann 5@100 FOK", 5, "FILLED", ""),
    ("", "bid ann 8 market 1000", 0, "CANCELED no_match", ""),
    ("ask bob 5@100, ask cid 5@900", "bid ann 8 market 3200", 8, "FILLED", "ask cid 2@900"),
    ("ask bob 5@100, ask cid 5@900", "bid ann 8 market 3199", 7, "CANCELED budget_spent", "ask cid 3@900"),
    ("ask bob 5@100", "bid ann 8 market 99", 0, "CANCELED budget_spent", "ask bob 5@100"),
    ("ask bob 5@100", "bid ann 8 market 9999", 5, "CANCELED no_match", ""),
    ("bid bob 5@100", "ask ann 8@100 IOC", 5, "CANCELED no_match", ""),
    ("bid bob 5@100", "ask ann 8@100 FOK", 0, "CANCELED no_match", "bid bob 5@100"),
    ("bid bob 5@100, bid cid 5@99", "ask ann 8@99 FOK", 8, "FILLED", "bid cid 2@99"),
    ("bid bob 5@100, bid cid 5@1", "ask ann 8 market", 8, "FILLED", "bid cid 2@1"),
    ("bid bob 5@100", "ask ann 8 market", 5, "CANCELED no_match", ""),
    ("bid bob 5@100", "ask ann 8@100 post-only", 0, "REJECTED would_take", "bid bob 5@100"),
    ("bid bob 5@100", "ask ann 8@101 post-only", 0, "rests 8", "ask ann 8@101, bid bob 5@100"),
    ("bid bob 5@100 GTD 1000", "ask ann 8@100 post-only", 0, "rests 8", "ask ann 8@100"),
]

SELF_TRADES = [
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101", TAKER, 2, "CANCELED self_trade",
     "ask ann 5@100, ask cid 9@101"),
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101", MAKER, 8, "FILLED", "ask cid 3@101"),
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101", BOTH, 2, "CANCELED self_trade", "ask cid 9@101"),
    ("ask bob 2@99, ask ann 5@100", "bid ann 2@101", BOTH, 2, "FILLED", "ask ann 5@100"),
    ("ask ann 5@100", "bid ann 8@101 IOC", MAKER, 0, "CANCELED no_match", ""),
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101 FOK", TAKER, 0, "CANCELED no_match",
     "ask bob 2@99, ask ann 5@100, ask cid 9@101"),
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101 FOK", MAKER, 8, "FILLED", "ask cid 3@101"),
    ("ask bob 2@99, ask ann 5@100, ask cid 9@101", "bid ann 8@101 FOK", BOTH, 0, "CANCELED no_match",
     "ask bob 2@99, ask ann 5@100, ask cid 9@101"),
    ("ask ann 5@100, ask cid 5@100", "bid ann 3@100 FOK", MAKER, 3, "FILLED", "ask cid 2@100"),
    ("ask ann 5@100, ask cid 5@100", "bid ann 8@100 FOK", MAKER, 0, "CANCELED no_match",
     "ask ann 5@100, ask cid 5@100"),
    ("ask ann 5@100", "bid ann 8@100 post-only", MAKER, 0, "REJECTED would_take", "ask ann 5@100"),
]  # fmt: skip


@pytest.mark.parametrize(("book", "arriving", "traded", "becomes", "left"), STORIES)
def test_what_becomes_of_an_order(book: str, arriving: str, traded: int, becomes: str, left: str) -> None:
    _tell(book, arriving, TAKER, (traded, becomes, left))


@pytest.mark.parametrize(("book", "arriving", "prevention", "traded", "becomes", "left"), SELF_TRADES)
def test_orders_of_one_player_never_trade(  # noqa: PLR0917  # a story's columns
    book: str, arriving: str, prevention: SelfTradePrevention, traded: int, becomes: str, left: str
) -> None:
    _tell(book, arriving, prevention, (traded, becomes, left))


@pytest.mark.parametrize(("makers", "becomes"), [(98, "FILLED"), (99, "CANCELED")])
def test_fill_or_kill_is_one_transaction_or_nothing(makers: int, becomes: str) -> None:
    market = StoredMarket(Fees(), TAKER, most_items=100)
    for number in range(makers):
        market.store(_order(f"ask bob{number} 1@100", number))
    taker = _order(f"bid ann {makers}@100 FOK", makers)
    market.store(taker)
    market.run([lambda: market.arrival(taker)], NOW_MS)
    bid = market.bids[_order_id(makers)]
    assert (bid.status, bid.filled) == (becomes, makers if becomes == "FILLED" else 0)
    assert bid.reason == (None if becomes == "FILLED" else "too_many_makers")
    assert len(market.tape) == 1


def test_a_bid_never_pays_a_higher_rate_than_it_was_placed_with() -> None:
    market = StoredMarket(Fees(maker_bps=100, taker_bps=500), TAKER, most_items=100)
    market.store(_order("ask bob 5@1000", 1))
    bid = _order("bid ann 5@1000", 2, fee_bps=200)
    market.store(bid)
    market.run([lambda: market.arrival(bid)], NOW_MS)
    (fill,) = market.tape[0].fills
    assert (fill.buyer_fee_minor, fill.seller_fee_minor) == (100, 50)


def test_what_is_left_of_a_cut_sweep_takes_first_and_never_rests() -> None:
    market = _cut_sweep("bid bob 1@100, bid cid 1@100, bid dan 1@100, bid eve 2@100")
    market.store(_order("ask zed 9@100", 0))  # its clock is behind
    market.run([], NOW_MS)
    last = [(fill.seller, fill.buyer, fill.quantity) for commit in market.tape[1:] for fill in commit.fills]
    assert last == [("ann", "cid", 1), ("ann", "dan", 1), ("ann", "eve", 1), ("zed", "eve", 1)]
    assert (market.sell_orders[_order_id(50)].status, market.filled(_order_id(50))) == (None, 4)


def test_what_is_left_of_a_cut_sweep_closes_when_the_other_side_is_over() -> None:
    market = _cut_sweep(", ".join(f"bid {buyer} 1@100 GTD 1001" for buyer in ("bob", "cid", "dan", "eve")))
    market.run([], NOW_MS + 1)
    ask = market.sell_orders[_order_id(50)]
    assert (ask.status, ask.reason, ask.filled) == ("CANCELED", "no_match", 1)
    assert not market.open_rows()


def test_an_order_of_the_same_player_ends_the_reading_of_the_book() -> None:
    read: list[str] = []

    def asks() -> Iterator[OpenAsk]:
        for number, player in enumerate(("bob", "ann", "cid", "dan")):
            order = _order(f"ask {player} 1@100", number)
            assert isinstance(order, SellOrder)
            read.append(player)
            yield OpenAsk.of(order, 1)

    list(match(asks(), [], [Arrival(_order("bid ann 9@100", 9))], received_at_ms=NOW_MS, fees=Fees()))
    assert read == ["bob", "ann"]


def _cut_sweep(book: str) -> StoredMarket:
    """Return a market whose matcher has crashed after the first of ann's trades."""
    market = StoredMarket(Fees(), TAKER, most_items=5)
    for number, text in enumerate(book.split(", "), 1):
        bid = _order(text, number)
        market.store(bid)
        market.run([partial(market.arrival, bid)], 0)
    ask = _order("ask ann 4@100 IOC", 50)
    market.store(ask)
    market.tape.clear()
    assert not market.run([partial(market.arrival, ask)], NOW_MS, crash_after=1)
    return market


def _tell(book: str, arriving: str, prevention: SelfTradePrevention, outcome: tuple[int, str, str]) -> None:
    market = StoredMarket(Fees(), prevention, most_items=100)
    for number, text in enumerate(filter(None, book.split(", "))):
        order = _order(text, number)
        market.store(order)
        market.run([lambda order=order: market.arrival(order)], 0)
    order = _order(arriving, 50)
    market.store(order)
    market.run([lambda: market.arrival(order)], NOW_MS)

    order_id = _order_id(50)
    asks = [f"ask {ask.seller} {ask.remaining}@{ask.price_minor}" for _, ask in sorted(market.asks.items())]
    bids = [f"bid {bid.buyer} {bid.remaining}@{bid.price_minor}" for _, bid in sorted(market.standing_bids.items())]
    assert (market.filled(order_id), _fate(market, order_id), ", ".join(asks + bids)) == outcome


def _fate(market: StoredMarket, order_id: str) -> str:
    if remaining := market.open_rows().get(order_id):
        return f"rests {remaining}"
    order = market.bids.get(order_id) or market.sell_orders[order_id]
    return f"{order.status or 'FILLED'} {order.reason or ''}".rstrip()


def _order_id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def _order(text: str, number: int, fee_bps: int = 0) -> Bid | SellOrder:
    side, player, amount, *kind = text.split()
    quantity, _, price = amount.partition("@")
    terms: dict[str, object] = {
        "material": "copper",
        "quantity": int(quantity),
        "price_minor": int(price) if price else 999_999_999_999 if side == "bid" else 1,
        "placed_at_ms": 0,
    }
    match kind:
        case ["post-only"]:
            terms["post_only"] = True
        case ["GTD", expires_at_ms]:
            terms |= {"time_in_force": "GTD", "expires_at_ms": int(expires_at_ms)}
        case ["market", *_]:
            terms |= {"order_type": "MARKET", "time_in_force": "IOC"}
        case [time_in_force]:
            terms["time_in_force"] = time_in_force
        case _:
            pass
    if side == "bid":
        price_minor = int(price or 0)
        terms["hold"] = int(kind[1]) if "market" in kind else hold_minor(price_minor, int(quantity), fee_bps)
        return Bid(buyer=player, bid_id=_order_id(number), filled=0, status="PENDING", fee_bps=fee_bps, **terms)  # pyright: ignore[reportArgumentType]
    at_once = not kind or kind[0] == "GTD"
    status = None if at_once else "PENDING"
    terms["hold"] = int(quantity)
    return SellOrder(seller=player, ask_id=_order_id(number), status=status, **terms)  # pyright: ignore[reportArgumentType]
