"""ReportBatchItemFailures: what a response means, and where delivery goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.delivery.mappings import Batching
from local.delivery.ports import Invocation
from local.delivery.shard import Failed, Succeeded
from local.delivery.targets import item_failures
from tests.delivery.world import STREAM, World, mapping, of, sequence_numbers

if TYPE_CHECKING:
    from local.delivery.records import Json


def failures(*identifiers: object) -> object:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


@pytest.mark.parametrize(
    ("response", "first_failed"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ({"statusCode": 200}, None),
        ({"batchItemFailures": []}, None),
        ({"batchItemFailures": None}, None),
        (failures("101"), 0),
        (failures("103"), 2),
        (failures("104", "102", "103"), 1),
        (failures(""), 0),
        (failures(None), 0),
        (failures("999"), 0),
        (failures("103", "999"), 0),
        (failures(103), 0),
        ({"batchItemFailures": [{"id": "103"}]}, 0),
        ({"batchItemFailures": "103"}, 0),
        ({"batchItemFailures": ["103"]}, 0),
        ("done", 0),
        ([1], 0),
        (False, 0),
    ],
)
def test_responses_mean_what_the_developer_guide_says(response: object, first_failed: int | None) -> None:
    outcome = item_failures(Invocation(response), ["101", "102", "103", "104"])
    if first_failed is None:
        assert outcome == Succeeded()
    else:
        assert isinstance(outcome, Failed)
        assert outcome.first_failed == first_failed


@pytest.mark.parametrize("bisect", [False, True])
def test_delivery_goes_on_at_the_lowest_failed_record_and_the_checkpoint_is_the_one_before(bisect: bool) -> None:
    batches: list[list[str]] = []

    def handler(event: Json) -> object:
        batches.append(sequence_numbers(event))
        return failures(numbers[4], numbers[2]) if len(batches) == 1 else None

    world = World(of(mapping(Batching(6, bisect=bisect), report=True)), handler)
    numbers = world.put("abcdef")
    world.engine.step()
    checkpoint = world.checkpoints.load("mapping-1", STREAM, "shardId-000000000000")
    assert checkpoint
    assert checkpoint.sequence_number == numbers[1]
    world.run()
    assert batches == [numbers, numbers[2:]]


def test_without_the_setting_a_response_is_not_read() -> None:
    batches: list[list[str]] = []

    def handler(event: Json) -> object:
        batches.append(sequence_numbers(event))
        return failures(batches[0][0])

    world = World(of(mapping(Batching(6))), handler)
    numbers = world.put("abc")
    world.run()
    assert batches == [numbers]
