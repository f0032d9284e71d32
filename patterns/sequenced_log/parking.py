"""Events that a consumer has set aside: they stay in the log, and in this list until somebody handles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.dynamodb.items import Item, decode_item, encode_item
from patterns.dynamodb.texts import storable
from patterns.sequenced_log.consumer_table import ConsumerTable
from patterns.sequenced_log.events import ID_SEPARATOR
from patterns.sequenced_log.places import Parked, decode_parked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvents(ConsumerTable):
    """The parked events of one consumer."""

    def park_action(self, partition: str, sequence: int, reason: str, attempts: int) -> TransactWriteItemTypeDef:
        """Return the action that sets an event aside."""
        item: Item = {
            "consumer": self._parking,
            "partition": _parked_key(partition, sequence),
            "parked_partition": partition,
            "sequence": sequence,
            # An event that cannot be parked blocks its partition.
            "reason": storable(reason, 1000),
            "attempts": attempts,
            "parked_at_ms": self.clock(),
        }
        return {"Put": {"TableName": self.table_name, "Item": encode_item(item)}}

    def parked(self, partition: str | None = None) -> Iterator[Parked]:
        """Yield the parked events of all partitions or of one, in order of partition and number."""
        condition, values = "consumer = :parking", {":parking": {"S": self._parking}}
        if partition is not None:
            condition += " AND begins_with(#partition, :prefix)"
            values[":prefix"] = {"S": f"{partition}{ID_SEPARATOR}"}
        query: QueryInputTypeDef = {
            "TableName": self.table_name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        if partition is not None:
            query["ExpressionAttributeNames"] = {"#partition": "partition"}
        while True:
            answer = self.retries.call(lambda: self.client.query(**query))
            yield from (decode_parked(decode_item(item)) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def unpark_action(self, partition: str, sequence: int) -> TransactWriteItemTypeDef:
        """Return the action that takes an event off the parked ones; it fails if it is not there (any more)."""
        return {
            "Delete": {
                "TableName": self.table_name,
                "Key": encode_item({"consumer": self._parking, "partition": _parked_key(partition, sequence)}),
                "ConditionExpression": "attribute_exists(consumer)",
            }
        }

    @property
    def _parking(self) -> str:
        return f"{self.consumer}{ID_SEPARATOR}parked"


def _parked_key(partition: str, sequence: int) -> str:
    return f"{partition}{ID_SEPARATOR}{sequence:020d}"
