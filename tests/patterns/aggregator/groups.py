"""Aggregators over a fresh table, with a clock and waits in the test's hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from patterns.aggregator import Aggregator, ByCount, NewRecord
from tests.patterns.stores import Index

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from patterns.aggregator import Completion
    from tests.patterns.stores import Store

START_MS = 1_700_000_000_000


@dataclass
class Clock:
    """Epoch ms that stand still until somebody waits."""

    now_ms: int = START_MS
    waits_s: list[float] = field(default_factory=list[float])

    def __call__(self) -> int:
        return self.now_ms

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.now_ms += int(seconds * 1000)


def new_table(store: Store) -> str:
    """A table as the component makes it."""
    return store.create_table(
        "group_id", "entry", indexes=[Index("pending", "pending", "S", "pending_since_ms", "N")], stream=True
    )


def aggregator_on(
    client: object, table: str, completion: Completion | None = None, *, clock: Clock | None = None, **settings: Any
) -> Aggregator:
    """An aggregator; by default of three records."""
    clock = clock or Clock()
    return Aggregator(
        client=cast("DynamoDBClient", client),
        table_name=table,
        completion=completion or ByCount(3),
        clock=clock,
        sleep=clock.sleep,
        random=lambda: 0.5,
        **settings,
    )


def numbered(*numbers: int) -> list[NewRecord]:
    """Records with ids and contents of these numbers."""
    return [NewRecord(f"r{number}", {"number": number}) for number in numbers]


def completion_event(group_id: str, event_id: str = "event-1") -> dict[str, Any]:
    """The Lambda event that tells that a group is complete."""
    return {
        "Records": [
            {
                "eventID": event_id,
                "eventName": "MODIFY",
                "dynamodb": {
                    "SequenceNumber": f"1-{event_id}",
                    "Keys": {"group_id": {"S": group_id}, "entry": {"S": "group"}},
                    "NewImage": {"state": {"S": "COMPLETE"}},
                },
            }
        ]
    }
