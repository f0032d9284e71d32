"""Which partitions there are, which came out of which, and who looks after them.

Table: partition key ``log`` (S), sort key ``partition`` (S), index ``by_placement`` on ``log`` and ``placement`` (S). A
partition's placement starts with the hexadecimal digits of a digest of its name, so that names which all begin alike
still spread. Instances share the partitions out by prefixes of it, each reads its own with `begins_with` on the index,
and nobody scans.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item, encode_item, read_str
from patterns.dynamodb.refusals import condition_failed
from patterns.sequenced_log.errors import InvalidInputError
from patterns.sequenced_log.events import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef

    from patterns.dynamodb.retries import Retries

PLACEMENT_INDEX = "by_placement"
LARGEST_SPLIT = 16

_PLACEMENT_DIGITS = 8
_HEX = "0123456789abcdef"
_MOST_INSTANCES = len(_HEX) ** 2


@dataclass(frozen=True, slots=True)
class Partition:
    """A registered partition; `parent` is None unless it came out of a split."""

    name: str
    parent: str | None
    children: tuple[str, ...]
    registered_at_ms: int


def placement_of(partition: str) -> str:
    """Return a partition's place in the index: 8 hexadecimal digits of its digest, then its name."""
    return f"{sha256(partition.encode()).hexdigest()[:_PLACEMENT_DIGITS]}#{partition}"


def prefixes_of(instance: int, instances: int) -> tuple[str, ...]:
    """Return the placement prefixes an instance looks after.

    The same on every machine, every prefix has exactly one instance, and shares differ by one prefix at most.

    Parameters
    ----------
    instance
        Number of the instance, from 0.
    instances
        How many there are, 1..256.

    Raises
    ------
    InvalidInputError
        A number outside its range.

    Examples
    --------
    >>> prefixes_of(0, 8), prefixes_of(7, 8)
    (('0', '8'), ('7', 'f'))
    >>> prefixes_of(0, 1)
    ('',)
    """
    if not 1 <= instances <= _MOST_INSTANCES:
        raise InvalidInputError("instances", instances, f"must be 1..{_MOST_INSTANCES}")
    if not 0 <= instance < instances:
        raise InvalidInputError("instance", instance, f"must be 0..{instances - 1}")
    if instances == 1:
        return ("",)
    prefixes = tuple(_HEX) if instances <= len(_HEX) else tuple(a + b for a in _HEX for b in _HEX)
    return prefixes[instance::instances]


def route(key: str, partitions: Sequence[str]) -> str:
    """Choose a partition for a key: always the same one for the same key and partitions.

    Examples
    --------
    >>> route("player-7", ["europe-a", "europe-b"])
    'europe-a'
    """
    if not partitions:
        raise InvalidInputError("partitions", partitions, "must name at least one")
    # Highest score wins: a partition that joins takes keys from the others, none moves between those.
    return max(partitions, key=lambda partition: sha256(f"{partition}\0{key}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """The partitions of one log.

    Parameters
    ----------
    client, table_name
        Where they are.
    log
        Name of the log; several logs may share a table.
    clock
        Returns epoch ms.
    retries
        For transient trouble.
    """

    client: DynamoDBClient
    table_name: str
    log: str
    clock: Callable[[], int]
    retries: Retries

    def register(self, partition: str) -> None:
        """Make a partition known; nothing happens if it is. 1 write unit, also if it is."""
        check_name("partition", partition)
        try:
            self.retries.call(
                lambda: self.client.put_item(
                    TableName=self.table_name,
                    Item=encode_item(self._item(partition, None)),
                    ConditionExpression="attribute_not_exists(#partition)",
                    ExpressionAttributeNames={"#partition": "partition"},
                )
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    def get(self, partition: str) -> Partition | None:
        """Look a partition up, strongly consistent: 1 read unit."""
        answer = self.retries.call(
            lambda: self.client.get_item(
                TableName=self.table_name,
                Key=encode_item({"log": self.log, "partition": partition}),
                ConsistentRead=True,
            )
        )
        return _decode(decode_item(answer["Item"])) if "Item" in answer else None

    def assigned(self, instance: int = 0, instances: int = 1) -> Iterator[Partition]:
        """Yield the partitions that an instance looks after, a page at a time.

        Eventually consistent, as every index: a partition registered this second may show up in the next listing.

        Parameters
        ----------
        instance, instances
            See `prefixes_of`.
        """
        for prefix in prefixes_of(instance, instances):
            yield from self._placed(prefix)

    def split_actions(self, parent: str, children: Sequence[str]) -> list[TransactWriteItemTypeDef]:
        """Return the actions that register a split: the children as new, the parent with its children."""
        actions: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self.table_name,
                    "Item": encode_item(self._item(child, parent)),
                    "ConditionExpression": "attribute_not_exists(#partition)",
                    "ExpressionAttributeNames": {"#partition": "partition"},
                }
            }
            for child in children
        ]
        actions.append(
            {
                "Update": {
                    "TableName": self.table_name,
                    "Key": encode_item({"log": self.log, "partition": parent}),
                    "UpdateExpression": "SET children = :children",
                    "ConditionExpression": "attribute_exists(#partition) AND attribute_not_exists(children)",
                    "ExpressionAttributeNames": {"#partition": "partition"},
                    "ExpressionAttributeValues": encode_item({":children": [*children]}),
                }
            }
        )
        return actions

    def _placed(self, prefix: str) -> Iterator[Partition]:
        condition, values = "#log = :log", {":log": {"S": self.log}}
        if prefix:
            condition, values = f"{condition} AND begins_with(placement, :prefix)", {**values, ":prefix": {"S": prefix}}
        query: QueryInputTypeDef = {
            "TableName": self.table_name,
            "IndexName": PLACEMENT_INDEX,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#log": "log"},
            "ExpressionAttributeValues": values,
        }
        while True:
            answer = self.retries.call(lambda: self.client.query(**query))
            yield from (_decode(decode_item(item)) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _item(self, partition: str, parent: str | None) -> Item:
        item: Item = {
            "log": self.log,
            "partition": partition,
            "placement": placement_of(partition),
            "registered_at_ms": self.clock(),
        }
        return item if parent is None else {**item, "parent": parent}


def _decode(item: Item) -> Partition:
    return Partition(
        name=read_str(item, "partition"),
        parent=cast("str | None", item.get("parent")),
        children=tuple(cast("list[str]", item.get("children", []))),
        registered_at_ms=cast("int", item["registered_at_ms"]),
    )
