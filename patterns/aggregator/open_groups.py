"""Groups without an outcome, found by an index that holds no others; and the end of those that waited too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from patterns.aggregator.errors import InvalidSettingError
from patterns.aggregator.group import HEADER, INDEX_SHARDS, GroupState, pending_key
from patterns.dynamodb.items import decode_item, read_int, read_str
from patterns.dynamodb.refusals import condition_failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from patterns.aggregator.group_table import GroupTable


@dataclass(frozen=True, slots=True)
class UnfinishedGroup:
    """A group without an outcome, and since when (epoch ms): opened, or complete if that is what was asked for."""

    group_id: str
    since_ms: int


def unfinished(table: GroupTable, state: GroupState, until_ms: int) -> Iterator[UnfinishedGroup]:
    """Yield the groups that entered OPEN or COMPLETE no later than a time and have no outcome yet."""
    for shard in range(INDEX_SHARDS):
        query: QueryInputTypeDef = {
            "TableName": table.table_name,
            "IndexName": table.index_name,
            "KeyConditionExpression": "#pending = :pending AND #since <= :until",
            "ExpressionAttributeNames": {"#pending": "pending", "#since": "pending_since_ms"},
            "ExpressionAttributeValues": {":pending": {"S": f"{state}#{shard}"}, ":until": {"N": str(until_ms)}},
        }
        while True:
            answer = table.client.query(**query)
            for item in answer["Items"]:
                keys = decode_item({name: item[name] for name in (table.hash_key, "pending_since_ms")})
                yield UnfinishedGroup(read_str(keys, table.hash_key), read_int(keys, "pending_since_ms"))
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def complete_overdue(table: GroupTable, *, most: int) -> int:
    """Complete the groups that are open for the aggregator's timeout; see `Aggregator.complete_overdue`."""
    if table.timeout_ms is None:
        raise InvalidSettingError("timeout_ms", None, "must be set to complete overdue groups")
    completed = 0
    for group in unfinished(table, GroupState.OPEN, table.clock() - table.timeout_ms):
        if completed == most:
            break
        completed += _complete(table, group.group_id)
    return completed


def _complete(table: GroupTable, group_id: str) -> bool:
    try:
        table.client.update_item(
            TableName=table.table_name,
            Key=table.key(group_id, HEADER),
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
                ":now": {"N": str(table.clock())},
                ":timeout": {"S": "timeout"},
            },
        )
    except ClientError as error:
        if not condition_failed(error):
            raise
        return False
    return True
