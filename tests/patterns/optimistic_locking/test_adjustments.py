"""Increments within limits: they add up in any order, nothing goes below its floor, and nothing is counted twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import (
    Adjustment,
    AdjustmentRefusedError,
    Backoff,
    ConflictError,
    InvalidAdjustmentError,
    InvalidItemError,
    TransactionConflictError,
    Versioned,
    VersionedTable,
)
from tests.faults import Crash, FaultyClient
from tests.patterns.optimistic_locking.accounts import ANN, BOB, accounts
from tests.patterns.stores import Store

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.items import Item

FIRST, SECOND, THIRD = bytes(16), bytes(15) + b"\1", bytes(15) + b"\2"


def test_the_first_adjustment_makes_the_item_and_each_raises_the_version(store: Store) -> None:
    table = accounts(store)
    table.adjust(ANN, Adjustment(add={"gold": 7}, include={"quests": [FIRST]}))
    assert table.get(ANN) == Versioned(ANN | {"gold": 7, "quests": frozenset({FIRST})}, 1)
    table.adjust(ANN, Adjustment(add={"gold": -7, "silver": 2}, include={"quests": [SECOND], "titles": ["duke"]}))
    table.adjust(ANN, Adjustment(exclude={"quests": [FIRST, THIRD], "titles": ["duke"], "friends": ["bob"]}))
    assert table.get(ANN) == Versioned(ANN | {"gold": 0, "silver": 2, "quests": frozenset({SECOND})}, 3)


REFUSED: dict[str, tuple[Item, Adjustment]] = {
    "more than there is": ({"gold": 5}, Adjustment(add={"gold": -6})),
    "of what is missing": ({"silver": 1}, Adjustment(add={"gold": -1})),
    "below a floor of one's own": ({"gold": 5}, Adjustment(add={"gold": -1}, lowest={"gold": 5})),
    "below a floor under zero": ({"gold": -1}, Adjustment(add={"gold": -2}, lowest={"gold": -2})),
    "of what is missing, below a floor under zero": ({}, Adjustment(add={"gold": -3}, lowest={"gold": -2})),
    "one of two": ({"gold": 5, "silver": 5}, Adjustment(add={"silver": -1, "gold": -6})),
    "into a full set": ({"quests": frozenset({FIRST})}, Adjustment(include={"quests": [SECOND]}, most={"quests": 1})),
}


@pytest.mark.parametrize(("stored", "adjustment"), REFUSED.values(), ids=REFUSED)
def test_a_refused_adjustment_changes_nothing_and_brings_the_item(
    store: Store, stored: Item, adjustment: Adjustment
) -> None:
    table = accounts(store)
    before = table.create(ANN | stored)
    with pytest.raises(AdjustmentRefusedError) as refused:
        table.adjust(ANN, adjustment)
    assert refused.value.current == before == table.get(ANN)


def test_nothing_is_taken_from_an_item_that_does_not_exist(store: Store) -> None:
    table = accounts(store)
    with pytest.raises(AdjustmentRefusedError, match="no item") as refused:
        table.adjust(ANN, Adjustment(add={"gold": -1}))
    assert refused.value.current is None is table.get(ANN)


ALLOWED: dict[str, tuple[Item, Adjustment, Item]] = {
    "all there is": ({"gold": 5}, Adjustment(add={"gold": -5}), {"gold": 0}),
    "down to a floor": ({"gold": 5}, Adjustment(add={"gold": -1}, lowest={"gold": 4}), {"gold": 4}),
    "debts, of what is missing": ({}, Adjustment(add={"gold": -2}, lowest={"gold": -2}), {"gold": -2}),
    "more to what is below its floor": ({"gold": -5}, Adjustment(add={"gold": 1}), {"gold": -4}),
    "up to a set's size": (
        {"quests": frozenset({FIRST})},
        Adjustment(include={"quests": [SECOND, SECOND]}, most={"quests": 2}),
        {"quests": frozenset({FIRST, SECOND})},
    ),
    "nothing, beside something": (
        {"gold": 1},
        Adjustment(add={"gold": 1, "silver": 0}, include={"quests": []}),
        {"gold": 2},
    ),
}


@pytest.mark.parametrize(("stored", "adjustment", "expected"), ALLOWED.values(), ids=ALLOWED)
def test_limits_are_limits_and_not_more(store: Store, stored: Item, adjustment: Adjustment, expected: Item) -> None:
    table = accounts(store)
    table.create(ANN | stored)
    table.adjust(ANN, adjustment)
    assert table.get(ANN) == Versioned(ANN | expected, 2)


def test_two_adjustments_never_conflict_by_version_but_whoever_replaces_notices_them(store: Store) -> None:
    table = accounts(store)
    read = table.create(ANN | {"gold": 5})
    actions = [table.adjust_action(ANN, Adjustment(add={"gold": -2})) for _ in range(2)]  # both made before either
    conflicts: list[ConflictError] = []
    for action in actions:
        accounts(store, store.client, table_name=table.table_name, on_conflict=conflicts.append).transact([action])
    assert table.get(ANN) == Versioned(ANN | {"gold": 1}, 3)
    assert conflicts == []
    with pytest.raises(ConflictError):
        table.replace(ANN | {"gold": 100}, read.version)


def test_a_transaction_moves_between_items_or_not_at_all(store: Store) -> None:
    conflicts: list[ConflictError] = []
    table = accounts(store, on_conflict=conflicts.append)
    table.create(ANN | {"gold": 5})

    def move(amount: int) -> None:
        take, give = Adjustment(add={"gold": -amount}), Adjustment(add={"gold": amount})
        table.transact([table.adjust_action(BOB, give), table.adjust_action(ANN, take)])

    move(4)
    with pytest.raises(TransactionConflictError) as refused:
        move(4)
    assert (refused.value.failed, refused.value.current) == ((1,), {1: Versioned(ANN | {"gold": 1}, 2)})
    assert table.get(BOB) == Versioned(BOB | {"gold": 4}, 1)
    assert conflicts == []  # nobody was faster: there was not enough


@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "throttle", "conflict"])
def test_an_adjustment_takes_place_once_whatever_happens_to_its_answer(store: Store, trouble: str) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 5})
    troubled: VersionedTable = accounts(store, FaultyClient(store.client, {0: trouble}), table_name=table.table_name)
    if trouble.startswith("crash"):
        with pytest.raises(Crash):
            troubled.adjust(ANN, Adjustment(add={"gold": 1}))
    else:
        troubled.adjust(ANN, Adjustment(add={"gold": 1}))
    stored = table.get(ANN)
    assert stored is not None
    assert stored.item["gold"] == (5 if trouble == "crash before" else 6)


def test_every_attempt_goes_under_one_token_so_that_rivals_in_between_do_no_harm(store: Store) -> None:
    table = accounts(store)
    tokens: list[str] = []

    class Recording:
        def transact_write_items(self, **arguments: Any) -> Any:
            tokens.append(arguments["ClientRequestToken"])
            return faulty.transact_write_items(**arguments)

    faulty = FaultyClient(store.client, {0: "conflict", 1: "throttle"})
    accounts(store, Recording(), table_name=table.table_name).adjust(ANN, Adjustment(add={"gold": 1}))
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_many_at_once_take_exactly_what_there_is(emulator_dynamodb: DynamoDBClient) -> None:
    store = Store("emulator", emulator_dynamodb)
    table = accounts(store, backoff=Backoff(attempts=12), sleep=sleep)
    table.create(ANN | {"gold": 15})

    def take(_number: int) -> bool:
        try:
            table.adjust(ANN, Adjustment(add={"gold": -1}))
        except AdjustmentRefusedError:
            return False
        return True

    with ThreadPoolExecutor(8) as takers:
        assert sum(takers.map(take, range(24))) == 15
    assert table.get(ANN) == Versioned(ANN | {"gold": 0}, 16)


INVALID: dict[str, dict[str, Any]] = {
    "nothing": {},
    "only zeros and empty sets": {"add": {"gold": 0}, "include": {"quests": []}},
    "one attribute twice": {"add": {"gold": 1}, "include": {"gold": ["x"]}},
    "a set both ways": {"include": {"quests": ["x"]}, "exclude": {"quests": ["y"]}},
    "a fraction": {"add": {"gold": 0.5}},
    "a truth": {"add": {"gold": True}},
    "a fraction as floor": {"add": {"gold": -1}, "lowest": {"gold": 0.5}},
    "a floor of nothing": {"add": {"gold": -1}, "lowest": {"silver": 1}},
    "a size of nothing": {"add": {"gold": -1}, "most": {"quests": 1}},
    "more members than the size": {"include": {"quests": ["x", "y"]}, "most": {"quests": 1}},
    "mixed members": {"include": {"quests": ["x", b"y"]}},
    "too many digits": {"add": {"gold": 10**38}},
}


@pytest.mark.parametrize("arguments", INVALID.values(), ids=INVALID)
def test_an_impossible_adjustment_is_refused_before_any_call(store: Store, arguments: dict[str, Any]) -> None:
    client = FaultyClient(store.client)
    table = accounts(store, client, table_name="none")
    with pytest.raises(InvalidAdjustmentError):
        table.adjust(ANN, Adjustment(**arguments))
    assert client.calls.total() == 0


@pytest.mark.parametrize("name", ["player", "version", "write_id"])
def test_what_belongs_to_the_key_or_the_table_is_not_adjusted(store: Store, name: str) -> None:
    with pytest.raises(InvalidItemError, match=name):
        accounts(store).adjust(ANN, Adjustment(add={name: 1}))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(-4, 4).filter(bool), max_size=12), data=st.data())
def test_whatever_the_order_the_number_is_the_sum_of_what_was_allowed(
    store: Store, amounts: list[int], data: st.DataObject
) -> None:
    table = accounts(store)
    actions = [(amount, table.adjust_action(ANN, Adjustment(add={"gold": amount}))) for amount in amounts]
    expected = done = 0
    for amount, action in data.draw(st.permutations(actions)):
        try:
            table.transact([action])
        except TransactionConflictError:
            assert expected + amount < 0
        else:
            expected, done = expected + amount, done + 1
            assert expected >= 0
    stored = table.get(ANN)
    found = (0, 0) if stored is None else (read_int(stored.item, "gold"), stored.version)
    assert found == (expected, done)
