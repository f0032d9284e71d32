"""The aggregator: what a service holds, and all it can ask of its groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.aggregator.adding import Added, DuplicatePolicy, LatePolicy, add_all
from patterns.aggregator.completion import ByCount, ByKinds, ByPredicate, ByTimeout
from patterns.aggregator.errors import (
    InvalidCompletionError,
    InvalidSettingError,
)
from patterns.aggregator.firing import fire
from patterns.aggregator.group import (
    HEADER,
    RECORD_PREFIX,
    Entry,
    GroupState,
    NewRecord,
    Progress,
    check_group_id,
    read_entry,
    read_progress,
)
from patterns.aggregator.open_groups import UnfinishedGroup, complete_overdue, unfinished
from patterns.dynamodb.items import Item, decode_item, read_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        QueryInputTypeDef,
    )

    from patterns.aggregator.completion import Completion
    from patterns.aggregator.firing import Action, Fired


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator:
    """Groups of records in one table.

    Parameters
    ----------
    client, table_name
        Table with text keys `hash_key` and `range_key`; for `overdue`, `unfired` and `complete_overdue` with an index
        `index_name` of keys ``pending`` (text) and ``pending_since_ms`` (number), which needs no other attribute.
    completion
        When a group is complete.
    clock
        Epoch ms.
    sleep, random
        Waits so many seconds; uniform in [0, 1), spreads the attempts of competing writers.
    timeout_ms
        Age at which `complete_overdue` completes a group as it is. None: never.
    late, duplicates
        Policies.
    lease_ms
        How long an invocation may act before another may take its group over: no less than the function's timeout.
    retention_ms
        Time to live of a group's items from their last write on, in the attribute ``expires_at_s``; a record that comes
        even later begins a new group. None: for ever.
    hash_key, range_key, index_name
        Names.

    Raises
    ------
    InvalidSettingError
        A time is not positive; retention shorter than the timeout.
    InvalidCompletionError
        Not a completion rule; `ByTimeout` without a timeout.
    """

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

    def add(
        self,
        group_id: str,
        record_id: str,
        record: Item,
        *,
        kind: str | None = None,
        amounts: Mapping[str, int] | None = None,
    ) -> Added:
        """Add one record; see `add_all`."""
        (added,) = self.add_all(group_id, [NewRecord(record_id, record, kind, amounts or {})])
        return added

    def add_all(self, group_id: str, new: Iterable[NewRecord]) -> list[Added]:
        """Add records to a group, each once however often it is added.

        Up to 99 records go into one transaction with the group's header, all or nothing. Larger batches are cut; the
        call may then fail half-way, and is simply repeated. A batch that completes its group joins it whole.

        Parameters
        ----------
        group_id
            1 to 2,048 bytes.
        new
            The records, each at most 400 KB as an item.

        Returns
        -------
        list[Added]
            What became of each, in their order.

        Raises
        ------
        InvalidKeyError, InvalidRecordError, RecordTooLargeError
            A record or id of the wrong shape; nothing at all was written.
        DifferentRecordError
            According to `DuplicatePolicy`.
        ContendedGroupError
            After `MOST_ATTEMPTS` attempts lost to conflicts or throttling. What is stored by then stays.
        """
        return add_all(self, group_id, new)

    def progress(self, group_id: str) -> Progress | None:
        """Return how far a group is, None if it has no record. One strongly consistent read of its header."""
        answer = self.client.get_item(
            TableName=self.table_name, Key=self._key(check_group_id(group_id), HEADER), ConsistentRead=True
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

    def fire(self, group_id: str, action: Action, *, owner: str) -> Fired:
        """Act on a complete group, once; see `patterns.aggregator.firing.fire`."""
        return fire(self, group_id, action, owner=owner)

    def overdue(self, older_than_ms: int) -> Iterator[UnfinishedGroup]:
        """Yield groups that have been open for longer than this, oldest first within each partition of the index.

        Read from the index, so a group that was just opened or completed may be missing or still be there.
        """
        return unfinished(self, GroupState.OPEN, self.clock() - older_than_ms)

    def unfired(self, older_than_ms: int) -> Iterator[UnfinishedGroup]:
        """Yield groups that became complete longer ago than this and have no outcome yet.

        Their function failed until its records went to the on-failure queue. When the cause is mended, `fire` them.
        """
        return unfinished(self, GroupState.COMPLETE, self.clock() - older_than_ms)

    def complete_overdue(self, *, most: int = 1000) -> int:
        """Complete the groups that are open for `timeout_ms`, and return how many did.

        Each then takes the same way as one completed by records: its function is invoked once. Run it on a schedule; it
        may run twice at a time, and what one run leaves the next one takes.

        Raises
        ------
        InvalidSettingError
            The aggregator has no timeout.
        """
        return complete_overdue(self, most=most)

    def _key(self, group_id: str, entry: str) -> dict[str, AttributeValueTypeDef]:
        return {self.hash_key: {"S": group_id}, self.range_key: {"S": entry}}
