"""How a group lies in its table: one header item that knows how far the group is, one item for each record."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

from patterns.aggregator.errors import InvalidKeyError
from patterns.dynamodb.items import Item, decode_item, read_int, read_str
from patterns.dynamodb.texts import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

HEADER = "group"
RECORD_PREFIX = "record#"
TOTAL_PREFIX = "total_"
LONGEST_GROUP_ID = 2048
LONGEST_RECORD_ID = 1024 - len(RECORD_PREFIX)
"""Bytes; DynamoDB's limits of a partition key and, less our prefix, of a sort key."""

INDEX_SHARDS = 4
"""Partitions of the index over which unfinished groups are spread; each takes about 1,000 index writes a second."""


class GroupState(StrEnum):
    """Where a group stands; it only ever moves down this list."""

    OPEN = "OPEN"
    """Collecting."""
    COMPLETE = "COMPLETE"
    """Complete, nobody acts yet. Written once for each group: what the event source mapping lets through."""
    FIRING = "FIRING"
    """An invocation holds the claim and acts."""
    DONE = "DONE"
    """The outcome is written."""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to add.

    Parameters
    ----------
    record_id
        Its name within the group; the same name is the same record. 1 to 1,017 bytes.
    record
        Its content, plain values.
    kind
        What it is, for completion by kinds.
    amounts
        Integers of at most 30 digits to sum up in the group's `Progress.totals`, for completion by predicate. The
        group's header has an attribute for each name: a few, not one for each record.
    """

    record_id: str
    record: Item
    kind: str | None = None
    amounts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored record; `late` if it came after the group was complete."""

    record_id: str
    record: Item
    kind: str | None
    added_at_ms: int
    late: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a group is: what completion is decided on, without reading the records."""

    group_id: str
    state: GroupState
    records: int
    kinds: frozenset[str]
    totals: Mapping[str, int]
    opened_at_ms: int
    completed_at_ms: int | None
    completed_by: str | None
    """``records`` or ``timeout``; None while the group is open."""
    outcome: Item | None
    """What the action returned; None before it did."""
    claims: int
    """How often the group was claimed for its action; also the fencing token of the last claim."""
    lease_until_ms: int


def no_progress(group_id: str, now_ms: int) -> Progress:
    """Return the progress of a group that has no record yet."""
    return Progress(group_id, GroupState.OPEN, 0, frozenset(), {}, now_ms, None, None, None, 0, 0)


def read_progress(group_id: str, attributes: Mapping[str, Any]) -> Progress:
    """Read a header item as the low-level client returns it."""
    # The kinds are a string set, so that adding one is idempotent; the exact codec knows no sets.
    kinds = cast("Mapping[str, list[str]]", attributes.get("kinds", {"SS": []}))["SS"]
    header = decode_item({name: value for name, value in attributes.items() if name != "kinds"})
    return Progress(
        group_id=group_id,
        state=GroupState(read_str(header, "state")),
        records=read_int(header, "records"),
        kinds=frozenset(kinds),
        totals={
            name.removeprefix(TOTAL_PREFIX): read_int(header, name) for name in header if name.startswith(TOTAL_PREFIX)
        },
        opened_at_ms=read_int(header, "opened_at_ms"),
        completed_at_ms=cast("int | None", header.get("completed_at_ms")),
        completed_by=cast("str | None", header.get("completed_by")),
        outcome=cast("Item | None", header.get("outcome")),
        claims=cast("int", header.get("claims", 0)),
        lease_until_ms=cast("int", header.get("lease_until_ms", 0)),
    )


def read_entry(entry: str, attributes: Mapping[str, Any]) -> Entry:
    """Read a record item; `entry` is its sort key."""
    item = decode_item(attributes)
    return Entry(
        record_id=entry.removeprefix(RECORD_PREFIX),
        record=cast("Item", item["record"]),
        kind=cast("str | None", item.get("kind")),
        added_at_ms=read_int(item, "added_at_ms"),
        late=item.get("late") is True,
    )


def check_group_id(group_id: str) -> str:
    """Return a group id that can be a partition key.

    Raises
    ------
    InvalidKeyError
        It is not text of 1 to 2,048 bytes.
    """
    return _check_key("group id", group_id, LONGEST_GROUP_ID)


def check_record_id(record_id: str) -> str:
    """Return a record id that can be part of a sort key.

    Raises
    ------
    InvalidKeyError
        It is not text of 1 to 1,017 bytes.
    """
    return _check_key("record id", record_id, LONGEST_RECORD_ID)


def pending_key(state: GroupState, group_id: str) -> AttributeValueTypeDef:
    """Return the index partition that lists a group while it is in a state."""
    return {"S": f"{state}#{crc32(group_id.encode()) % INDEX_SHARDS}"}


def _check_key(name: str, value: object, longest: int) -> str:
    if not is_text(value, longest):
        raise InvalidKeyError(name, value, f"must be text of 1 to {longest} bytes in UTF-8")
    return value
