"""Crashes at every call, zombies, duplicates and a struggling DynamoDB: the result is the same as without."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patterns.processor import Done, LostLeaseError, Status, Step
from tests.faults import Crash, FaultyClient
from tests.patterns.processor.order_world import SOLD, UNTOUCHED, Order, World, rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.processor import More, StepContext
    from tests.patterns.stores import Store

_LEASE_MS = 80_000


def finish(world: World) -> None:
    """Redeliver, then let time pass and sweep, until nothing is open."""
    for _ in range(12):
        with suppress(Crash):
            world.run()
        with suppress(Crash):
            world.sweep(_LEASE_MS)
        if world.get().status not in (Status.RUNNING, Status.COMPENSATING):
            return
    raise AssertionError(f"still {world.get()}")


@pytest.mark.parametrize(
    ("course", "moment"),
    [
        *product(("completed", "compensated", "handed over after every step"), ("crash before", "crash after")),
        *product(("completed",), ("lost answer", "throttle", "conflict")),
        ("compensated", "lost answer"),
    ],
)
def test_trouble_at_any_call_changes_nothing_about_the_result(store: Store, course: str, moment: str) -> None:
    clean = _world(store, course)
    clean.submit()
    clean.client = FaultyClient(store.client)
    while clean.woken():
        clean.run()
    assert clean.amounts() == ({**UNTOUCHED, "parcels": 1} if course == "compensated" else SOLD)
    calls = clean.client.calls.total()
    for number in range(calls):
        troubled = _world(store, course)
        troubled.submit()
        troubled.client = FaultyClient(store.client, {number: moment})
        finish(troubled)
        assert troubled.amounts() == clean.amounts(), number
        assert troubled.events() == clean.events(), number
        assert troubled.get().state == clean.get().state, number
        assert list(troubled.transactions.parked()) == []


def _world(store: Store, course: str) -> World:
    """A compensated order is one whose delivery sends one parcel and then fails for good."""
    world = World(store, step_ms=59_000 if course.startswith("handed over") else 0)
    if course == "compensated":

        def deliver(order: Order, context: StepContext) -> Done[Order] | More[Order]:
            if context.slice == 1:
                raise rejection()
            return world.deliver(order, context)

        world.steps[2] = Step(name="deliver", run=deliver)
    return world


_TROUBLE = (None, "crash before", "crash after", "lost answer", "throttle", "conflict")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(("delivered", "swept")), st.integers(0, 5), st.sampled_from(_TROUBLE)), max_size=8
    )
)
def test_deliveries_late_repeated_and_out_of_order_between_sweeps_and_trouble_change_nothing(
    store: Store, turns: list[tuple[str, int, str | None]]
) -> None:
    """Every step hands over: a delivery may be the one meant, an old one, or one that comes before its time."""
    world = _world(store, "handed over after every step")
    world.submit()
    for turn, call, trouble in turns:
        world.client = FaultyClient(store.client, {call: trouble} if trouble else {})
        with suppress(Crash, ClientError):
            if turn == "delivered":
                world.run()
            else:
                world.sweep(_LEASE_MS // 2)
    world.client = FaultyClient(store.client)
    finish(world)
    assert world.amounts() == SOLD
    assert [event for event in world.events() if "failed" not in event] == [
        "submitted",
        "completed reserve",
        "completed charge",
        "completed deliver",
    ]


@pytest.mark.parametrize("call", range(5))
def test_a_zombie_writes_nothing(store: Store, call: int) -> None:
    """Paused before any of its calls until its lease is over and another has finished the work."""
    world = World(store)
    world.submit()

    def others_work() -> None:
        other = World.__new__(World)
        other.__dict__.update(world.__dict__)
        other.client = FaultyClient(store.client)
        other.sweep(_LEASE_MS)

    world.client = FaultyClient(store.client, {call: others_work})
    world.run()
    assert world.get().status is Status.COMPLETED
    assert world.amounts() == SOLD
    assert world.events() == ["submitted", "completed reserve", "completed charge", "completed deliver"]


def test_a_duplicate_delivery_costs_one_refused_write(store: Store) -> None:
    world = World(store)
    world.submit()
    world.run()
    world.client = FaultyClient(store.client)
    assert world.run() is None
    assert world.client.calls == {"update_item": 1}


def test_while_one_works_another_leaves_it_alone(store: Store) -> None:
    world = World(store)
    world.submit()
    first = world.transactions.claim("order-1")
    assert first is not None
    assert first.due_at_ms is not None
    assert first.due_at_ms >= world.now + 65_000
    world.now = first.due_at_ms - 1
    assert world.transactions.claim("order-1") is None
    world.now += 1
    second = world.transactions.claim("order-1")
    assert second is not None
    assert second.token == first.token + 1
    with pytest.raises(LostLeaseError, match=f"fencing token {first.token} is out of date"):
        world.transactions.save(first, first)


def test_the_due_index_is_written_at_the_beginning_and_the_end_only(store: Store) -> None:
    """Submitted, claimed within the same quarter of a minute, and saved: the due time, a key of the index, stays."""
    world = World(store)
    world.now = 1_700_000_035_001  # 65 s later a quarter of a minute has just begun
    world.submit()
    submitted = world.get().due_at_ms
    world.now += 14_000
    claimed = world.transactions.claim("order-1")
    assert claimed is not None
    assert claimed.due_at_ms == submitted


def test_work_that_kills_its_process_is_parked(store: Store) -> None:
    def kill(_order: Order, _context: StepContext) -> Done[Order]:
        raise Crash

    world = World(store, settings={"max_attempts": 3})
    world.steps[1] = Step(name="charge", run=kill)
    world.submit()
    finish(world)
    parked = world.get()
    assert (parked.status, parked.step, parked.token) == (Status.PARKED, "charge", 4)
    assert parked.error == "3 attempts ended without an answer"


def test_actions_dynamodb_never_accepts_are_the_steps_failure(store: Store) -> None:
    def overreach(order: Order, _context: StepContext) -> Done[Order]:
        return Done(order, [{"Delete": {"TableName": "no-such-table", "Key": {"name": {"S": "x"}}}}])

    world = World(store, settings={"max_attempts": 1})
    world.steps[0] = Step(name="reserve", run=overreach)
    world.submit()
    world.run()
    assert world.get().status is Status.PARKED
    assert "ClientError" in world.get().error or "ResourceNotFound" in world.get().error


def test_contention_on_what_a_step_changes_is_waited_out(store: Store) -> None:
    world = World(store)
    world.submit()
    world.client = FaultyClient(store.client, dict.fromkeys(range(1, 1 + 5), "conflict"))
    world.run()
    finish(world)
    assert world.get().status is Status.COMPLETED
    assert world.amounts() == SOLD


@pytest.mark.parametrize("call", range(5))
def test_after_a_lost_answer_the_same_run_recognises_its_own_write(store: Store, call: int) -> None:
    world = World(store)
    world.submit()
    world.client = FaultyClient(store.client, {call: "lost answer"})
    done = world.run()
    assert done is not None
    assert done.status is Status.COMPLETED
    assert world.amounts() == SOLD


def test_a_lease_shorter_than_the_invocation_ends_the_work_not_the_other_way_round(store: Store) -> None:
    world = World(store, settings={"lease_ms": 1_000})
    world.steps[0] = Step(name="reserve", run=world.reserve, budget_ms=20_000)
    world.submit()
    world.run()
    assert (world.contexts, world.get().wake) == ([], "continued")


@pytest.mark.parametrize("trouble", ["lost answer", "throttle"])
@pytest.mark.parametrize(("abandoning", "end"), [(False, Status.COMPLETED), (True, Status.COMPENSATED)])
def test_trouble_at_an_operators_call_is_not_the_operators(
    store: Store, abandoning: bool, end: Status, trouble: str
) -> None:
    for call in range(1 + abandoning):
        world = World(store, settings={"max_attempts": 1})
        world.trouble = {"deliver": [OSError("no mail")]}
        world.submit()
        world.run()
        world.client = FaultyClient(store.client, {call: trouble})
        if abandoning:
            world.transactions.abandon("order-1", "customer left")
        else:
            world.transactions.redrive("order-1")
        world.run()
        assert world.get().status is end


def test_abandoning_what_moves_on_meanwhile_undoes_that_too(store: Store) -> None:
    """Between the operator's reading and writing, a colleague re-drives it: it is parked again, one step further on."""

    def call_back(order: Order, _context: StepContext) -> Done[Order]:
        return Done(order)

    world = World(store, settings={"max_attempts": 1})
    world.steps[2] = Step(name="deliver", run=world.deliver, compensate=call_back)
    world.trouble = {"charge": [OSError("no route")], "deliver": [OSError("no mail")]}
    world.submit()
    world.run()
    assert world.get().step == "charge"

    def colleague() -> None:
        world.client = FaultyClient(store.client)
        world.transactions.redrive("order-1")
        world.run()
        assert (world.get().status, world.get().step) == (Status.PARKED, "deliver")

    world.client = FaultyClient(store.client, {1: colleague})
    world.transactions.abandon("order-1", "customer left")
    world.run()
    assert world.amounts() == UNTOUCHED
    assert world.events()[-3:] == ["compensated deliver", "compensated charge", "compensated reserve"]


def _cut_off() -> None:
    raise ReadTimeoutError(endpoint_url="https://dynamodb")


@pytest.mark.parametrize("trouble", ["throttle", _cut_off])
def test_a_dynamodb_in_trouble_is_not_the_steps_failure(store: Store, trouble: str | Callable[[], object]) -> None:
    def think(order: Order, _context: StepContext) -> Done[Order]:
        return Done(order)

    world = World(store)
    world.steps[0] = Step(name="reserve", run=think)
    world.submit()
    world.client = FaultyClient(store.client, dict.fromkeys(range(1, 6), trouble))
    with pytest.raises((ClientError, ReadTimeoutError)):
        world.run()
    assert world.events() == ["submitted"]
    world.submit("order-2")
    world.client = FaultyClient(
        store.client, dict.fromkeys(range(2, 7), trouble)
    )  # two queries, or a query and a claim
    assert world.sweep(_LEASE_MS) == 2, "one transaction's trouble does not keep the sweep from the others"
    finish(world)
    assert world.get().status is world.get("order-2").status is Status.COMPLETED
