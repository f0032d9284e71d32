"""The table of consumers: one item for each consumer and partition, which holds both checkpoint and lease.

Partition key ``consumer`` (S), sort key ``partition`` (S).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.items import Item, decode_item, encode_item
from patterns.sequenced_log.errors import InvalidInputError
from patterns.sequenced_log.events import check_name
from patterns.sequenced_log.places import Checkpoint, decode_checkpoint
from patterns.sequenced_log.reading import get_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.dynamodb.retries import Retries

NAMES = {"#sequence": "sequence", "#token": "lease_token"}
"""Names of the two attributes that expressions may not spell out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerTable:
    """What checkpoints, leases and parked events stand on; see `Checkpoints` for the parameters."""

    client: DynamoDBClient
    table_name: str
    consumer: str
    clock: Callable[[], int]
    retries: Retries
    lease_ms: int = 60_000

    def __post_init__(self) -> None:
        check_name("consumer", self.consumer)
        if self.lease_ms < 1:
            raise InvalidInputError("lease_ms", self.lease_ms, "must be at least 1")

    def get(self, partition: str) -> Checkpoint:
        """Read where the consumer is; at 0 if it has never been there. Strongly consistent."""
        return decode_checkpoint(partition, self.item(partition))

    def get_all(self, partitions: Iterable[str]) -> dict[str, Checkpoint]:
        """Read where the consumer is in many partitions, 100 a call; eventually consistent."""
        names = list(partitions)
        keys = [self.key(name) for name in names]
        items = get_many(self.client, self.table_name, keys, self.retries, consistent=False)
        found = {str(item["partition"]): item for item in items}
        return {name: decode_checkpoint(name, found.get(name)) for name in names}

    def lease_end_ms(self) -> int:
        """Return when a lease ends that is taken or moved on now, epoch ms."""
        return self.clock() + self.lease_ms

    def key(self, partition: str) -> Any:
        """Return the key of the consumer's item of a partition."""
        return encode_item({"consumer": self.consumer, "partition": partition})

    def item(self, partition: str) -> Item | None:
        """Read the consumer's item of a partition, strongly consistent."""
        answer = self.retries.call(
            lambda: self.client.get_item(TableName=self.table_name, Key=self.key(partition), ConsistentRead=True)
        )
        return decode_item(answer["Item"]) if "Item" in answer else None
