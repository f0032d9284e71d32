"""Faults on the real path: a record nobody can read, the stream replayed, a restart in the middle of a market."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from local.environment import LocalEnvironment, down, up
from tests.end_to_end.conftest import Market, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from market.tables import Bid, OpenAsk
    from market.tape import TapeCommit

_Row = TypeVar("_Row", "Bid", "OpenAsk", "TapeCommit")


def _parked(market: Market) -> list[str]:
    queue_url = market.running.outputs["parked_records_queue_url"]
    answer = market.running.client("sqs").receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [message["Body"] for message in answer.get("Messages", [])]


def _of(material: str, rows: Iterable[_Row]) -> list[_Row]:
    return [row for row in rows if row.material == material]


def test_an_unreadable_record_is_parked_whole_and_holds_up_nobody(market: Market) -> None:
    market.put_order_record("coal", b"\xff not an order")

    bid = market.handled_bid("bob", market.buy("bob", "coal", 1, "1.00"))

    assert bid["status"] == "NEW"
    (parked,) = eventually(lambda: _parked(market), bool)
    assert "coal" in parked


def test_the_whole_stream_replayed_twice_changes_nothing(market: Market) -> None:
    market.sell("ann", "wheat", 5, "3.00")
    for quantity in (2, 4):
        market.handled_bid("bob", market.buy("bob", "wheat", quantity, "3.00"))
    before = market.settled_tables()
    for _ in range(2):
        assert market.replay_orders() >= 3
    # Order is kept per material, so once this bid is handled every replayed record of wheat has been.
    marker = market.handled_bid("bob", market.buy("bob", "wheat", 1, "0.01"))

    after = market.settled_tables()
    unmarked = [bid for bid in after.bids if bid.bid_id != marker["id"]]
    assert _of("wheat", unmarked) == _of("wheat", before.bids)
    assert _of("wheat", after.asks) == _of("wheat", before.asks)
    assert [commit for commit in _of("wheat", after.tape) if commit.fills] == [
        commit for commit in _of("wheat", before.tape) if commit.fills
    ]


def test_kept_state_survives_a_restart_and_orders_trade_across_it(tmp_path: Path) -> None:
    files = LocalEnvironment("local", folder=tmp_path)
    first = Market(up("local", keep_state=True, folder=tmp_path), files)
    try:
        ask_id = first.sell("ann", "wool", 3, "4.00")
        standing_id = first.buy("bob", "wool", 1, "1.00")
        first.handled_bid("bob", standing_id)
    finally:
        down("local", folder=tmp_path)
    second = Market(up("local", keep_state=True, folder=tmp_path), files)
    try:
        assert second.bid("bob", standing_id)["status"] == "NEW"
        bid_id = second.buy("bob", "wool", 3, "4.00")
        assert second.handled_bid("bob", bid_id)["status"] == "FILLED"
        assert second.get("ann", "asks", ask_id).accepted()["status"] == "FILLED"
        second.settled_tables()
    finally:
        down("local", folder=tmp_path)
    assert json.loads(json.dumps(second.running.outputs)) == first.running.outputs
