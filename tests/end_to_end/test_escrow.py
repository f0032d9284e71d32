"""Goods and money on the real path: held when an order is placed, settled off the tape, given back when it closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.end_to_end.conftest import Market, eventually


def _of(market: Market, player: str, material: str) -> tuple[str, str, int, int]:
    """A player's money available and held, and units of a material available and held."""
    account = market.get(player, "account").accepted()
    line = next(line for line in account["materials"] if line["material"] == material)
    return account["money"]["available"], account["money"]["held"], line["available"], line["held"]


def _order(market: Market, player: str, side: str, order_id: str, status: str) -> dict[str, Any]:
    return eventually(lambda: market.get(player, side, order_id).accepted(), lambda order: order["status"] == status)


def test_a_trade_moves_goods_one_way_and_money_the_other_and_tells_both(market: Market) -> None:
    ask_id = market.sell("seller", "wool", 10, "20.00")
    assert _of(market, "seller", "wool") == ("1000000.00", "0.00", 490, 10)
    bid_id = market.buy("buyer", "wool", 10, "21.00")

    def told(player: str) -> list[dict[str, Any]]:
        return market.get(player, "notifications").accepted()["notifications"]

    (bought,) = eventually(lambda: told("buyer"), bool)
    (sold,) = eventually(lambda: told("seller"), bool)
    assert (bought["order_id"], bought["status"], bought["value"]) == (bid_id, "FILLED", "200.00")
    assert (sold["order_id"], sold["status"], sold["value"]) == (ask_id, "FILLED", "200.00")
    left = f"{1_000_000 - float(bought['paid']):.2f}"
    assert _of(market, "buyer", "wool") == (left, "0.00", 510, 0)
    earned = f"{1_000_000 + float(sold['received']):.2f}"
    assert _of(market, "seller", "wool") == (earned, "0.00", 490, 0)
    causes = [entry["cause"] for entry in market.get("seller", "account", "journal").accepted()["entries"]]
    assert causes[0].startswith("settlement#wool-")
    assert f"order#{ask_id}" in causes


def test_nobody_sells_or_buys_what_they_cannot_give(market: Market) -> None:
    for path, body, code in (
        ("/asks", {"material": "timber", "quantity": 501, "price": "1.00"}, "insufficient_goods"),
        ("/bids", {"material": "timber", "quantity": 501, "price": "2000.00"}, "insufficient_funds"),
    ):
        reply = market.post("poor", path, body)
        assert (reply.status, reply.body["error"]["code"]) == (409, code)
    assert _of(market, "poor", "timber") == ("1000000.00", "0.00", 500, 0)


def test_what_is_canceled_or_replaced_or_not_matched_is_given_back(market: Market) -> None:
    player = "undecided"
    ask_id = market.sell(player, "iron", 10, "900.00")
    assert market.patch(player, f"/asks/{ask_id}", {"quantity": 6}).status == 202
    eventually(lambda: _of(market, player, "iron"), lambda line: line[2:] == (494, 6))
    replaced = market.patch(player, f"/asks/{ask_id}", {"price": "901.00"}).accepted()
    assert (_order(market, player, "asks", ask_id, "CANCELED"))["reason"] == "replaced"
    _order(market, player, "asks", replaced["id"], "NEW")
    assert market.delete(player, "asks", replaced["id"]).status == 202
    assert (_order(market, player, "asks", replaced["id"], "CANCELED"))["reason"] == "requested"
    at_once = {"material": "iron", "quantity": 3, "price": "1.00", "time_in_force": "IOC"}
    bid_id = market.post(player, "/bids", at_once).accepted()["id"]
    assert (_order(market, player, "bids", bid_id, "CANCELED"))["reason"] == "no_match"
    for price in ("0.90", "0.91"):
        market.buy(player, "iron", 1, price)
    assert len(market.delete(player, "bids", material="iron").accepted()["requested"]) == 2
    eventually(lambda: _of(market, player, "iron"), lambda line: line == ("1000000.00", "0.00", 500, 0))


def test_an_order_past_its_time_expires_by_itself(market: Market) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    terms = {"material": "salt", "quantity": 2, "price": "0.05", "time_in_force": "GTD", "expires_at": end}
    bid_id = market.post("patient", "/bids", terms).accepted()["id"]
    bid = eventually(lambda: market.bid("patient", bid_id), lambda bid: bid["status"] == "EXPIRED", patience_s=90)
    assert (bid["reason"], bid["remaining"]) == ("expired", 0)
    eventually(lambda: _of(market, "patient", "salt"), lambda line: line == ("1000000.00", "0.00", 500, 0))


def test_every_invariant_holds_on_all_tables(market: Market) -> None:
    market.settled_tables()
