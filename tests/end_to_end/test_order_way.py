"""What players see of an order's way: HTTP, table, change stream, Pipe, Kinesis, matcher, transaction."""

from __future__ import annotations

from tests.end_to_end.conftest import Market, eventually


def test_a_bid_takes_the_cheapest_ask_at_the_asks_price(market: Market) -> None:
    dear = market.sell("ann", "copper", 10, "12.60")
    cheap = market.sell("cid", "copper", 10, "12.50")
    placed = market.post("bob", "/bids", {"material": "copper", "quantity": 4, "price": "13.00"})
    assert (placed.status, placed.body["status"]) == (202, "PENDING")

    bid = market.handled_bid("bob", placed.body["id"])

    assert (bid["status"], bid["filled"], bid["remaining"]) == ("FILLED", 4, 0)
    trades = market.get("bob", "materials", "copper", "trades").accepted()["trades"]
    assert [(trade["price"], trade["quantity"], trade["taker_side"]) for trade in trades[:1]] == [("12.50", 4, "BUY")]
    cheap_ask = market.get("cid", "asks", cheap).accepted()
    assert (cheap_ask["status"], cheap_ask["remaining"]) == ("PARTIALLY_FILLED", 6)
    assert market.get("ann", "asks", dear).accepted()["status"] == "NEW"
    book = market.get("bob", "materials", "copper", "book").accepted()
    assert book["asks"] == [
        {"price": "12.50", "quantity": 6, "orders": 1},
        {"price": "12.60", "quantity": 10, "orders": 1},
    ]


def test_a_bid_without_a_match_stands_and_a_later_ask_fills_it_at_the_bids_price(market: Market) -> None:
    bid_id = market.buy("bob", "iron", 5, "8.00")
    assert market.handled_bid("bob", bid_id)["status"] == "NEW"

    ask_id = market.sell("ann", "iron", 3, "7.00")

    bid = eventually(lambda: market.bid("bob", bid_id), lambda bid: bid["filled"] == 3)
    assert (bid["status"], bid["remaining"]) == ("PARTIALLY_FILLED", 2)
    assert market.get("ann", "asks", ask_id).accepted()["status"] == "FILLED"
    trade = market.get("ann", "materials", "iron", "trades").accepted()["trades"][0]
    assert (trade["price"], trade["quantity"], trade["taker_side"]) == ("8.00", 3, "SELL")


def test_a_sold_out_ask_leaves_the_book_but_not_its_sellers_list(market: Market) -> None:
    ask_id = market.sell("ann", "gold", 2, "90.00")
    market.handled_bid("bob", market.buy("bob", "gold", 2, "90.00"))

    assert market.get("bob", "materials", "gold", "book").accepted()["asks"] == []
    listed = {ask["id"]: ask["status"] for ask in market.get("ann", "asks").accepted()["asks"]}
    assert listed[ask_id] == "FILLED"


def test_placing_again_with_the_same_client_order_id_places_nothing(market: Market) -> None:
    body = {"material": "silver", "quantity": 1, "price": "5.00", "client_order_id": "first-try"}
    first = market.post("bob", "/bids", body)
    again = market.post("bob", "/bids", body)
    other = market.post("bob", "/bids", body | {"quantity": 2})

    assert again.body["id"] == first.body["id"]
    assert other.status == 409
    market.handled_bid("bob", first.body["id"])
    bob = market.player_id("bob")
    assert [bid.bid_id for bid in market.tables().bids if (bid.buyer, bid.material) == (bob, "silver")] == [
        first.body["id"]
    ]


def test_every_invariant_holds_on_the_tables(market: Market) -> None:
    market.settled_tables()
