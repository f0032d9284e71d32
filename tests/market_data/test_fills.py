"""A player's own trades: all of them and nobody else's, newest first, page after page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.market_data import fill_store
from market.side import Side
from patterns.dynamodb.page_token import encode_page_token
from tests.market_data.reference import START_MS, money, traded
from tests.market_data.world import World

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit


def own_fills(commits: list[TapeCommit], player: str) -> list[str]:
    """Ids of a player's trades, newest first, straight from the tape."""
    newest_first = sorted(commits, key=lambda c: (c.committed_at_ms, f"{c.material}-{c.sequence}#"), reverse=True)
    return [
        f"{commit.material}-{commit.sequence}-{fill.n}"
        for commit in newest_first
        for fill in reversed(commit.fills)
        if player in (fill.buyer, fill.seller)
    ]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(
        st.tuples(st.sampled_from(["copper", "wheat"]), st.integers(0, 3), st.integers(0, 7)), min_size=1, max_size=8
    ),
    noise=st.lists(st.tuples(st.sampled_from(["order", "deposit"]), st.integers(0, 3)), max_size=6),
    limits=st.lists(st.integers(1, 5), min_size=1, max_size=3),
)
def test_the_pages_together_are_the_players_trades(
    dynamodb: DynamoDBClient,
    commits: list[tuple[str, int, int]],
    noise: list[tuple[str, int]],
    limits: list[int],
) -> None:
    """Commits of one millisecond, settled in several slices, between entries of other causes; a page of any size."""
    world = World(dynamodb)
    tape = [
        traded(sequence, START_MS + at_ms, *[(100 + n, n + 1) for n in range(fills)], material=material)
        for sequence, (material, at_ms, fills) in enumerate(commits, 1)
    ]
    world.write(*tape)
    for commit in tape:
        world.settle(commit)
    for number, (kind, at_ms) in enumerate(noise):
        world.note("bob", f"{kind}#{number}", START_MS + at_ms)
    pages = list(world.pages("/fills", "fills", limits, player="bob"))
    assert [fill["id"] for page in pages for fill in page] == own_fills(tape, "bob")
    assert all(len(page) == limits[number % len(limits)] for number, page in enumerate(pages[:-1]))


def test_pages_stay_valid_while_trading_goes_on(dynamodb: DynamoDBClient) -> None:
    """Between pages the player trades on, and a slice of an older commit is settled late: nothing doubles or moves."""
    world = World(dynamodb)
    tape = [traded(n, START_MS + n, *[(100, 1)] * 6) for n in range(1, 5)]
    world.write(*tape)
    for commit in tape:
        world.settle(commit, 0, 1)
    seen: list[str] = []
    for number, page in enumerate(world.pages("/fills", "fills", [2], player="bob")):
        seen += [fill["id"] for fill in page]
        later = traded(10 + number, START_MS + 100 + number, (100, 1), (100, 1))
        world.write(later)
        world.settle(later)
        if number < 4:
            world.settle(tape[number], *range(2, 6))
    assert seen == own_fills(tape, "bob")


def test_both_players_see_their_side_of_a_trade(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    commit = traded(1, START_MS, (1250, 4), players=("alice", "bob"))
    world.write(commit)
    world.settle(commit)
    (fill,) = commit.fills
    shown: dict[str, Any] = {
        "id": "copper-1-1",
        "material": "copper",
        "price": "12.50",
        "quantity": 4,
        "value": "50.00",
        "at": "2026-11-21T08:00:00.000Z",
    }
    buyers = {"order_id": fill.bid_id, "side": Side.BUY, "role": "taker", "fee": money(fill.buyer_fee_minor)}
    sellers = {"order_id": fill.ask_id, "side": Side.SELL, "role": "maker", "fee": money(fill.seller_fee_minor)}
    assert world.get("/fills", fill.buyer)[1] == {"fills": [shown | buyers], "next": None}
    assert world.get("/fills", fill.seller)[1] == {"fills": [shown | sellers], "next": None}
    assert world.get("/fills", "somebody")[1] == {"fills": [], "next": None}


def test_trades_are_found_behind_many_entries_without_any(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page reads a bounded number of entries; when none of them traded it is empty, but the next one goes on."""
    monkeypatch.setattr(fill_store, "_READS", 2)
    world = World(dynamodb)
    commit = traded(1, START_MS, (100, 1), players=("bob", "alice"))
    world.write(commit)
    world.settle(commit)
    for number in range(9):
        world.note("bob", f"order#{number}", START_MS + 1 + number)
    pages = list(world.pages("/fills", "fills", [1], player="bob"))
    assert [[fill["id"] for fill in page] for page in pages] == [[], [], ["copper-1-1"]]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", ""])
def test_a_page_size_out_of_range_is_refused(dynamodb: DynamoDBClient, limit: str) -> None:
    status, body = World(dynamodb).get("/fills", limit=limit)
    assert (status, body["error"]["field"], body["error"]["rule"]) == (400, "limit", "page_size")


def test_a_token_of_another_player_or_around_no_position_is_refused(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    commit = traded(1, START_MS, (100, 1), (100, 1), players=("bob", "alice"))
    world.write(commit)
    world.settle(commit)
    token = world.get("/fills", "bob", limit="1")[1]["next"]
    assert world.get("/fills", "bob", next=token)[0] == 200
    texts = ("", "1", "1795248000000#settlement#copper-1#~", "1795248000000#x@-1", "1795248000000#x@01", "#x@1")
    for player, bad in [("alice", token), *(("bob", encode_page_token(text, ("fills", "bob"))) for text in texts)]:
        status, body = world.get("/fills", player, next=bad)
        assert (status, body["error"]["rule"]) == (400, "page_token")
