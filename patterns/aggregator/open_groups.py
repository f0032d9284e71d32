"""Groups without an outcome, found by an index that holds no others; and the end of those that waited too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from patterns.aggregator.errors import InvalidSettingError
from patterns.aggregator.group import HEADER, INDEX_SHARDS, GroupState, pending_key
from patterns.dynamodb.items import decode_item, read_int, read_str

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from patterns.aggregator.aggregator import Aggregator


@dataclass(frozen=True, slots=True)
class UnfinishedGroup:
    """A group without an outcome, and since when (epoch ms): opened, or complete if that is what was asked for."""

    group_id: str
    since_ms: int


def unfinished(aggregator: Aggregator, state: GroupState, until_ms: int) -> Iterator[UnfinishedGroup]:
    """Yield the groups that entered OPEN or COMPLETE no later than a time and have no outcome yet."""
    for shard in range(INDEX_SHARDS):
        query: QueryInputTypeDef = {
            "TableName": aggregator.table_name,
            "IndexName": aggregator.index_name,
            "KeyConditionExpression": "#pending = :pending AND #since <= :until",
            "ExpressionAttributeNames": {"#pending": "pending", "#since": "pending_since_ms"},
            "ExpressionAttributeValues": {":pending": {"S": f"{state}#{shard}"}, ":until": {"N": str(until_ms)}},
        }
        while True:
            answer = aggregator.client.query(**query)
            for item in answer["Items"]:
                keys = decode_item({name: item[name] for name in (aggregator.hash_key, "pending_since_ms")})
                yield UnfinishedGroup(read_str(keys, aggregator.hash_key), read_int(keys, "pending_since_ms"))
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def complete_overdue(aggregator: Aggregator, *, most: int) -> int:
    """Complete the groups that are open for the aggregator's timeout; see `Aggregator.complete_overdue`."""
    if aggregator.timeout_ms is None:
        raise InvalidSettingError("timeout_ms", None, "must be set to complete overdue groups")
    completed = 0
    for group in unfinished(aggregator, GroupState.OPEN, aggregator.clock() - aggregator.timeout_ms):
        if completed == most:
            break
        completed += _complete(aggregator, group.group_id)
    return completed


def _complete(aggregator: Aggregator, group_id: str) -> bool:
    try:
        aggregator.client.update_item(
            TableName=aggregator.table_name,
            Key={aggregator.hash_key: {"S": group_id}, aggregator.range_key: {"S": HEADER}},
            UpdateExpression=(
                "SET #state = :complete, #pending = :pending, #since = :now, #completed_at_ms = :now, "
                "#completed_by = :timeout"
            ),
            # The index may be out of date: records may have completed the group since.
            ConditionExpression="#state = :open",
            ExpressionAttributeNames={
                "#state": "state",
                "#pending": "pending",
                "#since": "pending_since_ms",
                "#completed_at_ms": "completed_at_ms",
                "#completed_by": "completed_by",
            },
            ExpressionAttributeValues={
                ":open": {"S": GroupState.OPEN},
                ":complete": {"S": GroupState.COMPLETE},
                ":pending": pending_key(GroupState.COMPLETE, group_id),
                ":now": {"N": str(aggregator.clock())},
                ":timeout": {"S": "timeout"},
            },
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
            raise
        return False
    return True
