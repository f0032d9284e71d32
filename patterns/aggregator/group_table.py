"""The table of groups: where it is, the rules its groups live by, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from patterns.aggregator.completion import ByCount, ByKinds, ByPredicate, ByTimeout
from patterns.aggregator.errors import InvalidCompletionError, InvalidSettingError
from patterns.aggregator.group import HEADER, RECORD_PREFIX, Entry, Progress, check_group_id, read_entry, read_progress
from patterns.dynamodb.items import decode_item, read_str
from patterns.dynamodb.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

    from patterns.aggregator.completion import Completion

MOST_ATTEMPTS = 10
"""Attempts in a row without progress before `ContendedGroupError`."""


class LatePolicy(StrEnum):
    """What happens to a record that comes when its group is complete. The action never happens again."""

    DROP = "DROP"
    """It is not stored."""
    KEEP = "KEEP"
    """It is stored, marked late, and not shown to the action."""


class DuplicatePolicy(StrEnum):
    """What happens to a second record under an id of the group. The first one always stays."""

    KEEP_FIRST = "KEEP_FIRST"
    """It is a duplicate, whatever its content."""
    REFUSE_DIFFERENT = "REFUSE_DIFFERENT"
    """It is a duplicate if content and kind are the same, else a `DifferentRecordError`. Amounts are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """What all that is done with groups stands on; see `Aggregator` for the parameters."""

    client: DynamoDBClient
    table_name: str
    completion: Completion
    clock: Callable[[], int]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    timeout_ms: int | None = None
    late: LatePolicy = LatePolicy.DROP
    duplicates: DuplicatePolicy = DuplicatePolicy.KEEP_FIRST
    lease_ms: int = 60_000
    retention_ms: int | None = None
    hash_key: str = "group_id"
    range_key: str = "entry"
    index_name: str = "pending"

    def __post_init__(self) -> None:
        # The type says what a rule is; this is for callers without a type checker.
        if not isinstance(self.completion, (ByCount, ByKinds, ByPredicate, ByTimeout)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidCompletionError(self.completion, "must be ByCount, ByKinds, ByPredicate or ByTimeout")
        for name, policies in (("late", LatePolicy), ("duplicates", DuplicatePolicy)):
            if getattr(self, name) not in tuple(policies):
                raise InvalidSettingError(name, getattr(self, name), f"must be one of {', '.join(policies)}")
        for name in ("timeout_ms", "lease_ms", "retention_ms"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise InvalidSettingError(name, value, "must be a positive number of milliseconds")
        if isinstance(self.completion, ByTimeout) and self.timeout_ms is None:
            raise InvalidCompletionError("timeout", "needs timeout_ms, or no group is ever complete")
        if self.retention_ms is not None and self.retention_ms <= (self.timeout_ms or 0):
            raise InvalidSettingError(
                "retention_ms", self.retention_ms, f"must be longer than timeout_ms, which is {self.timeout_ms}"
            )

    def progress(self, group_id: str) -> Progress | None:
        """Return how far a group is, None if it has no record. One strongly consistent read of its header."""
        answer = self.client.get_item(
            TableName=self.table_name, Key=self.key(check_group_id(group_id), HEADER), ConsistentRead=True
        )
        return read_progress(group_id, answer["Item"]) if "Item" in answer else None

    def records(self, group_id: str) -> Iterator[Entry]:
        """Yield a group's records in the order of their ids, late ones too, a page at a time as they are consumed."""
        query: QueryInputTypeDef = {
            "TableName": self.table_name,
            "KeyConditionExpression": "#group = :group AND begins_with(#entry, :records)",
            "ExpressionAttributeNames": {"#group": self.hash_key, "#entry": self.range_key},
            "ExpressionAttributeValues": {":group": {"S": check_group_id(group_id)}, ":records": {"S": RECORD_PREFIX}},
            "ConsistentRead": True,
        }
        while True:
            answer = self.client.query(**query)
            for item in answer["Items"]:
                yield read_entry(read_str(decode_item({"entry": item[self.range_key]}), "entry"), item)
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def expires_at_s(self, retention_ms: int) -> int:
        """Return when what is written at this moment may be deleted, epoch seconds.

        A group completes no later than its timeout, so its first record is there as long after that as its last one.
        """
        return (self.clock() + (self.timeout_ms or 0) + retention_ms) // 1000

    def key(self, group_id: str, entry: str) -> dict[str, AttributeValueTypeDef]:
        """Return the key of a group's header or of one of its records."""
        return {self.hash_key: {"S": group_id}, self.range_key: {"S": entry}}

    @property
    def retries(self) -> Retries:
        """Attempts at a transaction that others may win."""
        return Retries(sleep=self.sleep, random=self.random, attempts=MOST_ATTEMPTS, first_wait_ms=40)
