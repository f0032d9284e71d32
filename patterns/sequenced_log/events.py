"""Events, and the one item that a whole batch of them becomes.

A batch is stored as one item under the number of its first event. Appending n events then costs the write units of
their bytes, not n rounded-up items, and reading them one query. Two appenders that read the same head always meet on
the same key, however many events each has: that is what makes the numbers gap-free.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

from patterns.dynamodb.item_size import LARGEST_ITEM, item_size
from patterns.dynamodb.items import Item, ItemCodecError, encode_item, read_int, read_str
from patterns.dynamodb.texts import is_text
from patterns.sequenced_log.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from patterns.dynamodb.items import Value

LARGEST_BATCH = 99
"""Events an append may have: with its ids they are one transaction, which has at most 100 items."""

LONGEST_NAME = 256  # bytes; partition and id together fit into a key of 2048
ID_SEPARATOR = "~"
"""Between partition and event id in the key of a remembered id; so it is no part of a partition's name."""

Data: TypeAlias = Item
"""Content of an event: attribute name to plain value (str, int, bool, bytes, None, list, dict)."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append.

    Parameters
    ----------
    data
        Its content.
    event_id
        Appending an id a second time appends nothing. Without one, only retries inside the call are recognised.
    """

    data: Data
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of the log.

    Attributes
    ----------
    partition, sequence
        Its position; the first event of a partition has number 1.
    data, event_id
        As appended.
    appended_at_ms
        The appender's clock, epoch ms; None for items written with `SequencedLog.append_action`.
    children
        Not empty for the last entry of a split partition, which has no data and is not shown to handlers.
    """

    partition: str
    sequence: int
    data: Data = field(hash=False)
    event_id: str | None = None
    appended_at_ms: int | None = None
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyNames:
    """Names of the two key attributes of the events table."""

    partition: str = "partition"
    sequence: str = "sequence"


def encode_batch(
    keys: KeyNames,
    partition: str,
    first: int,
    events: Sequence[NewEvent],
    *,
    append_token: str,
    appended_at_ms: int,
) -> dict[str, AttributeValueTypeDef]:
    """Return the item of a batch, encoded.

    Raises
    ------
    InvalidInputError
        It would be larger than DynamoDB's 400 KB, or a value has no exact counterpart there.
    """
    members: list[Value] = []
    for event in events:
        member: Item = {"data": event.data}
        members.append(member if event.event_id is None else {**member, "id": event.event_id})
    item: Item = {
        keys.partition: partition,
        keys.sequence: first,
        "length": len(events),
        "events": members,
        "append_token": append_token,
        "appended_at_ms": appended_at_ms,
    }
    try:
        encoded = encode_item(item)
    except ItemCodecError as error:
        raise InvalidInputError("data", [event.data for event in events], str(error)) from None
    if (size := item_size(item)) > LARGEST_ITEM:
        raise InvalidInputError(
            "events", f"{len(events)} of {size} bytes", f"a batch has at most {LARGEST_ITEM} bytes as one item"
        )
    return encoded


def decode_batch(keys: KeyNames, item: Item) -> list[Event]:
    """Return the events of a stored item, in order; an item without batch is one event, its attributes the data."""
    partition, first = read_str(item, keys.partition), read_int(item, keys.sequence)
    if "children" in item:
        return [Event(partition=partition, sequence=first, data={}, children=children_of(item))]
    if "events" not in item:
        data = {name: value for name, value in item.items() if name not in (keys.partition, keys.sequence)}
        return [Event(partition=partition, sequence=first, data=data)]
    return [
        Event(
            partition=partition,
            sequence=first + offset,
            data=cast("Item", member["data"]),
            event_id=cast("str | None", member.get("id")),
            appended_at_ms=read_int(item, "appended_at_ms"),
        )
        for offset, member in enumerate(cast("list[Item]", item["events"]))
    ]


def last_number(keys: KeyNames, item: Item) -> int:
    """Return the number of the last event in a stored item."""
    return read_int(item, keys.sequence) + (read_int(item, "length") if "length" in item else 1) - 1


def children_of(item: Item) -> tuple[str, ...]:
    """Return the children that a stored item hands over to, none for all but the last one of a split partition."""
    return tuple(cast("list[str]", item.get("children", [])))


def check_name(name: str, value: str) -> None:
    """Require 1 to 256 bytes of text without the separator.

    Raises
    ------
    InvalidInputError
        Otherwise.
    """
    if not _is_short_text(value) or ID_SEPARATOR in value:
        raise InvalidInputError(name, value, f"must be 1..{LONGEST_NAME} bytes without {ID_SEPARATOR!r}")


def _is_short_text(value: object) -> bool:
    return type(value) is str and is_text(value, LONGEST_NAME)


def check_sequence(name: str, value: int) -> None:
    """Require a whole number of at least 0.

    Raises
    ------
    InvalidInputError
        Otherwise.
    """
    if type(value) is not int or value < 0:
        raise InvalidInputError(name, value, "must be a whole number of at least 0")


def check_events(events: Sequence[NewEvent], append_id: str | None) -> None:
    """Require 1 to 99 events, dicts as data, ids for all or none, no id twice, no append id beside them.

    Raises
    ------
    InvalidInputError
        Otherwise.
    """
    if not 0 < len(events) <= LARGEST_BATCH:
        raise InvalidInputError("events", f"{len(events)} events", f"an append has 1..{LARGEST_BATCH} events")
    for event in events:
        if type(event.data) is not dict:
            raise InvalidInputError("data", event.data, "must be a dict of attribute names and plain values")
    ids = [event.event_id for event in events if event.event_id is not None]
    for name, value in (*(("event_id", event_id) for event_id in ids), ("append_id", append_id)):
        if value is not None and not _is_short_text(value):
            raise InvalidInputError(name, value, f"must be text of 1..{LONGEST_NAME} bytes")
    if len(ids) not in (0, len(events)):
        raise InvalidInputError("events", f"{len(ids)} ids", "either every event of an append has an id or none has")
    if len(set(ids)) != len(ids):
        raise InvalidInputError("events", sorted(ids), "an id occurs twice in one append")
    if ids and append_id is not None:
        raise InvalidInputError("append_id", append_id, "is for events without ids of their own")
