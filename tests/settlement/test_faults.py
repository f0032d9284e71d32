"""Whatever happens at whichever call: each trade is settled once, nothing is negative, each order is told of once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.settlement.tape_model import HeldOrder, Tape
from tests.settlement.world import World, empty_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item
    from tests.settlement.world import Plan

TROUBLES = ("crash before", "crash after", "lost answer", "throttle", "conflict")


def check(world: World, tape: Tape) -> None:
    """What must be true when everything is settled."""
    assert world.lines() == tape.settled()
    assert all(amount > 0 for amount in world.lines().values())
    assert world.open_orders() == {order.id for order in tape.orders if not order.status}
    check_conservation(world, tape)
    expected = Counter(
        (o.player, o.id, o.status, o.quantity, o.filled, o.value_minor, o.fee_minor) for o in tape.orders if o.status
    )
    names = ("player", "order_id", "status", "quantity", "filled", "value_minor", "fee_minor")
    assert Counter(tuple(item[name] for name in names) for item in world.notifications()) == expected


def check_conservation(world: World, tape: Tape) -> None:
    """At any time: what was held is all there is, and the journal's balanced entries explain where it went."""
    placed, stored = _balances(tape.placed), _balances(world.lines())
    assert _totals(stored) == _totals(placed)
    clearing: Counter[tuple[object, object]] = Counter()
    for entry in world.journal():
        sums: Counter[object] = Counter()
        for posting in cast("list[Item]", entry["postings"]):
            account, asset, amount = posting["account"], posting["asset"], cast("int", posting["amount"])
            sums[asset] += amount
            if account == "clearing":
                clearing[entry["cause"], asset] += amount
            else:
                placed[entry["player"], account, asset] += amount
        assert not any(sums.values()), entry
    assert not any(clearing.values())
    assert {key: amount for key, amount in placed.items() if amount} == dict(stored)


def _balances(lines: Mapping[tuple[str, str, str], int]) -> Counter[tuple[object, object, object]]:
    """(player, book, asset) to amount."""
    found: Counter[tuple[object, object, object]] = Counter()
    for (player, material, amount), value in lines.items():
        book = "held" if amount.startswith("held") else "available"
        found[player, book, "money" if amount.endswith("_minor") else material] += value
    return found


def _totals(balances: Counter[tuple[object, object, object]]) -> Counter[object]:
    totals: Counter[object] = Counter()
    for (_, _, asset), value in balances.items():
        totals[asset] += value
    return totals


def example() -> Tape:
    """Orders of one commit and of several, a cancel, two materials, fees, a player on both sides."""
    tape = Tape()
    bid, small = tape.bid("bob", 9, 100, fee_bps=30), tape.bid("dan", 2, 120, fee_bps=30)
    ask, other = tape.ask("alice", 6, 100, fee_bps=10), tape.ask("bob", 5, 90, fee_bps=10)
    tape.commit((bid, ask, 4), (small, ask, 2))
    wheat = tape.bid("alice", 4, 50, material="wheat"), tape.ask("bob", 4, 40, material="wheat")
    tape.commit((*wheat, 4))
    tape.commit((bid, tape.ask("carol", 3, 95), 3), cancel=(other,))
    tape.commit(cancel=(bid,))
    return tape


def begin(store: DynamoDBClient, tape: Tape, plan: Plan | None = None) -> World:
    """A world of its own, its orders placed and its commits on the tape."""
    world = World(empty_tables(store), plan or {})
    world.place(tape)
    world.write(tape.commits)
    return world


@pytest.fixture(scope="module")
def calls(dynamodb: DynamoDBClient) -> int:
    """How many calls it takes without trouble."""
    tape = example()
    world = begin(dynamodb, tape)
    world.finish(tape.commits)
    check(world, tape)
    return world.client.calls.total()


@pytest.mark.parametrize(
    "troubles", [("crash before",), ("crash after",), ("lost answer", "throttle", "conflict")], ids=" or ".join
)
def test_trouble_at_any_call_changes_nothing_about_the_result(
    dynamodb: DynamoDBClient, troubles: tuple[str, ...], calls: int
) -> None:
    for number in range(calls):
        tape = example()
        world = begin(dynamodb, tape, {number: troubles[number % len(troubles)]})
        world.finish(tape.commits)
        check(world, tape)


@pytest.mark.parametrize("trouble", ["crash before", "crash after"])
def test_a_commit_of_several_slices_goes_on_where_it_stopped(dynamodb: DynamoDBClient, trouble: str) -> None:
    for number in range(7):
        tape = Tape()
        ask = tape.ask("alice", 50, 100, fee_bps=50)
        tape.commit(*((tape.bid(f"buyer-{buyer}", 1, 101), ask, 1) for buyer in range(48)))
        world = begin(dynamodb, tape, {number: trouble})
        world.finish(tape.commits)
        check(world, tape)


@dataclass
class OthersWork:
    """Somebody else, who does all the work while a worker is paused beyond its lease."""

    store: DynamoDBClient
    tape: Tape
    world: World | None = None

    def __call__(self) -> None:
        assert self.world is not None
        other = World(self.store, now_ms=self.world.now_ms + 100_000)
        other.finish(self.tape.commits)
        self.world.now_ms = other.now_ms


def test_a_worker_that_was_paused_at_any_call_writes_nothing_twice(dynamodb: DynamoDBClient, calls: int) -> None:
    for number in range(calls):
        tape = example()
        others_work = OthersWork(dynamodb, tape)
        world = others_work.world = begin(dynamodb, tape, {number: others_work})
        world.finish(tape.commits)
        check(world, tape)


_orders = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["ann", "bob", "cem"]),
        st.integers(1, 6),
        st.integers(95, 105),
        st.sampled_from([0, 20, 777]),
        st.sampled_from(["copper", "wheat"]),
    ),
    min_size=2,
    max_size=9,
)
_turns = st.lists(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 6)), min_size=1, max_size=4), max_size=6
)


def random_tape(orders: list[Any], turns: list[list[tuple[int, int, int]]]) -> Tape:
    """Each turn is a commit of whatever of its draws is possible: a trade, or else a cancel or a reduction."""
    tape = Tape()
    for side, player, quantity, price_minor, fee_bps, material in orders:
        place = tape.bid if side == "BUY" else tape.ask
        place(player, quantity, price_minor, fee_bps=fee_bps, material=material)
    for turn in turns:
        plan: dict[str, tuple[list[Any], list[HeldOrder], list[tuple[HeldOrder, int]]]] = {}
        left = {order.id: order.open for order in tape.orders}
        for first, second, units in turn:
            one, two = (tape.orders[index % len(tape.orders)] for index in (first, second))
            if not left[one.id] or one.status:
                continue
            trades, cancels, reductions = plan.setdefault(one.material, ([], [], []))
            bid, ask = (one, two) if one.side == "BUY" else (two, one)
            crossing = (bid.side, ask.side) == ("BUY", "SELL") and bid.price_minor >= ask.price_minor
            if crossing and one.material == two.material and left[two.id] and one.player != two.player:
                traded = min(units, left[one.id], left[two.id])
                trades.append((bid, ask, traded))
                left[one.id] -= traded
                left[two.id] -= traded
            elif left[one.id] > units:
                reductions.append((one, units))
                left[one.id] -= units
            else:
                cancels.append(one)
                left[one.id] = 0
        for trades, cancels, reductions in plan.values():
            if trades or cancels or reductions:
                tape.commit(*trades, cancel=tuple(cancels), reduce=tuple(reductions))
    return tape


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orders=_orders,
    turns=_turns,
    plan=st.dictionaries(st.integers(0, 60), st.sampled_from(TROUBLES), max_size=6),
    delivered=st.lists(st.integers(0, 11), max_size=12),
)
def test_random_commits_in_any_order_and_number_with_any_trouble(
    dynamodb: DynamoDBClient,
    orders: list[Any],
    turns: list[list[tuple[int, int, int]]],
    plan: dict[int, str],
    delivered: list[int],
) -> None:
    tape = random_tape(orders, turns)
    world = begin(dynamodb, tape, plan)
    for number in delivered:
        if tape.commits:
            world.finish([tape.commits[number % len(tape.commits)]])
            check_conservation(world, tape)
    world.finish(tape.commits)
    check(world, tape)
