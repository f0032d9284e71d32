"""Sequenced log: gap-free numbered events in partitions, and consumers that handle each of them in order.

`SequencedLog` appends single entries inside a transaction of your own. `EventLog` appends batches by itself, recognises
repeated events, and splits partitions; `Consumer` reads both.
"""

from __future__ import annotations

from patterns.dynamodb.retries import Retries
from patterns.sequenced_log.checkpoints import Checkpoints
from patterns.sequenced_log.consumer import Consumer, Handler, Lag, Outcome, RunReport, TooManyActionsError
from patterns.sequenced_log.errors import (
    ContentionError,
    GapError,
    InvalidInputError,
    LeaseLostError,
    PartitionClosedError,
    SequenceConflictError,
    SequencedLogError,
    UnknownPartitionError,
)
from patterns.sequenced_log.event_log import Appended, EventLog
from patterns.sequenced_log.events import Event, KeyNames, NewEvent
from patterns.sequenced_log.log import SequencedLog
from patterns.sequenced_log.partitions import Partition, Partitions, prefixes_of, route
from patterns.sequenced_log.places import Checkpoint, Lease, Parked

__all__ = [
    "Appended",
    "Checkpoint",
    "Checkpoints",
    "Consumer",
    "ContentionError",
    "Event",
    "EventLog",
    "GapError",
    "Handler",
    "InvalidInputError",
    "KeyNames",
    "Lag",
    "Lease",
    "LeaseLostError",
    "NewEvent",
    "Outcome",
    "Parked",
    "Partition",
    "PartitionClosedError",
    "Partitions",
    "Retries",
    "RunReport",
    "SequenceConflictError",
    "SequencedLog",
    "SequencedLogError",
    "TooManyActionsError",
    "UnknownPartitionError",
    "prefixes_of",
    "route",
]
