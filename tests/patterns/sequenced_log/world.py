"""A log with its three tables on a store, a clock that stands still, and consumers that note what they handle."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from patterns.sequenced_log import Checkpoints, Consumer, Event, EventLog, NewEvent, Partitions, Retries, RunReport
from patterns.sequenced_log.partitions import PLACEMENT_INDEX
from tests.patterns.stores import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.sequenced_log import Handler
    from tests.patterns.stores import Store

_tokens: Iterator[int] = count(1)


def new_token() -> str:
    return f"token-{next(_tokens)}"


def events(*notes: str) -> list[NewEvent]:
    return [NewEvent({"note": note}) for note in notes]


def identified(*notes: str) -> list[NewEvent]:
    return [NewEvent({"note": note}, event_id=f"id-{note}") for note in notes]


@dataclass
class World:
    """Tables `events`, `partitions`, `consumers`; `handled` is what consumers have handled, as (partition, number)."""

    client: DynamoDBClient
    events_table: str
    partitions_table: str
    consumers_table: str
    now_ms: int = 1_763_712_000_000
    waits_s: list[float] = field(default_factory=list[float])
    handled: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def clock(self) -> int:
        return self.now_ms

    def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)

    def retries(self, attempts: int = 8) -> Retries:
        return Retries(sleep=self.sleep, random=lambda: 0.5, attempts=attempts)

    def partitions(self, client: Any = None) -> Partitions:
        return Partitions(
            client=client or self.client,
            table_name=self.partitions_table,
            log="ledger",
            clock=self.clock,
            retries=self.retries(),
        )

    def log(self, client: Any = None, *, attempts: int = 8, remember_ids_ms: int | None = None) -> EventLog:
        return EventLog(
            client=client or self.client,
            table_name=self.events_table,
            clock=self.clock,
            new_token=new_token,
            retries=self.retries(attempts),
            partitions=self.partitions(client),
            remember_ids_ms=remember_ids_ms,
        )

    def note(self, event: Event) -> None:
        self.handled.append((event.partition, event.sequence))

    def consumer(
        self,
        handle: Handler | None = None,
        *,
        client: Any = None,
        name: str = "settlement",
        checkpoint_every: int = 100,
        attempts: int = 3,
    ) -> Consumer:
        checkpoints = Checkpoints(
            client=client or self.client,
            table_name=self.consumers_table,
            consumer=name,
            clock=self.clock,
            retries=self.retries(),
            lease_ms=1_000,
        )
        return Consumer(
            log=self.log(client),
            checkpoints=checkpoints,
            handle=handle or self.note,
            new_holder=new_token,
            retries=self.retries(attempts),
            checkpoint_every=checkpoint_every,
        )

    def run(self, partition: str = "a", handle: Handler | None = None, **options: Any) -> RunReport:
        return self.consumer(handle, **options).run(partition)

    def notes(self, partition: str = "a", after: int = 0) -> list[str]:
        return [str(event.data["note"]) for event in self.log().read(partition, after)]

    def item(self, table: str, key: Any) -> dict[str, Any] | None:
        return cast(
            "dict[str, Any] | None", self.client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        )

    def stored_numbers(self, partition: str = "a") -> list[int]:
        """Numbers of all stored events, read without the library's help."""
        answer = self.client.query(
            TableName=self.events_table,
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": "partition"},
            ExpressionAttributeValues={":p": {"S": partition}},
            ConsistentRead=True,
        )
        numbers: list[int] = []
        for item in cast("list[dict[str, dict[str, str]]]", answer["Items"]):
            first, length = int(item["sequence"]["N"]), int(item["length"]["N"])
            numbers += range(first, first + length)
        return numbers


def new_world(store: Store) -> World:
    index = Index(PLACEMENT_INDEX, "log", range_key="placement")
    return World(
        store.client,
        store.create_table("partition", "sequence", range_key_type="N", stream=True),
        store.create_table("log", "partition", indexes=[index]),
        store.create_table("consumer", "partition"),
    )


def moving(world: World, handle: Callable[[Event], Any], step_ms: int) -> Handler:
    """A handler that takes so long."""

    def slow(event: Event) -> Any:
        world.now_ms += step_ms
        return handle(event)

    return slow
