"""A record of the source table's stream, as the recorder reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.historic.attribution import Change
from patterns.historic.errors import UnreadableRecordError
from patterns.historic.images import Image, from_stream
from patterns.historic.version import stream_position

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME_TO_LIVE_PRINCIPAL = "dynamodb.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One write: where in the stream, when, to which item, and what it changed."""

    sequence_number: str
    position: str
    at_ms: int
    key: Image
    change: Change


def read_arrival(record: Mapping[str, Any]) -> Arrival:
    """Return what a record of a Lambda event tells.

    Raises
    ------
    UnreadableRecordError
        It is no record of a stream with new and old images.
    """
    try:
        body, operation = record["dynamodb"], record["eventName"]
        images = [from_stream(body[name]) if name in body else None for name in ("OldImage", "NewImage")]
        before, after = images
        if (operation != "INSERT") != (before is not None) or (operation != "REMOVE") != (after is not None):
            raise UnreadableRecordError(
                f"stream record of {operation} holds {sorted(body)}: the stream must have new and old images"
            )
        identity: Mapping[str, Any] = record.get("userIdentity") or {}
        return Arrival(
            sequence_number=body["SequenceNumber"],
            position=stream_position(record["eventSourceARN"], body["SequenceNumber"]),
            at_ms=round(body["ApproximateCreationDateTime"] * 1000),
            key=from_stream(body["Keys"]),
            change=Change(operation, before, after, expired=identity.get("principalId") == _TIME_TO_LIVE_PRINCIPAL),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecordError(f"not a record of a DynamoDB stream: {error!r:.120}") from error
