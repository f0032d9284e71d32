"""What the matcher failed to publish, the tape's second reader tells: every trade, fill and closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.market_data.collecting import collect_batch
from functions.market_data.telling import tell_commits
from market.feed.channels import market_channel, player_channel
from market.feed.view import Change, MarketView, OwnView
from tests.feed.listening import Listener, feed_of
from tests.market_data.world import World, stream_record
from tests.matching.market_on_moto import MarketOnMoto, create_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit


@pytest.fixture
def tape(dynamodb: DynamoDBClient) -> Sequence[TapeCommit]:
    """Of each of two materials: two commits that traded and one that did not."""
    for table in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=table)
    create_tables(dynamodb)
    market = MarketOnMoto(dynamodb)
    for material in ("copper", "wood"):
        market.store_ask(100, 5, material)
        for quantity in (2, 1):
            market.store_bid(100, quantity, material)
            market.deliver(market.records[-1:])
        market.store_bid(90, 1, material, time_in_force="IOC")
        market.deliver(market.records[-1:])
    return market.tables().tape


def test_every_commit_is_told_to_everybody_and_to_its_players(
    dynamodb: DynamoDBClient, tape: Sequence[TapeCommit]
) -> None:
    world, listener = World(dynamodb), Listener()
    records = [stream_record(commit) for commit in tape]
    torn = stream_record(tape[0])
    torn["dynamodb"]["NewImage"]["fills"]["B"] = "AA=="
    torn["dynamodb"]["SequenceNumber"] = "torn"
    report = collect_batch([torn, *records], world.minutes, tell_commits(feed_of(listener, world.clock), 2))
    assert list(report.errors) == ["torn"]
    for material in ("copper", "wood"):
        view = MarketView(material)
        view.load({"sequence": 0, "asks": [], "bids": []})
        (message,) = listener.on(str(market_channel(material)))
        assert view.apply(message) is Change.GAP
        assert message["sequence"] == 3
        assert [(trade["sequence"], trade["quantity"]) for trade in reversed(view.trades)] == [(1, 2), (2, 1)]
    for player in ("buyer-1", "seller-1"):
        view = OwnView()
        assert [view.apply(message) for message in listener.on(str(player_channel(player)))] == [Change.APPLIED] * 2
        assert len(view.fills) == 4
        assert [message["sequence"] for message in listener.on(str(player_channel(player)))] == [3, 3]
    closed = {order["status"] for message in listener.on(str(player_channel("buyer-1"))) for order in message["orders"]}
    assert closed == {"FILLED", "CANCELED"}


def test_candles_that_cannot_be_written_hold_up_nobody_who_listens(
    dynamodb: DynamoDBClient, tape: Sequence[TapeCommit]
) -> None:
    world, listener = World(dynamodb, dict.fromkeys(range(100), "throttle"), tape[-1].committed_at_ms), Listener()
    records = [stream_record(commit) for commit in tape]
    report = collect_batch(records, world.minutes, tell_commits(feed_of(listener, world.clock), 2))
    assert len(report.errors) == 4, "the commits that traded come again"
    for material in ("copper", "wood"):
        assert [message["sequence"] for message in listener.on(str(market_channel(material)))] == [3]
