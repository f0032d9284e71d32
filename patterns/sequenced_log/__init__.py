"""Sequenced log: gap-free numbered events in partitions, and consumers that handle each of them in order.

`SequencedLog` appends single entries inside a transaction of your own. `EventLog` appends batches by itself, recognises
repeated events, and splits partitions; `Consumer` reads both.

A name is loaded when it is first used: who only appends starts without the consumer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from patterns.dynamodb.retries import Retries

if TYPE_CHECKING:
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

_MODULE_OF = {
    "Checkpoints": "checkpoints",
    "Consumer": "consumer",
    "Handler": "consumer",
    "Lag": "consumer",
    "Outcome": "consumer",
    "RunReport": "consumer",
    "TooManyActionsError": "consumer",
    "ContentionError": "errors",
    "GapError": "errors",
    "InvalidInputError": "errors",
    "LeaseLostError": "errors",
    "PartitionClosedError": "errors",
    "SequenceConflictError": "errors",
    "SequencedLogError": "errors",
    "UnknownPartitionError": "errors",
    "Appended": "event_log",
    "EventLog": "event_log",
    "Event": "events",
    "KeyNames": "events",
    "NewEvent": "events",
    "SequencedLog": "log",
    "Partition": "partitions",
    "Partitions": "partitions",
    "prefixes_of": "partitions",
    "route": "partitions",
    "Checkpoint": "places",
    "Lease": "places",
    "Parked": "places",
}


def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"patterns.sequenced_log.{module}"), name)
