"""Orders that are past their time, as records of the orders stream: found by index, executed by the matcher in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from patterns.dynamodb.transient import LOST_ANSWERS, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

    from functions.clock import Clock
    from patterns.dynamodb.retries import Retries

BY_EXPIRY: Final = "by-expiry"
"""Sparse index of both sides of the book: material, then expires_at_ms; only orders with an end are in it."""

ORDERS_PER_RECORD: Final = 100

_ORDERS_PER_PAGE: Final = 1000
"""Ten records, 2 MB with the longest players' names: PutRecords takes 500 records and 5 MB."""


class Side(NamedTuple):
    """One side of the book: its table, and what its items call an order and its player."""

    name: str
    table_name: str
    id_attribute: str
    player_attribute: str


class StreamRefusedError(Exception):
    """The stream did not take some records, however often they were put."""


@dataclass(slots=True)
class ExpiryReport:
    """What a run put on the stream; `finished` says whether that is every order that was due."""

    orders: int = 0
    records: int = 0
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Expirer:
    """Tells the matcher which orders are due.

    A run repeats what an earlier one said as long as the matcher has not executed it, which changes nothing.

    Parameters
    ----------
    dynamodb, sides
        Where the book is.
    kinesis, stream_name
        The orders stream.
    clock
        Epoch ms.
    retries
        For the records the stream refuses.
    """

    dynamodb: DynamoDBClient
    sides: Sequence[Side]
    kinesis: KinesisClient
    stream_name: str
    clock: Clock
    retries: Retries

    def run(self, materials: Iterable[str], may_go_on: Callable[[], bool]) -> ExpiryReport:
        """Put a record for every 100 orders that are due now.

        Parameters
        ----------
        materials
            Whose books.
        may_go_on
            Asked before each page of 1,000 orders; what is left when it says no is for the next run.

        Returns
        -------
        ExpiryReport
            How many.

        Raises
        ------
        StreamRefusedError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
            Not everything was put. The next run puts it.
        """
        report, now_ms = ExpiryReport(), self.clock()
        for material in materials:
            for side in self.sides:
                for orders in self._due(side, material, now_ms):
                    if not may_go_on():
                        report.finished = False
                        return report
                    records = _records(material, orders)
                    self._put(records)
                    report.orders += len(orders)
                    report.records += len(records)
        return report

    def _due(self, side: Side, material: str, now_ms: int) -> Iterator[list[dict[str, str]]]:
        query: QueryInputTypeDef = {
            "TableName": side.table_name,
            "IndexName": BY_EXPIRY,
            "KeyConditionExpression": "material = :material AND expires_at_ms <= :now",
            "ExpressionAttributeValues": {":material": {"S": material}, ":now": {"N": str(now_ms)}},
            "Limit": _ORDERS_PER_PAGE,
        }
        while True:
            answer = self.dynamodb.query(**query)
            if answer["Items"]:
                yield [_order(side, item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _put(self, records: Sequence[PutRecordsRequestEntryTypeDef]) -> None:
        for attempt in self.retries:
            try:
                answer = self.kinesis.put_records(StreamName=self.stream_name, Records=records)
            except (ClientError, *LOST_ANSWERS) as error:
                if attempt == self.retries.attempts or not is_transient(error):
                    raise
                continue
            # Some records may be refused and others not: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
            results = answer["Records"]
            records = [record for record, result in zip(records, results, strict=True) if result.get("ErrorCode")]
            if not records:
                return
        raise StreamRefusedError(f"{self.stream_name} refused {len(records)} records")


def _order(side: Side, item: Mapping[str, Any]) -> dict[str, str]:
    return {
        "side": side.name,
        "order_id": item[side.id_attribute]["S"],
        "player": item[side.player_attribute]["S"],
        "price_key": item["price_key"]["S"],
    }


def _records(material: str, orders: Sequence[dict[str, str]]) -> list[PutRecordsRequestEntryTypeDef]:
    return [
        {
            "Data": json.dumps(
                {"eventName": "EXPIRE", "material": material, "orders": orders[start : start + ORDERS_PER_RECORD]}
            ).encode(),
            "PartitionKey": material,
        }
        for start in range(0, len(orders), ORDERS_PER_RECORD)
    ]
