"""What event delivery tells about itself, for status displays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MappingStats:
    """Counters of a mapping or pipe since the engine was created, over all its shards.

    Attributes
    ----------
    name : str
        The resource's name in the program.
    enabled : bool
        Whether it runs.
    shards : int
        Shards being read.
    records, filtered, discarded : int
        Records read; of these, filtered out; of these, given up.
    batches, failures, retries, not_reached : int
        Batches delivered; of these, failed in the target; repeated; not taken by the target (throttled).
    destination_failures : int
        Messages about discarded records that could not be sent.
    open_records : int
        Records read and not finished.
    iterator_age_ms : int
        Age of the last record of the batch finished last, the worst of the shards (Lambda's metric IteratorAge).
    last_error : str
        The latest problem; empty if there was none.
    """

    name: str
    enabled: bool
    shards: int
    records: int
    filtered: int
    discarded: int
    batches: int
    failures: int
    retries: int
    not_reached: int
    destination_failures: int
    open_records: int
    iterator_age_ms: int
    last_error: str


@dataclass(frozen=True, slots=True)
class ScheduleStats:
    """A schedule's firings since its runner was created.

    Attributes
    ----------
    name : str
        The resource's name in the program.
    enabled : bool
        Whether it fires.
    last_ms, next_ms : int | None
        Epoch milliseconds it was last due at, and is due at next; None for not yet and never again.
    firings, discarded, open_events : int
        Events sent on their way; of these, given up; of these, not delivered yet.
    last_error : str
        Why the latest event that could not be delivered was refused; empty if there was none.
    """

    name: str
    enabled: bool
    last_ms: int | None
    next_ms: int | None
    firings: int
    discarded: int
    open_events: int
    last_error: str
