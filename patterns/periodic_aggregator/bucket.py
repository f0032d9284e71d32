"""How a bucket lies in its table: for each of its shards one header item and one item for each record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from zlib import crc32

from patterns.dynamodb.items import Item, decode_item, read_int, read_str
from patterns.dynamodb.texts import is_text
from patterns.periodic_aggregator.errors import InvalidKeyError, InvalidRecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

HASH_KEY = "bucket"
RANGE_KEY = "entry"
INDEX_HASH_KEY = "pending"
INDEX_RANGE_KEY = "closes_at_ms"
HEADER = "bucket"
RECORD_PREFIX = "record#"
LATE_PREFIX = "late#"
"""Sort keys of headers are lower than both, so that one query reads a shard's records and not its header."""

INDEX_SHARDS = 4
"""Partitions of the index over which unprocessed buckets are spread."""

LONGEST_KEY = 1900
LONGEST_RECORD_ID = 992  # of 1,024 bytes of a sort key; the rest is for a late record's mark and bucket
_LATEST_MS = 10**15


class BucketState(StrEnum):
    """Where a shard of a bucket stands; shard 0 speaks for the whole bucket."""

    OPEN = "OPEN"
    """Collecting."""
    CLOSED = "CLOSED"
    """Takes no record; in shard 0: somebody processes the bucket."""
    DONE = "DONE"
    """In shard 0 only: processed, the outcome is written."""


class Bucket(NamedTuple):
    """A key's bucket, by its start."""

    key: str
    start_ms: int

    def partition(self, shard: int) -> str:
        """Return the partition key of a shard."""
        return f"{self.key}#{self.start_ms}#{shard}"

    def header(self, shard: int) -> dict[str, AttributeValueTypeDef]:
        """Return the key of a shard's header."""
        return {HASH_KEY: {"S": self.partition(shard)}, RANGE_KEY: {"S": HEADER}}

    def pending(self, shard: int) -> str:
        """Return the index partition that lists a shard until its bucket is processed."""
        return f"{HEADER}#{crc32(self.partition(shard).encode()) % INDEX_SHARDS}"


def parse_partition(partition: str) -> tuple[Bucket, int]:
    """Return the bucket and the shard a partition key names."""
    key, start_ms, shard = partition.rsplit("#", 2)
    return Bucket(key, int(start_ms)), int(shard)


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to add.

    Parameters
    ----------
    record_id
        Its name, unique among the records of its key and bucket; the same name is the same record. 1 to 992 bytes.
    record
        Its content, plain values; at most 400 KB.
    at_ms
        When it happened, epoch ms: decides on the bucket.
    """

    record_id: str
    record: Item
    at_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A record of a bucket; `late` if it happened in an earlier bucket, which was closed, or re-opened this one."""

    record_id: str
    record: Item
    at_ms: int
    late: bool


def read_stored(attributes: Mapping[str, Any]) -> Stored | None:
    """Read a record item; None for the mark of a record that went to a later bucket."""
    item = decode_item(attributes)
    if "moved_to_ms" in item:
        return None
    entry = read_str(item, RANGE_KEY)
    return Stored(
        record_id=entry.removeprefix(RECORD_PREFIX) if entry.startswith(RECORD_PREFIX) else entry.split("#", 2)[2],
        record=cast("Item", item["record"]),
        at_ms=read_int(item, "at_ms"),
        late=item.get("late") is True,
    )


def check_key(key: str) -> str:
    """Return a key that can be part of a partition key.

    Raises
    ------
    InvalidKeyError
        It is not text of 1 to 1,900 bytes.
    """
    return _check_text("key", key, LONGEST_KEY)


def check_record(new: NewRecord) -> NewRecord:
    """Return a record with a possible id and time.

    Raises
    ------
    InvalidKeyError
        Its id is not text of 1 to 992 bytes.
    InvalidRecordError
        Its time is not a non-negative integer of at most 15 digits.
    """
    _check_text("record id", new.record_id, LONGEST_RECORD_ID)
    if type(new.at_ms) is not int or not 0 <= new.at_ms < _LATEST_MS:
        raise InvalidRecordError("at_ms", new.at_ms, "must be epoch milliseconds")
    return new


def _check_text(name: str, value: object, longest: int) -> str:
    if not is_text(value, longest):
        raise InvalidKeyError(name, value, f"must be text of 1 to {longest} bytes in UTF-8")
    return value
