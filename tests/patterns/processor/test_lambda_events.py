"""The function's two kinds of events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from patterns.processor import WAKE_FILTER, Processor, StateCodec, Status, lambda_handler
from patterns.processor.settings import ProcessorSettings
from patterns.processor.store import TransactionStore
from tests.faults import FaultyClient
from tests.patterns.processor.order_world import Order, World

if TYPE_CHECKING:
    from tests.patterns.stores import Store


class Context:
    """A Lambda context with time left."""

    def __init__(self, remaining_ms: int = 60_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def batch(*transaction_ids: str) -> dict[str, Any]:
    return {
        "Records": [
            {"dynamodb": {"Keys": {"transaction_id": {"S": each}}, "SequenceNumber": str(number)}}
            for number, each in enumerate(transaction_ids, 100)
        ]
    }


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_a_batch_runs_each_transaction(world: World) -> None:
    world.submit("a")
    world.submit("b")
    handler = lambda_handler(world.processor())
    assert handler(batch("a", "b", "a", "unknown"), Context()) == {"batchItemFailures": []}
    assert [world.get(each).status for each in "ab"] == [Status.COMPLETED] * 2


def test_what_cannot_be_claimed_for_now_is_delivered_again_alone(world: World) -> None:
    world.submit("a")
    world.submit("b")
    world.client = FaultyClient(world.store.client, dict.fromkeys(range(5), "throttle"))
    handler = lambda_handler(world.processor())
    assert handler(batch("a", "b"), Context()) == {"batchItemFailures": [{"itemIdentifier": "100"}]}
    assert [world.get(each).status for each in "ab"] == [Status.RUNNING, Status.COMPLETED]
    assert handler(batch("a", "b"), Context()) == {"batchItemFailures": []}
    assert world.get("a").status is Status.COMPLETED


def test_a_connection_that_is_refused_holds_up_that_transaction_only(world: World) -> None:
    def refuse() -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    world.submit("a")
    world.submit("b")
    world.client = FaultyClient(world.store.client, dict.fromkeys(range(5), refuse))
    answer = lambda_handler(world.processor())(batch("a", "b"), Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "100"}]}
    assert world.get("b").status is Status.COMPLETED


def test_a_state_its_own_class_refuses_is_parked_and_holds_up_nobody(world: World) -> None:
    """Stored by code that accepted it: this code's `__post_init__` raises, as soon as the transaction is claimed."""

    @dataclass(frozen=True)
    class Strict(Order):
        def __post_init__(self) -> None:
            if self.price > 50:
                raise ValueError("too dear")

    for number, price in enumerate((60, 1, 60, 1)):
        world.submit(f"order-{number}", price=price)
    world.now += 80_000
    strict: Processor[Any] = Processor(
        cast("Any", world.client),
        ProcessorSettings(table=world.table, shards=2),
        StateCodec(Strict),
        cast("Any", world.steps),
        clock=lambda: world.now,
    )
    assert strict.sweep(lambda: 60_000).complete
    assert [world.get(f"order-{number}").status for number in (1, 3)] == [Status.COMPLETED] * 2
    assert {parked.transaction_id for parked in world.transactions.parked()} == {"order-0", "order-2"}
    assert world.get("order-0").error == "state: ValueError: too dear"


def test_out_of_time_the_rest_of_the_batch_is_left_to_the_next_invocation(world: World) -> None:
    for each in "abc":
        world.submit(each)
    answer = lambda_handler(world.processor())(batch("a", "b", "c"), Context(remaining_ms=1_500))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    assert [world.get(each).token for each in "abc"] == [1, 0, 0]


def test_a_sweep_reports_what_is_parked_as_a_metric(world: World) -> None:
    world.settings = {"max_attempts": 1}
    world.trouble["reserve"] = [ValueError("?")]
    world.submit()
    world.run()
    world.submit("order-2")
    world.now += 80_000
    lines: list[str] = []
    answer = lambda_handler(world.processor(), lines.append)({"scheduled_time": "2026-11-20T13:00:00Z"}, Context())
    assert answer == {"claimed": 1, "complete": True, "parked": 1}
    (line,) = map(json.loads, lines)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Patterns/Processor", [["Table"]])
    assert (line["Table"], line["Parked"], line["Claimed"]) == (world.table, 1, 1)


def test_the_filter_asks_for_the_mark_every_submission_carries(world: World) -> None:
    world.submit()
    assert json.loads(WAKE_FILTER) == {"dynamodb": {"NewImage": {"wake": {"S": [{"exists": True}]}}}}
    item = world.store.client.get_item(TableName=world.table, Key={"transaction_id": {"S": "order-1"}})
    assert item.get("Item", {}).get("wake") == {"S": "submitted"}


def test_a_submitter_needs_the_table_only() -> None:
    settings = ProcessorSettings.from_environ({"PROCESSOR_TABLE": "orders"})
    assert (settings.table, settings.shards) == ("orders", 4)
    assert "steps" not in TransactionStore.__dataclass_fields__
