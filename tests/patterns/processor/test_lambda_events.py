"""The function's two kinds of events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from patterns.processor import WAKE_FILTER, Status, lambda_handler
from patterns.processor.settings import ProcessorSettings
from patterns.processor.store import TransactionStore
from tests.faults import FaultyClient
from tests.patterns.processor.order_world import World

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
