"""A log whose next entry exists once: whoever appends second learns that what it read is no longer true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from patterns.dynamodb.items import Item, decode_item, encode_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class SequencedLog:
    """A table of entries numbered 1, 2, 3 … within each partition.

    The number is the fence: read `head` before anything else, decide, and write the decision in one transaction with
    `append_action(partition, head + 1, …)`. If anybody appended in between, the whole transaction is cancelled. So
    nobody needs a lock, a writer that was paused for an hour changes nothing, and a number is never skipped, which a
    counter kept beside the entries cannot promise.

    Each number is one item here. A table that `EventLog` appends batches to takes `EventLog.append_action` instead.

    Parameters
    ----------
    client
        DynamoDB client.
    table_name
        Table with a text partition key and a number as sort key.
    partition_key, sequence_key
        Names of the two.
    """

    client: DynamoDBClient
    table_name: str
    partition_key: str
    sequence_key: str = "sequence"

    def head(self, partition: str) -> int:
        """Return the number of the partition's last entry, 0 if it has none. One strongly consistent read."""
        answer = self.client.query(
            TableName=self.table_name,
            KeyConditionExpression="#partition = :partition",
            ProjectionExpression="#sequence",
            ExpressionAttributeNames={"#partition": self.partition_key, "#sequence": self.sequence_key},
            ExpressionAttributeValues={":partition": {"S": partition}},
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
        )
        for entry in map(decode_item, answer["Items"]):
            return cast("int", entry[self.sequence_key])
        return 0

    def append_action(self, partition: str, sequence: int, attributes: Item) -> TransactWriteItemTypeDef:
        """Return the action that appends an entry, for a TransactWriteItems call.

        Parameters
        ----------
        partition
            Whose log.
        sequence
            `head` + 1, and 1 more for each further entry of the same reading.
        attributes
            The entry's content, plain values; at most 400 KB as an item.

        Returns
        -------
        TransactWriteItemTypeDef
            A Put whose condition fails if the number is taken.
        """
        return {
            "Put": {
                "TableName": self.table_name,
                "Item": encode_item({**attributes, self.partition_key: partition, self.sequence_key: sequence}),
                "ConditionExpression": "attribute_not_exists(#partition)",
                "ExpressionAttributeNames": {"#partition": self.partition_key},
            }
        }

    def after(self, partition: str, sequence: int) -> Iterator[Item]:
        """Yield the entries numbered higher than `sequence`, in order, until none is left.

        Strongly consistent, one page at a time as the entries are consumed. To go on later, pass the number of the last
        entry handled.
        """
        query: QueryInputTypeDef = {
            "TableName": self.table_name,
            "KeyConditionExpression": "#partition = :partition AND #sequence > :sequence",
            "ExpressionAttributeNames": {"#partition": self.partition_key, "#sequence": self.sequence_key},
            "ExpressionAttributeValues": {":partition": {"S": partition}, ":sequence": {"N": str(sequence)}},
            "ConsistentRead": True,
        }
        while True:
            answer = self.client.query(**query)
            yield from map(decode_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
