"""A DynamoDB to hold against a pattern library: moto in this process, or the emulator of the local environment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient

_numbers: Iterator[int] = count(1)


class Index(NamedTuple):
    """A global secondary index with all attributes; attribute types are DynamoDB's letters."""

    name: str
    hash_key: str
    hash_key_type: str = "S"
    range_key: str | None = None
    range_key_type: str = "S"


@dataclass(frozen=True, slots=True)
class Store:
    """Makes tables of any shape; every one is new and empty."""

    name: str
    client: DynamoDBClient

    def create_table(
        self,
        hash_key: str,
        range_key: str | None = None,
        *,
        range_key_type: str = "S",
        indexes: Sequence[Index] = (),
        stream: bool = False,
    ) -> str:
        """Create a table with a text partition key and return its name."""
        name = f"table-{next(_numbers)}"
        types = {hash_key: "S"} | ({range_key: range_key_type} if range_key else {})
        for index in indexes:
            types |= {index.hash_key: index.hash_key_type}
            types |= {index.range_key: index.range_key_type} if index.range_key else {}
        optional: dict[str, Any] = {}
        if indexes:
            optional["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index.name,
                    "KeySchema": _key_schema(index.hash_key, index.range_key),
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index in indexes
            ]
        if stream:
            optional["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        self.client.create_table(
            TableName=name,
            KeySchema=_key_schema(hash_key, range_key),
            AttributeDefinitions=cast("Any", _definitions(types.items())),
            BillingMode="PAY_PER_REQUEST",
            **optional,
        )
        return name


def _key_schema(hash_key: str, range_key: str | None) -> Any:
    schema = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else [])


def _definitions(types: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types]
