"""The table of events: one item for each batch, numbered by its first event; how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from patterns.dynamodb.items import Item, decode_item, read_int
from patterns.sequenced_log.errors import GapError
from patterns.sequenced_log.events import (
    Event,
    KeyNames,
    check_name,
    check_sequence,
    children_of,
    decode_batch,
    last_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef, TransactWriteItemTypeDef

    from patterns.dynamodb.retries import Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """What all that is done with events stands on; see `EventLog` for the parameters."""

    client: DynamoDBClient
    table_name: str
    clock: Callable[[], int]
    retries: Retries
    keys: KeyNames = field(default_factory=KeyNames)

    def head(self, partition: str) -> int:
        """Return the number of the partition's last event, 0 if it has none. One strongly consistent query."""
        check_name("partition", partition)
        return self.end(partition)[0]

    def read(self, partition: str, after: int = 0) -> Iterator[Event]:
        """Yield the events after a number, in order, until none is left; strongly consistent, a page at a time.

        Raises
        ------
        GapError
            Events are missing. What precedes them has been yielded.
        """
        check_name("partition", partition)
        check_sequence("after", after)
        done = after
        query = self._query(partition, ">", after)
        while True:
            answer = self.retries.call(lambda: self.client.query(**query))
            items = [decode_item(item) for item in answer["Items"]]
            if done == after and (not items or read_int(items[0], self.keys.sequence) != after + 1):
                # The position may be inside a batch, whose item has a lower number.
                items = [*self._item_at_or_before(partition, after), *items]
            for item in items:
                first = read_int(item, self.keys.sequence)
                if first > done + 1:
                    raise GapError(partition, done + 1, first)
                for event in decode_batch(self.keys, item):
                    if event.sequence > done:
                        done = event.sequence
                        yield event
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def end(self, partition: str) -> tuple[int, tuple[str, ...]]:
        """Return the number of the last event, and the children if the partition is closed; strongly consistent."""
        answer = self.retries.call(
            lambda: self.client.query(
                TableName=self.table_name,
                KeyConditionExpression="#partition = :partition",
                ProjectionExpression="#sequence, #length, children",
                ExpressionAttributeNames={
                    "#partition": self.keys.partition,
                    "#sequence": self.keys.sequence,
                    "#length": "length",
                },
                ExpressionAttributeValues={":partition": {"S": partition}},
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        )
        if not answer["Items"]:
            return 0, ()
        item = decode_item(answer["Items"][0])
        return last_number(self.keys, item), children_of(item)

    def put_action(self, item: Mapping[str, AttributeValueTypeDef]) -> TransactWriteItemTypeDef:
        """Return the action that puts an encoded item where none is."""
        return {
            "Put": {
                "TableName": self.table_name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(#partition)",
                "ExpressionAttributeNames": {"#partition": self.keys.partition},
            }
        }

    def _item_at_or_before(self, partition: str, sequence: int) -> list[Item]:
        if sequence == 0:
            return []
        query: QueryInputTypeDef = {**self._query(partition, "<=", sequence), "ScanIndexForward": False, "Limit": 1}
        answer = self.retries.call(lambda: self.client.query(**query))
        return [decode_item(item) for item in answer["Items"]]

    def _query(self, partition: str, comparison: str, sequence: int) -> QueryInputTypeDef:
        return {
            "TableName": self.table_name,
            "KeyConditionExpression": f"#partition = :partition AND #sequence {comparison} :sequence",
            "ExpressionAttributeNames": {"#partition": self.keys.partition, "#sequence": self.keys.sequence},
            "ExpressionAttributeValues": {":partition": {"S": partition}, ":sequence": {"N": str(sequence)}},
            "ConsistentRead": True,
        }
