"""Where batches go: a function, or the Kinesis stream behind a pipe; and what their answers mean."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Protocol, cast

from local.delivery.ports import NotReachedError, TargetError
from local.delivery.records import lambda_event_record, pipe_event
from local.delivery.shard import Entry, Failed, NotReached, Outcome, Succeeded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.delivery.mappings import EventSourceMapping, Pipe
    from local.delivery.ports import Invocation, Invoker, KinesisSink
    from local.delivery.records import Json, StreamRecord

_PATH_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\['([^']+)'\]")
_LONGEST_PARTITION_KEY = 256


class Target(Protocol):
    """Makes events of records and delivers batches of them."""

    def entry(self, record: StreamRecord, shard_id: str) -> Entry: ...

    def deliver(self, entries: Sequence[Entry]) -> Outcome: ...


class FunctionTarget:
    """Invokes a function with `{"Records": […]}`."""

    def __init__(self, mapping: EventSourceMapping, invoker: Invoker) -> None:
        self._mapping = mapping
        self._invoker = invoker

    def entry(self, record: StreamRecord, shard_id: str) -> Entry:
        """Return the record with the element of `Records` it becomes."""
        return _entry(record, lambda_event_record(record, self._mapping.source, shard_id, self._mapping.role_arn))

    def deliver(self, entries: Sequence[Entry]) -> Outcome:
        """Invoke once and interpret the answer."""
        try:
            invocation = self._invoker.invoke(self._mapping.function, {"Records": [entry.event for entry in entries]})
        except NotReachedError as error:
            return NotReached(str(error))
        if invocation.function_error:
            reason = f"function error: {json.dumps(invocation.response, default=str)[:500]}"
            return Failed(reason, 0, invocation.function_error, invocation.request_id)
        if not self._mapping.report_item_failures:
            return Succeeded()
        return item_failures(invocation, [entry.record.sequence_number for entry in entries])


def item_failures(invocation: Invocation, sequence_numbers: Sequence[str]) -> Outcome:
    """Interpret a response under ReportBatchItemFailures.

    Source: AWS Lambda Developer Guide, "Configuring partial batch response with Kinesis Data Streams and Lambda". An
    empty or null response, or an empty or null `batchItemFailures`, is complete success; with several items the lowest
    sequence number is the checkpoint; an item that is empty, null, badly named or not of this batch is complete
    failure, and so is a response that is not a JSON object.

    Parameters
    ----------
    invocation : Invocation
        What came back, without function error.
    sequence_numbers : Sequence[str]
        Of the batch, in order.
    """
    response = invocation.response
    if response in (None, "", {}):
        return Succeeded()
    malformed = Failed(f"malformed response: {json.dumps(response, default=str)[:200]}", 0, None, invocation.request_id)
    if not isinstance(response, dict):
        return malformed
    items = cast("Mapping[str, object]", response).get("batchItemFailures")
    if items is None or items == []:
        return Succeeded()
    if not isinstance(items, list):
        return malformed
    index_of = {number: index for index, number in enumerate(sequence_numbers)}
    first_failed = len(sequence_numbers)
    for item in cast("list[object]", items):
        identifier = cast("Mapping[str, object]", item).get("itemIdentifier") if isinstance(item, dict) else None
        index = index_of.get(identifier) if isinstance(identifier, str) else None
        if index is None:
            return malformed
        first_failed = min(first_failed, index)
    reason = f"{len(cast('list[object]', items))} item(s) reported as failed"
    return Failed(reason, first_failed, None, invocation.request_id)


class PipeTarget:
    """Puts events, as JSON, into a Kinesis stream under the pipe's partition key.

    When PutRecords takes only part of a batch, "EventBridge automatically retries batching the remainder of the
    payload" (EventBridge User Guide, "Amazon EventBridge Pipes batching and concurrency"). The remainder is taken to be
    everything from the first entry that failed, as for every stream consumer: so after a failure a key's records come
    again in order, and none follows a later one for good. Entries put before may come twice.
    """

    def __init__(self, pipe: Pipe, sink: KinesisSink) -> None:
        self._pipe = pipe
        self._sink = sink

    def entry(self, record: StreamRecord, shard_id: str) -> Entry:
        """Return the record with the event the pipe carries."""
        return _entry(record, pipe_event(record, self._pipe.source, shard_id, self._pipe.role_arn))

    def deliver(self, entries: Sequence[Entry]) -> Outcome:
        """Put the batch in one call; an entry without partition key fails, and nothing after it is put."""
        rows: list[tuple[str, bytes]] = []
        reason = ""
        for entry in entries:
            try:
                key = resolve_partition_key(self._pipe.partition_key, entry.event)
            except TargetError as error:
                reason = str(error)
                break
            rows.append((key, json.dumps(entry.event, separators=(",", ":")).encode()))
        if rows:
            try:
                codes = self._sink.put_records(self._pipe.target_stream_arn, rows)
            except NotReachedError as error:
                return NotReached(str(error))
            except TargetError as error:
                return Failed(str(error))
            failed = next((index for index, code in enumerate(codes) if code), None)
            if failed is not None:
                return Failed(f"PutRecords: {codes[failed]}", failed)
        return Failed(reason, len(rows)) if reason else Succeeded()


def resolve_partition_key(template: str, event: Json) -> str:
    """Return the partition key of an event: a literal, or what a JSON path finds.

    Raises
    ------
    TargetError
        The path finds nothing, no text or number, or more than 256 characters.
    """
    if not template.startswith("$"):
        return template
    value: object = event
    for field, index, quoted in _PATH_STEP.findall(template):
        if index and isinstance(value, list) and int(index) < len(cast("list[object]", value)):
            value = cast("list[object]", value)[int(index)]
        elif not index and isinstance(value, dict):
            value = cast("Mapping[str, object]", value).get(field or quoted)
        else:
            value = None
    if (
        not isinstance(value, (str, int))
        or isinstance(value, bool)
        or not 0 < len(str(value)) <= _LONGEST_PARTITION_KEY
    ):
        raise TargetError(f"partition key {template} finds {type(value).__name__}, not 1 to 256 characters")
    return str(value)


def _entry(record: StreamRecord, event: Json) -> Entry:
    return Entry(record, event, len(json.dumps(event, separators=(",", ":"))))
