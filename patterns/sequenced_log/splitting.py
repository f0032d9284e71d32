"""Splitting a partition: closing it and registering its children, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from patterns.dynamodb.items import encode_item
from patterns.dynamodb.refusals import cancellation_codes
from patterns.dynamodb.transient import LOST_ANSWERS, is_transient
from patterns.sequenced_log.errors import (
    ContentionError,
    InvalidInputError,
    PartitionClosedError,
    UnknownPartitionError,
)
from patterns.sequenced_log.events import check_name
from patterns.sequenced_log.partitions import LARGEST_SPLIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patterns.dynamodb.items import Item
    from patterns.sequenced_log.event_table import EventTable
    from patterns.sequenced_log.partitions import Partitions


def split(table: EventTable, partitions: Partitions, partition: str, children: Sequence[str]) -> int:
    """Close a partition and let children go on in its place; see `EventLog.split`."""
    for name in (partition, *children):
        check_name("partition", name)
    if not 2 <= len(children) <= LARGEST_SPLIT or len({partition, *children}) != 1 + len(children):
        rule = f"must be 2..{LARGEST_SPLIT} different names, none of them the parent's"
        raise InvalidInputError("children", list(children), rule)
    for _ in table.retries:
        head, closed_into = table.end(partition)
        if closed_into:
            if closed_into != tuple(children):
                raise PartitionClosedError(partition, closed_into)
            return head
        closing: Item = {
            table.keys.partition: partition,
            table.keys.sequence: head + 1,
            "length": 1,
            "children": [*children],
            "appended_at_ms": table.clock(),
        }
        actions = [table.put_action(encode_item(closing)), *partitions.split_actions(partition, children)]
        try:
            table.client.transact_write_items(TransactItems=actions)
        except (ClientError, *LOST_ANSWERS) as error:
            if is_transient(error):
                continue
            codes = cancellation_codes(error)
            if not codes:
                raise
            if codes[0] == "None":
                _explain(partition, children, codes)
        else:
            return head + 1
    raise ContentionError(partition, table.retries.attempts)


def _explain(partition: str, children: Sequence[str], codes: Sequence[str]) -> None:
    used = [child for child, code in zip(children, codes[1:], strict=False) if code == "ConditionalCheckFailed"]
    if used:
        raise InvalidInputError("children", used, "must be names that have never been used")
    if codes[-1] == "ConditionalCheckFailed":
        raise UnknownPartitionError(partition)
