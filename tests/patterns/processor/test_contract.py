"""What a user of the processor relies on, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from patterns.processor import (
    Done,
    Later,
    NotParkedError,
    Status,
    Step,
    SubmissionConflictError,
    TransactionNotFoundError,
)
from tests.patterns.processor.order_world import SOLD, START_MS, UNTOUCHED, Order, World, rejection

if TYPE_CHECKING:
    from patterns.processor import StepContext
    from tests.patterns.stores import Store


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_steps_run_in_order_and_each_effect_happens_once(world: World) -> None:
    assert world.submit()
    assert world.woken() == ["order-1"]
    done = world.run()
    assert done is not None
    assert done.status is Status.COMPLETED
    assert world.amounts() == SOLD
    assert world.get() == done
    assert world.events() == ["submitted", "completed reserve", "completed charge", "completed deliver"]
    assert (done.completed, done.state.parcels) == (("reserve", "charge", "deliver"), 2)
    assert world.woken() == [], "nothing the processor wrote wakes it"
    assert world.run() is None
    assert world.sweep(later_ms=10**9) == 0


def test_keys_and_tokens_identify_the_piece_of_work(world: World) -> None:
    world.trouble["charge"] = [ValueError("?")]
    world.submit()
    world.run()
    assert [(c.idempotency_key, c.attempt, c.fencing_token) for c in world.contexts] == [
        ("order-1/reserve", 1, 1),
        ("order-1/charge", 1, 1),
        ("order-1/charge", 2, 1),
        ("order-1/deliver", 1, 1),
        ("order-1/deliver#1", 1, 1),
    ]


def test_submitting_again_finds_what_was_submitted(world: World) -> None:
    assert world.submit()
    world.run()
    again = world.transactions.submit("order-1", Order("sword", 30))
    assert (again.created, again.transaction.status) == (False, Status.COMPLETED)
    with pytest.raises(SubmissionConflictError, match="'order-1' exists with another initial state"):
        world.submit(price=31)
    assert world.amounts() == SOLD


def test_a_submission_can_be_part_of_the_callers_transaction(world: World) -> None:
    action = world.transactions.submit_action("order-1", Order("sword", 30))
    request: Any = {"Put": {"TableName": world.effects, "Item": {"name": {"S": "request"}}}}
    world.store.client.transact_write_items(TransactItems=[request, action])
    assert world.get().status is Status.RUNNING
    with pytest.raises(world.store.client.exceptions.TransactionCanceledException):
        world.store.client.transact_write_items(TransactItems=[action])


@pytest.mark.parametrize("failing", ["reserve", "charge", "deliver"])
def test_a_rejected_step_undoes_the_completed_ones_last_one_first(world: World, failing: str) -> None:
    world.trouble[failing] = [rejection()]
    world.submit()
    result = world.run()
    assert result is not None
    assert (result.status, result.error) == (Status.COMPENSATED, "no such address")
    assert world.amounts() == UNTOUCHED
    undone = {"reserve": [], "charge": ["reserve"], "deliver": ["charge", "reserve"]}[failing]
    assert [event for event in world.events() if "compensated" in event] == [f"compensated {step}" for step in undone]


def test_a_refused_condition_is_a_rejection_if_the_step_says_so(world: World) -> None:
    world.submit(price=500)
    result = world.run()
    assert result is not None
    assert result.status is Status.COMPENSATED
    assert "refused: action 1: ConditionalCheckFailed" in result.error
    assert world.amounts() == UNTOUCHED


def test_a_step_that_has_begun_is_undone_too(world: World) -> None:
    """`deliver` has sent one parcel when it is rejected: unlike a fresh rejection, this has to be undone."""
    undone: list[int] = []

    def take_back(order: Order, _context: StepContext) -> Done[Order]:
        undone.append(order.parcels)
        return Done(order)

    world.steps[2] = Step(name="deliver", run=world.deliver, compensate=take_back)
    world.trouble["deliver"] = [None, rejection()]
    world.submit()
    result = world.run()
    assert result is not None
    assert result.status is Status.COMPENSATED
    assert undone == [1]


def test_failures_are_tried_again_with_growing_jittered_waits_then_parked(world: World) -> None:
    world.settings = {"max_attempts": 5, "backoff_ms": 1000, "wait_in_place_ms": 1000}
    world.trouble["charge"] = [ValueError(f"broken {n}") for n in range(5)]
    world.submit()
    world.run()
    assert world.waits_ms == [500, 1000], "half the bound each: the random number is 0.5"
    assert world.get().status is Status.RUNNING
    assert world.sweep(later_ms=1999) == 0
    assert world.sweep(later_ms=1) == 1
    assert world.sweep(later_ms=4000) == 1
    parked = world.get()
    assert (parked.status, parked.error) == (Status.PARKED, "ValueError: broken 4")
    assert parked.step == "charge"
    assert world.sweep(later_ms=10**9) == 0
    assert [entry.transaction_id for entry in world.transactions.parked()] == ["order-1"]


def test_an_operator_redrives_where_it_stopped(world: World) -> None:
    _park(world)
    world.transactions.redrive("order-1")
    assert world.woken() == ["order-1"]
    assert list(world.transactions.parked()) == []
    result = world.run()
    assert result is not None
    assert result.status is Status.COMPLETED
    assert world.amounts() == SOLD
    with pytest.raises(NotParkedError, match="is COMPLETED: must be PARKED"):
        world.transactions.redrive("order-1")
    with pytest.raises(TransactionNotFoundError, match="'order-2' does not exist"):
        world.transactions.redrive("order-2")


def test_an_operator_abandons_and_everything_is_undone(world: World) -> None:
    def forget_refund(order: Order, _context: StepContext) -> Done[Order]:
        return Done(order)  # charging failed, so there is nothing to pay back: a compensation accepts that

    world.steps[1] = Step(name="charge", run=world.charge, compensate=forget_refund)
    _park(world)
    world.transactions.abandon("order-1", "customer left")
    result = world.run()
    assert result is not None
    assert (result.status, result.error) == (Status.COMPENSATED, "abandoned: customer left")
    assert world.amounts() == UNTOUCHED
    assert world.events()[-3:] == ["abandoned charge", "compensated charge", "compensated reserve"]
    with pytest.raises(NotParkedError):
        world.transactions.abandon("order-1", "again")


def test_a_compensation_that_fails_is_parked_and_redriven_as_one(world: World) -> None:
    world.settings = {"max_attempts": 1}
    world.trouble = {"deliver": [rejection()], "charge": [None, OSError("bank closed")]}
    world.submit()
    world.run()
    parked = world.get()
    assert (parked.status, parked.parked_from, parked.step) == (Status.PARKED, "COMPENSATING", "charge")
    world.transactions.redrive("order-1")
    world.run()
    assert world.get().status is Status.COMPENSATED
    assert world.amounts() == UNTOUCHED


def test_before_the_deadline_the_next_invocation_takes_over(world: World) -> None:
    def slow(order: Order, context: StepContext) -> Done[Order]:
        world.remaining = 1_999  # less than the next step's second and the reserve's
        return world.reserve(order, context)

    world.submit()
    world.steps[0] = Step(name="reserve", run=slow, compensate=world.give_back)
    world.remaining = 2_000
    world.run()
    handed_over = world.get()
    assert (handed_over.wake, handed_over.step, handed_over.attempts) == ("continued", "charge", 0)
    assert world.woken() == ["order-1"]
    world.remaining = 60_000
    world.run()
    assert world.get().status is Status.COMPLETED
    assert [context.attempt for context in world.contexts] == [1, 1, 1, 1]
    assert world.amounts() == SOLD


def test_a_step_no_invocation_has_time_for_is_parked_not_passed_on_for_ever(world: World) -> None:
    world.steps[0] = Step(name="reserve", run=world.reserve, budget_ms=100_000)
    world.submit()
    rounds = 0
    while world.woken():
        world.run()
        rounds += 1
        assert rounds < 20
    assert world.get().status is Status.PARKED
    assert "less than its 100000 ms" in world.get().error


def test_a_lost_delivery_is_found_by_the_sweep(world: World) -> None:
    world.submit()
    assert world.sweep() == 0
    assert world.sweep(later_ms=80_000) == 1
    assert world.get().status is Status.COMPLETED


def test_waiting_is_no_failure_and_ends_at_the_steps_timeout(world: World) -> None:
    def wait(order: Order, _context: StepContext) -> Later[Order]:
        return Later(order, delay_ms=60_000)

    world.steps[1] = Step(name="charge", run=wait, timeout_ms=150_000)
    world.submit()
    world.run()
    assert world.get().due_at_ms == START_MS + 60_000
    assert world.sweep(later_ms=60_000) == 1
    assert world.sweep(later_ms=60_000) == 1
    assert world.get().due_at_ms == START_MS + 150_000, "due at the timeout, not a minute later"
    assert world.sweep(later_ms=30_000) == 1
    result = world.get()
    assert result.status is Status.COMPENSATED
    assert result.error == "step charge was not complete after 150000 ms"
    assert world.amounts() == UNTOUCHED


def test_a_step_that_fails_until_its_timeout_is_undone_itself_since_it_may_have_had_effects(world: World) -> None:
    undone: list[str] = []

    def fail(_order: Order, _context: StepContext) -> Done[Order]:
        raise OSError("no answer")

    def undo(order: Order, context: StepContext) -> Done[Order]:
        undone.append(context.idempotency_key)
        return Done(order)

    world.settings = {"backoff_ms": 600_000, "longest_backoff_ms": 600_000}
    world.steps[1] = Step(name="charge", run=fail, compensate=undo, timeout_ms=150_000)
    world.submit()
    world.run()
    assert world.get().due_at_ms == START_MS + 150_000, "due at the timeout, not when the backoff of five minutes ends"
    assert world.sweep(later_ms=150_000) == 1
    assert world.get().status is Status.COMPENSATED
    assert undone == ["order-1/charge#undo"]
    assert world.amounts() == UNTOUCHED


def test_a_step_this_code_does_not_know_is_parked_until_code_that_does(world: World) -> None:
    world.remaining = 0
    world.submit()
    world.run()
    old_steps, world.remaining = world.steps, 60_000
    world.steps = [Step(name="unrelated", run=world.reserve)]
    world.run()
    assert world.get().error == "this code has no step 'reserve'"
    world.steps = old_steps
    world.transactions.redrive("order-1")
    world.run()
    assert world.get().status is Status.COMPLETED


def test_a_step_inserted_while_a_transaction_is_past_its_place_is_not_gone_back_to(world: World) -> None:
    _park(world)
    world.steps.insert(0, Step(name="check", run=world.deliver))
    world.transactions.redrive("order-1")
    world.run()
    assert world.get().completed == ("reserve", "charge", "deliver")


def test_an_unreadable_state_is_parked_untouched(world: World) -> None:
    world.submit()
    world.store.client.update_item(
        TableName=world.table,
        Key={"transaction_id": {"S": "order-1"}},
        UpdateExpression="SET #state.price = :text",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":text": {"S": "thirty"}},
    )
    assert world.run() is None
    assert [entry.transaction_id for entry in world.transactions.parked()] == ["order-1"]
    item = world.store.client.get_item(TableName=world.table, Key={"transaction_id": {"S": "order-1"}})
    stored = cast("Any", item)["Item"]
    assert stored["error"]["S"] == "state.price: expected int, found 'thirty'"
    assert stored["state"]["M"]["price"] == {"S": "thirty"}


def test_due_transactions_are_found_by_index_and_finished_ones_leave_it(world: World) -> None:
    for number in range(6):
        world.submit(f"order-{number}", price=1)
    assert world.sweep(later_ms=80_000) == 6
    assert world.client.calls["scan"] == 0
    items = world.store.client.scan(TableName=world.table, IndexName="due")["Items"]
    assert items == []


def test_a_sweep_stops_before_the_deadline_and_leaves_the_rest(world: World) -> None:
    world.submit("order-1")
    world.submit("order-2")
    world.now += 80_000
    world.remaining = 1_999  # too little for another, but the first is always taken
    report = world.processor().sweep(lambda: world.remaining)
    assert (report.claimed, report.complete) == (1, False)


def test_a_mutable_state_changed_by_a_failing_step_is_not_saved(world: World) -> None:
    def spoil(order: Order, _context: StepContext) -> Done[Order]:
        object.__setattr__(order, "price", 1)
        raise ValueError("after the damage")

    world.settings = {"max_attempts": 1}
    world.steps[0] = Step(name="reserve", run=spoil)
    world.submit()
    world.run()
    assert world.get().state.price == 30


def test_an_exceptions_text_that_dynamodb_would_refuse_does_not_keep_it_from_being_parked(world: World) -> None:
    world.settings = {"max_attempts": 1}
    world.trouble["reserve"] = [ValueError("half a pair: \ud83d" + "x" * 2_000)]
    world.submit()
    world.run()
    text = ("ValueError: half a pair: ?" + "x" * 2_000)[:300]
    assert (world.get().error, world.get().history[-1].detail) == (text, text)


def test_history_keeps_the_latest_events(world: World) -> None:
    world.submit()
    long = world.get()
    for number in range(50):
        long = long.with_event("failed", "charge", number, "x" * 1000)
    assert [entry.at_ms for entry in long.history] == list(range(10, 50))
    assert {len(entry.detail) for entry in long.history} == {300}


def _park(world: World) -> None:
    world.settings = {"max_attempts": 1}
    world.trouble["charge"] = [ConnectionError("no route")]
    world.submit()
    world.run()
    assert world.get().status is Status.PARKED
