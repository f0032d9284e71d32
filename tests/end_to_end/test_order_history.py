"""What an order was, asked the way a player and an operator ask: HTTP and the command."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.conftest import Market, eventually


def test_every_change_of_an_order_is_on_record(market: Market) -> None:
    ask_id = market.sell("historian", "timber", 5, "44.00")
    bid_id = market.buy("reader", "timber", 5, "44.00")

    def versions(player: str, side: str, order_id: str) -> list[dict[str, Any]]:
        return market.get(player, side, order_id, "history").accepted()["versions"]

    bid = eventually(lambda: versions("reader", "bids", bid_id), lambda found: len(found) == 2)
    assert [(version["why"], version["order"]["status"]) for version in bid] == [
        ("placed", "PENDING"),
        ("matched", "FILLED"),
    ]
    ask = eventually(
        lambda: [version for version in versions("historian", "asks", ask_id) if version["part"] == "book"],
        lambda found: len(found) == 2,
    )
    assert [(version["by"] == "matcher", version["order"]["remaining"]) for version in ask] == [(False, 5), (True, 0)]
    as_of = market.get("reader", "bids", bid_id, "history", as_of=bid[0]["at"]).accepted()["versions"]
    assert [version["version"] for version in as_of] in (["1"], ["2"])
    assert market.get("historian", "bids", bid_id, "history").status == 404
