"""Where a consumer is: the lease it holds, the checkpoint others see, the events it has set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from patterns.dynamodb.items import read_int

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item


@dataclass(slots=True)
class Lease:
    """The right to handle a partition's events for a consumer.

    Attributes
    ----------
    token
        Rises with every lease of this consumer and partition: the fence.
    sequence
        The checkpoint: number of the last event that is done.
    takeovers
        How many leases in a row ended without release and without progress: the next event may be what kills them.
    failures
        Failed attempts of the event after the checkpoint.
    finished
        The partition was split and is done to its end.
    """

    partition: str
    token: int
    sequence: int
    takeovers: int = 0
    failures: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A consumer's place in a partition, as read without holding the lease."""

    partition: str
    sequence: int
    active: bool = False
    lease_until_ms: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Parked:
    """An event set aside after its last attempt; it is still in the log under its number."""

    partition: str
    sequence: int
    reason: str
    attempts: int
    parked_at_ms: int


def decode_lease(item: Item) -> Lease:
    """Return the lease that a consumer's item holds."""
    return Lease(
        partition=str(item["partition"]),
        token=read_int(item, "lease_token"),
        sequence=read_int(item, "sequence"),
        takeovers=cast("int", item.get("takeovers", 0)),
        failures=cast("int", item.get("failures", 0)),
        finished=bool(item.get("finished", False)),
    )


def decode_checkpoint(partition: str, item: Item | None) -> Checkpoint:
    """Return the checkpoint in a consumer's item, at 0 if there is none."""
    if item is None:
        return Checkpoint(partition, 0)
    return Checkpoint(
        partition,
        read_int(item, "sequence"),
        bool(item["active"]),
        cast("int", item.get("lease_until_ms", 0)),
        bool(item.get("finished", False)),
    )


def decode_parked(item: Item) -> Parked:
    """Return a parked event of its item."""
    return Parked(
        partition=str(item["parked_partition"]),
        sequence=read_int(item, "sequence"),
        reason=str(item["reason"]),
        attempts=read_int(item, "attempts"),
        parked_at_ms=read_int(item, "parked_at_ms"),
    )
