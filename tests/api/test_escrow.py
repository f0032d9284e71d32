"""Whoever places an order has what it needs, and it is held from the moment the order is stored."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.accounts.bookkeeping import MaterialLine
from patterns.dynamodb.client import LEAN_CONFIG
from tests.api.faults import losing_answers
from tests.api.front_door import FrontDoor, opened
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from types_boto3_dynamodb import DynamoDBClient

    from tests.api.front_door import Reply

ASK: dict[str, object] = {"material": "copper", "quantity": 3, "price": "12.50"}
BID = ASK
HOLD = 3757  # 37.50 and 0.2 % of it, rounded down, minor units
SHORT = ("money", "50.10", "37.57", "12.53")
SIDES = pytest.mark.parametrize("side", ["asks", "bids"])


@pytest.fixture
def poor() -> Generator[FrontDoor]:
    """Return the front door of a market where alice has just enough for one order of each side."""
    with opened(rich=()) as front_door:
        front_door.fund("alice", HOLD, copper=3)
        yield front_door


def line(market: FrontDoor, material: str = "copper", player: str = "alice") -> MaterialLine:
    """Return a player's line of a material."""
    return market.ledger.account(player).lines.get(material, MaterialLine())


def owned(market: FrontDoor, player: str = "alice") -> tuple[int, int]:
    """Return all money and copper of a player, available and held."""
    account = market.ledger.account(player)
    copper = line(market, player=player)
    return account.available_minor + account.held_minor, copper.available + copper.held


def check_books(market: FrontDoor) -> None:
    """What is held is what the stored orders hold, open sets name them, and the journal adds up to the lines."""
    stored = market.stored()
    orders = {
        side: [item for item in stored[table] if "hold" in item]
        for side, table in (("asks", "sell-orders"), ("bids", "bids"))
    }
    account = market.ledger.account("alice")
    copper = line(market)
    assert copper.held == sum(cast("int", ask["hold"]) for ask in orders["asks"])
    assert account.held_minor == sum(cast("int", bid["hold"]) for bid in orders["bids"])
    assert set(copper.open_asks) == {str(ask["ask_id"]) for ask in orders["asks"]}
    assert set(copper.open_bids) == {str(bid["bid_id"]) for bid in orders["bids"]}
    entries, more = market.ledger.newest_entries("alice", None, 100)
    assert not more
    sums: Counter[tuple[str, str]] = Counter()
    for posting in (posting for entry in entries for posting in entry.postings):
        sums[posting.account, posting.asset] += posting.amount
    assert sums["available", "money"] == account.available_minor
    assert sums["held", "money"] == account.held_minor
    assert sums["available", "copper"] == copper.available
    assert sums["held", "copper"] == copper.held


def test_an_ask_holds_its_goods_and_a_bid_its_money_with_the_fee(poor: FrontDoor) -> None:
    ask = poor.send("POST", "/asks", ASK).body["id"]
    bid = poor.send("POST", "/bids", BID).body["id"]
    assert poor.ledger.account("alice").available_minor == 0
    assert line(poor) == MaterialLine(held=3, held_minor=HOLD, open_asks=(ask,), open_bids=(bid,))
    entries, _ = poor.ledger.newest_entries("alice", None, 10)
    assert sorted(entry.cause for entry in entries)[-2:] == [f"order#{ask}", f"order#{bid}"]
    check_books(poor)


@pytest.mark.parametrize(
    ("side", "body", "code", "amounts"),
    [
        ("asks", ASK | {"quantity": 4}, "insufficient_goods", ("copper", 4, 3, 1)),
        ("asks", ASK | {"material": "wheat"}, "insufficient_goods", ("wheat", 3, 0, 3)),
        ("asks", ASK | {"quantity": 4, "post_only": True}, "insufficient_goods", ("copper", 4, 3, 1)),
        ("bids", BID | {"price": "12.55"}, "insufficient_funds", ("money", "37.72", "37.57", "0.15")),
        (
            "bids",
            BID | {"client_order_id": "a", "quantity": 4},
            "insufficient_funds",
            ("money", "50.10", "37.57", "12.53"),
        ),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_changed(
    poor: FrontDoor, side: str, body: dict[str, object], code: str, amounts: tuple[object, ...]
) -> None:
    before = poor.ledger.account("alice")
    reply = poor.send("POST", f"/{side}", body)
    assert (reply.status, reply.error) == (409, (code, "quantity", "available"))
    told = reply.body["error"]
    assert tuple(told[name] for name in ("asset", "needed", "available", "missing")) == amounts
    assert not any(poor.stored().values())
    assert poor.ledger.account("alice") == before


def test_a_market_bid_holds_all_the_money_there_is_and_without_any_is_refused(poor: FrontDoor) -> None:
    body = {"material": "copper", "quantity": 1_000_000, "type": "market"}
    assert poor.send("POST", "/bids", body).status == 202
    assert line(poor).held_minor == HOLD
    reply = poor.send("POST", "/bids", body)
    assert (reply.status, reply.error) == (409, ("insufficient_funds", "quantity", "available"))
    assert (reply.body["error"]["needed"], reply.body["error"]["available"]) == ("0.05", "0.00")
    check_books(poor)


def test_a_market_bid_holds_no_more_than_it_can_ever_spend(market: FrontDoor) -> None:
    market.send("POST", "/bids", {"material": "copper", "quantity": 2, "type": "market"})
    assert line(market).held_minor == 2 * 999_999_999_999 * 1002 // 1000


def test_money_earned_in_any_material_pays_a_bid(poor: FrontDoor) -> None:
    """Only as much as the wallet lacks is taken from the lines, the bid's own line first."""
    for material, proceeds in (("wheat", 50), ("copper", 30)):
        poor.client.update_item(
            TableName="accounts",
            Key={"player": {"S": "alice"}, "line": {"S": f"material#{material}"}},
            UpdateExpression="ADD proceeds_minor :proceeds",
            ExpressionAttributeValues={":proceeds": {"N": str(proceeds)}},
        )
    reply = poor.send("POST", "/bids", {"material": "copper", "quantity": 1, "price": "38.00"})
    assert reply.status == 202
    assert poor.ledger.account("alice").wallet_minor == 0
    assert (line(poor).proceeds_minor, line(poor, "wheat").proceeds_minor) == (0, 50 - (3807 - HOLD - 30))
    assert line(poor).held_minor == 3807


@SIDES
def test_only_so_many_orders_may_be_open(side: str) -> None:
    with opened(MAX_OPEN_ORDERS="2") as market:
        placed = [market.send("POST", f"/{side}", ASK).body["id"] for _ in range(2)]
        reply = market.send("POST", f"/{side}", ASK)
        assert (reply.status, reply.error) == (409, ("too_many_open_orders", "material", "open_orders"))
        assert line(market) == (
            MaterialLine(available=10**24 - 6, held=6, open_asks=tuple(placed))
            if side == "asks"
            else MaterialLine(available=10**24, held_minor=2 * HOLD, open_bids=tuple(placed))
        )
        # The limit is one of the side in the material, and of the player.
        other = "bids" if side == "asks" else "asks"
        for path, body, player in (
            (other, ASK, "alice"),
            (side, ASK | {"material": "wheat"}, "alice"),
            (side, ASK, "bob"),
        ):
            assert market.send("POST", f"/{path}", body, player=player).status in (201, 202)


@SIDES
def test_a_request_that_comes_again_when_nothing_is_left_returns_its_order(poor: FrontDoor, side: str) -> None:
    """All answers of the first were lost, and what the second needs is held by the first."""
    request = ASK | {"client_order_id": "a"}
    attempts = cast("Any", LEAN_CONFIG).retries["total_max_attempts"]
    with losing_answers(poor.client, "TransactWriteItems", times=attempts):
        assert poor.send("POST", f"/{side}", request).status == 503
    again = poor.send("POST", f"/{side}", request)
    assert (again.status, again.body["quantity"]) == (200, 3)
    other = poor.send("POST", f"/{side}", request | {"quantity": 1})
    assert (other.status, other.error) == (409, ("conflict", "client_order_id", "unrepeated_id"))
    check_books(poor)
    assert owned(poor) == (HOLD, 3)


@dataclass
class TwoDevices:
    """A player at two devices: requests of the second come in the middle of one of the first."""

    market: FrontDoor

    def during(self, call: int, second: Callable[[], object], request: Callable[[FrontDoor], Reply]) -> Reply:
        """Send a request from the first device; the second does its thing before the first's call of this number."""
        faulty = FaultyClient(self.market.client, {call: second})
        return request(FrontDoor(clock=self.market.clock, client=cast("DynamoDBClient", faulty)))


@contextmanager
def two_devices(money: int, copper: int) -> Generator[TwoDevices]:
    """Return a market with a player at two devices."""
    with opened(rich=()) as market:
        market.fund("alice", money, copper=copper)
        yield TwoDevices(market)


@settings(max_examples=60)
@given(
    side=st.sampled_from(["asks", "bids"]),
    owns=st.tuples(st.integers(1, 12_000), st.integers(1, 9)),
    quantities=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    call=st.integers(0, 3),
    kind=st.sampled_from([{"price": "12.50"}, {"type": "market"}, {"price": "12.50", "time_in_force": "IOC"}]),
)
def test_two_devices_at_once_never_overdraw(
    side: str, kind: dict[str, str], owns: tuple[int, int], quantities: tuple[int, int], call: int
) -> None:
    money, copper = owns
    with two_devices(money, copper) as devices:
        replies: list[Reply] = []
        asked: list[int] = []

        def place(market: FrontDoor, quantity: int) -> Reply:
            asked.append(quantity)
            reply = market.send("POST", f"/{side}", {"material": "copper", "quantity": quantity} | kind)
            replies.append(reply)
            return reply

        devices.during(call, lambda: place(devices.market, quantities[0]), lambda market: place(market, quantities[1]))
        assert all(reply.status in (201, 202, 409) for reply in replies)
        if not any(reply.status != 409 for reply in replies):
            assert all(need(side, kind, quantity) > (copper if side == "asks" else money) for quantity in asked)
        check_books(devices.market)
        assert owned(devices.market) == (money, copper)


def need(side: str, kind: dict[str, str], quantity: int) -> int:
    """Return the units or minor units without which an order is refused."""
    if side == "asks":
        return quantity
    return 1250 * quantity * 1002 // 1000 if "price" in kind else 5


def test_a_bid_whose_money_has_moved_meanwhile_reads_the_account_again() -> None:
    """Another bid takes the wallet's money, and as much is earned on a line: nothing is missing in all."""
    with two_devices(HOLD, 0) as devices:

        def move() -> None:
            devices.market.send("POST", "/bids", BID)
            devices.market.client.update_item(
                TableName="accounts",
                Key={"player": {"S": "alice"}, "line": {"S": "material#wheat"}},
                UpdateExpression="ADD proceeds_minor :proceeds",
                ExpressionAttributeValues={":proceeds": {"N": str(HOLD)}},
            )

        reply = devices.during(1, move, lambda market: market.send("POST", "/bids", BID))
        assert reply.status == 202
        assert line(devices.market).held_minor == 2 * HOLD
        assert devices.market.ledger.account("alice").available_minor == 0


TROUBLES = ["crash before", "crash after", "lost answer", "throttle", "conflict"]


@SIDES
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", range(2))
@pytest.mark.parametrize("kind", [{"price": "12.50"}, {"type": "market"}, {"price": "12.50", "post_only": True}])
def test_trouble_at_any_call_and_the_request_again_is_one_order(
    poor: FrontDoor, side: str, trouble: str, call: int, kind: dict[str, object]
) -> None:
    request = {"material": "copper", "quantity": 3, "client_order_id": "a"} | kind
    faulty = cast("DynamoDBClient", FaultyClient(poor.client, {call: trouble}))
    device = FrontDoor(clock=poor.clock, client=faulty)
    try:
        first = device.send("POST", f"/{side}", request)
    except Crash:
        first = None
    assert first is None or first.status in (201, 202, 503)
    check_books(poor)
    assert poor.send("POST", f"/{side}", request).status in (200, 201, 202)
    check_books(poor)
    assert owned(poor) == (HOLD, 3)
    records = [item for item in poor.stored()["sell-orders" if side == "asks" else "bids"] if "hold" in item]
    assert len(records) == 1


@SIDES
@pytest.mark.parametrize("client_order_id", [{}, {"client_order_id": "a"}])
@pytest.mark.parametrize("kind", [{"price": "12.50"}, {"type": "market"}, {"price": "12.50", "time_in_force": "FOK"}])
def test_placing_is_one_transaction_and_at_most_one_read(
    poor: FrontDoor, side: str, client_order_id: dict[str, str], kind: dict[str, str]
) -> None:
    counting = FaultyClient(poor.client)
    device = FrontDoor(clock=poor.clock, client=cast("DynamoDBClient", counting))
    counting.calls.clear()
    assert device.send("POST", f"/{side}", {"material": "copper", "quantity": 3} | client_order_id | kind).status < 300
    assert counting.calls == {"transact_write_items": 1} | ({"query": 1} if side == "bids" else {})
