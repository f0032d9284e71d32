"""What settling does, as a player and an operator see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from market.tape import TapeCommit
from patterns.processor import Status
from tests.settlement.tape_model import HOUSE, START_MS, Tape
from tests.settlement.world import LEASE_MS, World

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def told(world: World) -> dict[str, tuple[object, ...]]:
    """Player to what the one notification says."""
    found = {str(item["player"]): item for item in world.notifications()}
    assert len(found) == len(world.notifications())
    names = ("status", "reason", "quantity", "filled", "value_minor", "fee_minor", "completed_at_ms")
    return {player: tuple(item.get(name) for name in names) for player, item in found.items()}


def test_a_trade_moves_goods_money_fees_and_what_the_bid_held_too_much(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    bid = tape.bid("bob", 3, 1200, fee_bps=50)  # holds 3600 and a fee of 18
    ask = tape.ask("alice", 3, 1000, fee_bps=20)
    tape.commit((bid, ask, 3))
    world.place(tape)
    world.write(tape.commits)
    world.finish(tape.commits)
    assert world.lines() == {
        ("bob", "copper", "available"): 3,
        ("bob", "copper", "proceeds_minor"): 3618 - 3015,
        ("alice", "copper", "proceeds_minor"): 3000 - 6,
        (HOUSE, "copper", "proceeds_minor"): 15 + 6,
    }
    assert world.open_orders() == set()
    assert told(world) == {
        "bob": ("FILLED", None, 3, 3, 3000, 15, START_MS),
        "alice": ("FILLED", None, 3, 3, 3000, 6, START_MS),
    }


def test_an_order_of_several_commits_is_told_of_once_when_the_last_is_settled(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    bid = tape.bid("bob", 9, 100)
    first, second = tape.ask("alice", 4, 100), tape.ask("carol", 3, 90)
    tape.commit((bid, first, 4))
    tape.commit((bid, second, 3))
    tape.commit(cancel=(bid,))
    world.place(tape)
    world.write(tape.commits)
    world.finish([tape.commits[2]])  # the last word comes first
    world.finish([tape.commits[0]])
    assert told(world).keys() == {"alice"}
    world.finish(tape.commits)
    assert told(world)["bob"] == ("CANCELED", "requested", 9, 7, 670, 0, START_MS + 2)
    assert world.lines()["bob", "copper", "proceeds_minor"] == 900 - 670
    world.finish(tape.commits)
    assert len(world.notifications()) == 3


def test_an_order_made_smaller_is_complete_at_its_smaller_quantity(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    bid, ask = tape.bid("bob", 9, 100), tape.ask("alice", 6, 100)
    tape.commit((bid, ask, 2))
    tape.commit(reduce=((bid, 3),))
    tape.commit((bid, ask, 4))
    world.place(tape)
    world.write(tape.commits)
    world.finish(tape.commits)
    assert told(world)["bob"] == ("FILLED", None, 6, 6, 600, 0, START_MS + 2)
    assert world.lines() == tape.settled()


def test_a_commit_with_more_accounts_than_a_transaction_is_settled_in_slices(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    ask = tape.ask("alice", 70, 100, fee_bps=100)
    bids = [tape.bid(f"buyer-{number}", 1, 100 + number, fee_bps=100) for number in range(70)]
    tape.commit(*((bid, ask, 1) for bid in bids))
    world.place(tape)
    world.write(tape.commits)
    world.finish(tape.commits)
    assert world.lines() == tape.settled()
    causes = {str(entry["cause"]) for entry in world.journal()}
    assert causes == {"settlement#copper-1#0", "settlement#copper-1#1"}
    assert len(world.notifications()) == 71


def test_a_commit_forgotten_by_the_processor_is_not_settled_again(store: DynamoDBClient) -> None:
    """Finished settlements are kept for weeks. After that only the journal knows."""
    world, tape = World(store), Tape()
    ask = tape.ask("alice", 70, 100)
    tape.commit(*((tape.bid(f"buyer-{number}", 1, 100), ask, 1) for number in range(69)))
    world.place(tape)
    world.write(tape.commits)
    world.finish(tape.commits)
    before = (world.lines(), world.journal(), world.notifications())
    store.delete_item(TableName="settlements", Key={"transaction_id": {"S": "copper-1"}})
    world.now_ms += 40 * 24 * 3600 * 1000
    world.finish(tape.commits)
    assert world.status("copper-1") is Status.COMPLETED
    assert (world.lines(), world.journal(), world.notifications()) == before


def test_settling_reads_the_commit_and_nothing_else(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    tape.commit((tape.bid("bob", 3, 100), tape.ask("alice", 3, 100), 3))
    world.place(tape)
    world.write(tape.commits)
    world.submit(tape.commits)
    world.work()
    assert world.client.calls == {"put_item": 1, "update_item": 1, "get_item": 1, "transact_write_items": 1}


def test_what_would_go_below_zero_is_parked_whole_and_settled_once_when_it_is_mended(store: DynamoDBClient) -> None:
    world, tape = World(store), Tape()
    tape.commit((tape.bid("bob", 3, 100), tape.ask("alice", 3, 100), 3))
    world.place(tape)
    world.write(tape.commits)
    line = {"player": {"S": "alice"}, "line": {"S": "material#copper"}}

    def set_held(units: int) -> None:
        values = {":units": {"N": str(units)}}
        store.update_item(
            TableName="accounts", Key=line, UpdateExpression="SET held = :units", ExpressionAttributeValues=values
        )

    set_held(2)
    before = world.lines()
    world.submit(tape.commits)
    world.work()
    for _ in range(6):
        world.sweep(LEASE_MS)
    assert world.status("copper-1") is Status.PARKED
    assert [parked.transaction_id for parked in world.settlements.parked()] == ["copper-1"]
    assert world.lines() == before
    assert world.journal() == world.notifications() == []
    set_held(3)
    world.settlements.redrive("copper-1")
    world.finish(tape.commits)
    assert world.lines() == tape.settled()


@pytest.mark.parametrize("fills", ["missing", "unbalanced"])
def test_a_commit_that_cannot_be_settled_is_parked_with_its_reason(store: DynamoDBClient, fills: str) -> None:
    world, tape = World(store), Tape()
    commit = tape.commit((tape.bid("bob", 3, 100), tape.ask("alice", 3, 100), 3))
    world.place(tape)
    if fills == "unbalanced":
        wrong = TapeCommit("copper", 1, START_MS, START_MS, commit.fills, commit.orders[:1])
        world.write([wrong])
    before = world.lines()
    world.submit([commit])
    world.work()
    for _ in range(6):
        world.sweep(LEASE_MS)
    assert world.status("copper-1") is Status.PARKED
    reason = "the tape of copper has no commit 1" if fills == "missing" else "released nothing"
    assert reason in world.settlements.get("copper-1").error
    assert world.lines() == before


def test_a_commit_that_is_not_submitted_is_handed_back_and_the_others_are_not(store: DynamoDBClient) -> None:
    world, tape = World(store, plan={0: "throttle", 1: "throttle", 2: "throttle", 3: "throttle", 4: "throttle"}), Tape()
    for _ in range(2):
        tape.commit((tape.bid("bob", 3, 100), tape.ask("alice", 3, 100), 3))
    assert world.submit(tape.commits) == ["copper-1"]
    assert world.status("copper-2") is Status.RUNNING
    assert world.submit(tape.commits) == []
