"""Bad input: a typed error with the value and the rule, and nothing stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

import pytest

from patterns.processor import (
    Done,
    InvalidSettingError,
    InvalidTransactionIdError,
    Later,
    More,
    Processor,
    ProcessorSettings,
    StateCodec,
    StateError,
    StateTooLargeError,
    Status,
    Step,
)
from tests.patterns.processor.order_world import Order, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.processor import StepContext
    from tests.patterns.stores import Store


def keep(order: Order, _context: StepContext) -> Done[Order]:
    return Done(order)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ProcessorSettings(table=""), "table = '': must be the name of a table"),
        (lambda: ProcessorSettings(table="t", lease_ms=0), "lease_ms = 0: must be a whole number, 1000 or more"),
        (lambda: ProcessorSettings(table="t", shards=0), "shards = 0: must be a whole number, 1 or more"),
        (lambda: ProcessorSettings(table="t", shards=65), "shards = 65: must be at most 64"),
        (lambda: ProcessorSettings(table="t", max_attempts=True), "max_attempts = True: must be a whole number"),
        (lambda: ProcessorSettings.from_environ({}), "PROCESSOR_TABLE = '': must be set"),
        (
            lambda: ProcessorSettings.from_environ({"PROCESSOR_TABLE": "t", "PROCESSOR_LEASE_MS": "1e4"}),
            "PROCESSOR_LEASE_MS = '1e4': must be a whole number",
        ),
        (lambda: Step(name="Charge", run=keep), "step name = 'Charge': must be a-z"),
        (lambda: Step(name="a", run=keep, timeout_ms=0), "timeout_ms of step a = 0: must be 1 or more"),
        (lambda: Step(name="a", run=keep, budget_ms=-1), "budget_ms of step a = -1: must be 0 or more"),
        (lambda: Later(None, 0), "delay_ms = 0: must be a whole number of milliseconds, 1 or more"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(InvalidSettingError) as refusal:
        make()
    assert text in str(refusal.value)


@pytest.mark.parametrize("steps", [[], [Step(name="a", run=keep), Step(name="a", run=keep)]])
def test_steps_have_unique_names(steps: Any) -> None:
    client: Any = None
    with pytest.raises(InvalidSettingError, match="one or more steps with unique names"):
        Processor(client, ProcessorSettings(table="t"), StateCodec(Order), steps)


@pytest.mark.parametrize("transaction_id", ["", "x" * 257, "é" * 129, "\ud800", 7, None])
def test_wrong_ids_are_refused(store: Store, transaction_id: Any) -> None:
    world = World(store)
    for use in (world.submit, world.get, world.transactions.redrive):
        with pytest.raises(InvalidTransactionIdError, match="must be text of 1 to 256 bytes"):
            use(transaction_id)
    assert world.client.calls.total() == 0


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (Order("sword", 1.5), StateError),  # pyright: ignore[reportArgumentType]
        (Order("sword", True), StateError),
        (Order("sword", 10**38), StateError),
        (Order("\ud800", 1), StateError),
        ({"item": "sword"}, StateError),
        (Order("x" * 350_001, 1), StateTooLargeError),
    ],
)
def test_wrong_states_are_refused_and_nothing_is_stored(store: Store, state: Any, error: type[Exception]) -> None:
    world = World(store)
    with pytest.raises(error):
        world.transactions.submit("order-1", state)
    assert world.client.calls.total() == 0


DELETION: TransactWriteItemTypeDef = {"Delete": {"TableName": "t", "Key": {"name": {"S": "x"}}}}


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        Done(Order("sword", 1), [DELETION] * 100),
        Done(Order("x" * 350_001, 1)),
        Done("no order"),
        Done(Order("sword", 1), cast("Any", 7)),
        Done(Order("sword", 1), [cast("Any", {"Put": {"TableName": "t", "Item": "not an item"}})]),
    ],
    ids=["nothing", "too many actions", "too large", "another type", "no actions", "a malformed action"],
)
def test_a_step_that_answers_nonsense_is_parked_with_its_state_as_it_was(store: Store, outcome: Any) -> None:
    def nonsense(_order: Order, _context: StepContext) -> Done[Order]:
        return outcome

    world = World(store, settings={"max_attempts": 1})
    world.steps[0] = Step(name="reserve", run=nonsense)
    world.submit()
    world.run()
    parked = world.get()
    assert (parked.status, parked.state) == (Status.PARKED, Order("sword", 30))
    assert parked.error


class Extras(TypedDict):
    note: NotRequired[str]
    counts: dict[str, int]


@dataclass(frozen=True)
class Everything:
    flag: bool
    raw: bytes
    status: Status
    lines: tuple[Order, ...]
    extras: Extras
    maybe: int | None = None
    names: list[str] | None = None


def test_types_may_be_named_where_they_are_made() -> None:
    order = Order("sword", 1)
    assert (Done[Order](order).state, More[Order](order).state, Later[Order](order, 1).state) == (order, order, order)
    assert Step[Order](name="a", run=keep).name == "a"


def test_every_supported_type_survives_the_table() -> None:
    codec = StateCodec(Everything)
    for state in (
        Everything(True, b"\x00", Status.PARKED, (Order("a", 1),), {"counts": {"x": 1}, "note": "n"}, 5, ["a"]),
        Everything(False, b"", Status.RUNNING, (), {"counts": {}}),
    ):
        assert codec.decode(codec.encode(state)) == state


def test_a_typed_dict_can_be_the_state() -> None:
    codec = StateCodec(Extras)
    assert codec.decode(codec.encode({"counts": {"x": 1}})) == {"counts": {"x": 1}}
    with pytest.raises(StateError, match="state: counts missing"):
        codec.decode({"note": "n"})


def test_code_with_a_new_field_reads_old_states_and_refuses_newer_ones() -> None:
    codec = StateCodec(Order)
    assert codec.decode({"item": "sword", "price": 3}) == Order("sword", 3)
    with pytest.raises(StateError, match="state: colour not declared"):
        codec.decode({"item": "sword", "price": 3, "colour": "red"})


@pytest.mark.parametrize("unsupported", [int, "Order", set[int], Exception])
def test_other_types_are_refused_at_once(unsupported: Any) -> None:
    with pytest.raises(StateError, match="must be a dataclass or a TypedDict"):
        StateCodec(unsupported)


@dataclass
class WithFloat:
    price: float


class Weight(Enum):
    HEAVY = 1.5


@dataclass
class WithFloatEnum:
    weight: Weight


@dataclass
class WithComputed:
    price: int
    total: int = field(init=False)


@pytest.mark.parametrize(
    ("unsupported", "text"),
    [
        (WithFloat, r"WithFloat.price: type <class 'float'> is not supported"),
        (WithFloatEnum, r"WithFloatEnum.weight: type <enum 'Weight'> is not supported"),
        (WithComputed, r"WithComputed: total: must be fields that the constructor takes"),
    ],
)
def test_a_field_that_would_not_come_back_as_it_was_is_refused_at_once(unsupported: Any, text: str) -> None:
    with pytest.raises(StateError, match=text):
        StateCodec(unsupported)
