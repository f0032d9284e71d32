"""Adding records to a group: each once, and at most one of the writes finds its group complete."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from patterns.aggregator.completion import ByKinds
from patterns.aggregator.errors import (
    ContendedGroupError,
    DifferentRecordError,
    InvalidRecordError,
    RecordTooLargeError,
)
from patterns.aggregator.group import (
    HEADER,
    RECORD_PREFIX,
    TOTAL_PREFIX,
    GroupState,
    NewRecord,
    check_group_id,
    check_record_id,
    no_progress,
    pending_key,
    read_entry,
    read_progress,
)
from patterns.aggregator.group_table import MOST_ATTEMPTS, DuplicatePolicy, GroupTable, LatePolicy
from patterns.dynamodb.item_size import LARGEST_ITEM, item_size
from patterns.dynamodb.items import Item, encode_item
from patterns.dynamodb.refusals import condition_failed
from patterns.dynamodb.transactions import attempt, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

    from patterns.aggregator.group import Entry

    _Attributes = Mapping[str, AttributeValueTypeDef]

MOST_TOTALS = 100
"""Names of amounts in one call: each is an operand of the header's update, whose expression has 4 KB."""

LARGEST_AMOUNT = 10**30 - 1
"""DynamoDB's numbers have 38 digits; the rest is for the total."""

_NEW = "attribute_not_exists(#group)"


class Added(StrEnum):
    """What became of a record."""

    ADDED = "ADDED"
    """Stored; the group is still open."""
    COMPLETED = "COMPLETED"
    """Stored, and with it the group became complete: its action will be invoked once."""
    DUPLICATE = "DUPLICATE"
    """Stored by an earlier call; nothing was written."""
    LATE = "LATE"
    """The group was complete before; kept or not according to `LatePolicy`."""


def add_all(table: GroupTable, group_id: str, new: Iterable[NewRecord]) -> list[Added]:
    """Add records to a group; see `Aggregator.add_all`."""
    check_group_id(group_id)
    records = list(new)
    writes = [_record_item(table, group_id, record) for record in records]
    totals = {name for record in records for name in record.amounts}
    if len(totals) > MOST_TOTALS:
        raise InvalidRecordError("amounts", sorted(totals), f"must have {MOST_TOTALS} names at most in one call")
    added = [Added.DUPLICATE] * len(records)
    first: dict[str, int] = {}
    for position, record in enumerate(records):
        earlier = records[first.setdefault(record.record_id, position)]
        if table.duplicates == DuplicatePolicy.REFUSE_DIFFERENT:
            _check_same(group_id, record, earlier)
    for batch in cut(sorted(first.values()), [size for _, size in writes]):
        pending = {position: (records[position], writes[position][0]) for position in batch}
        _add_batch(table, group_id, pending, added)
    return added


def _record_item(table: GroupTable, group_id: str, new: NewRecord) -> tuple[_Attributes, int]:
    check_record_id(new.record_id)
    if new.kind is not None and (type(new.kind) is not str or not new.kind):
        raise InvalidRecordError("kind", new.kind, "must be text that is not empty, or None")
    for name, amount in new.amounts.items():
        if type(amount) is not int or not name or abs(amount) > LARGEST_AMOUNT:
            raise InvalidRecordError("amount", {name: amount}, "must be an integer of 30 digits at most with a name")
    item: Item = {
        table.hash_key: group_id,
        table.range_key: RECORD_PREFIX + new.record_id,
        "record": new.record,
        "added_at_ms": table.clock(),
    }
    if new.kind is not None:
        item["kind"] = new.kind
    if table.retention_ms is not None:
        item["expires_at_s"] = table.expires_at_s(table.retention_ms)
    attributes = encode_item(item)
    size = item_size({**item, "late": True})
    if size > LARGEST_ITEM:
        raise RecordTooLargeError(new.record_id, size, LARGEST_ITEM)
    if isinstance(table.completion, ByKinds) and new.kind is None:
        rule = f"needs a kind: its group waits for {sorted(table.completion.kinds)}"
        raise InvalidRecordError("record", new.record_id, rule)
    return attributes, size


def _put(table: GroupTable, attributes: _Attributes) -> TransactWriteItemTypeDef:
    return {
        "Put": {
            "TableName": table.table_name,
            "Item": attributes,
            "ConditionExpression": _NEW,
            "ExpressionAttributeNames": {"#group": table.hash_key},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _add_batch(
    table: GroupTable,
    group_id: str,
    batch: dict[int, tuple[NewRecord, _Attributes]],
    added: list[Added],
) -> None:
    progress = table.progress(group_id) if table.completion.reads_first else None
    progress = progress or no_progress(group_id, table.clock())
    attempts = 0
    while batch:
        new = [record for record, _ in batch.values()]
        guess = table.completion.guess(progress, new)
        update = _header_update(table, group_id, new, guess.completes)
        _add_condition(update, guess.condition, guess.values)
        refusal = attempt(
            table.client, [*(_put(table, attributes) for _, attributes in batch.values()), {"Update": update}]
        )
        if refusal is None:
            outcomes = [Added.ADDED] * (len(batch) - 1) + [Added.COMPLETED if guess.completes else Added.ADDED]
            for position, outcome in zip(batch, outcomes, strict=True):
                added[position] = outcome
            return
        positions = list(batch)
        for action, item in refusal.failed.items():
            if action == len(positions):
                progress = read_progress(group_id, item) if item else no_progress(group_id, table.clock())
            else:
                _check_duplicate(table, group_id, batch.pop(positions[action])[0], item)
        # Only the refusal by the header tells, too, which records are duplicates; a header that was read does not.
        if len(positions) in refusal.failed and progress.state is not GroupState.OPEN:
            _add_late(table, group_id, batch, added)
            return
        attempts = 0 if len(batch) < len(positions) else attempts + 1
        if attempts == MOST_ATTEMPTS:
            raise ContendedGroupError(group_id, attempts)
        # A first wrong guess is told at once; whoever guesses wrong again races with others.
        if not refusal.failed or attempts > 1:
            table.retries.wait(attempts)


def _header_update(table: GroupTable, group_id: str, new: Sequence[NewRecord], completes: bool) -> UpdateTypeDef:
    now = table.clock()
    state = GroupState.COMPLETE if completes else GroupState.OPEN
    names = {
        name: name[1:] for name in ("#state", "#records", "#kinds", "#opened_at_ms", "#pending", "#pending_since_ms")
    }
    values: dict[str, Any] = {
        ":state": {"S": state},
        ":open": {"S": GroupState.OPEN},
        ":added": {"N": str(len(new))},
        ":pending": pending_key(state, group_id),
        ":now": {"N": str(now)},
    }
    since = ":now" if completes else "if_not_exists(#pending_since_ms, :now)"
    sets = [
        "#state = :state",
        "#opened_at_ms = if_not_exists(#opened_at_ms, :now)",
        "#pending = :pending",
        f"#pending_since_ms = {since}",
    ]
    adds = ["#records :added"]
    if completes:
        names |= {"#completed_at_ms": "completed_at_ms", "#completed_by": "completed_by"}
        values[":records"] = {"S": "records"}
        sets += ["#completed_at_ms = :now", "#completed_by = :records"]
    if table.retention_ms is not None:
        names["#expires_at_s"] = "expires_at_s"
        values[":expires"] = {"N": str(table.expires_at_s(table.retention_ms))}
        sets.append("#expires_at_s = :expires")
    kinds = sorted({record.kind for record in new if record.kind})
    if kinds:
        values[":kinds"] = {"SS": kinds}
        adds.append("#kinds :kinds")
    else:
        del names["#kinds"]
    totals: dict[str, int] = {}
    for record in new:
        for name, amount in record.amounts.items():
            totals[name] = totals.get(name, 0) + amount
    for number, (name, amount) in enumerate(totals.items()):
        names[f"#total{number}"] = TOTAL_PREFIX + name
        values[f":total{number}"] = {"N": str(amount)}
        adds.append(f"#total{number} :total{number}")
    return {
        "TableName": table.table_name,
        "Key": table.key(group_id, HEADER),
        "UpdateExpression": f"SET {', '.join(sets)} ADD {', '.join(adds)}",
        "ConditionExpression": "(attribute_not_exists(#state) OR #state = :open)",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _check_duplicate(table: GroupTable, group_id: str, new: NewRecord, stored: Mapping[str, Any]) -> None:
    if table.duplicates == DuplicatePolicy.REFUSE_DIFFERENT:
        _check_same(group_id, new, read_entry(RECORD_PREFIX + new.record_id, stored))


def _check_same(group_id: str, new: NewRecord, first: NewRecord | Entry) -> None:
    if (first.record, first.kind) != (new.record, new.kind):
        raise DifferentRecordError(group_id, new.record_id, first.record)


def _add_late(
    table: GroupTable, group_id: str, batch: Mapping[int, tuple[NewRecord, _Attributes]], added: list[Added]
) -> None:
    for position, (new, attributes) in batch.items():
        added[position] = Added.LATE
        if table.late == LatePolicy.DROP:
            continue
        try:
            table.client.put_item(
                TableName=table.table_name,
                Item={**attributes, "late": {"BOOL": True}},
                ConditionExpression=_NEW,
                ExpressionAttributeNames={"#group": table.hash_key},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            added[position] = Added.DUPLICATE
            key = table.key(group_id, RECORD_PREFIX + new.record_id)
            stored = table.client.get_item(TableName=table.table_name, Key=key, ConsistentRead=True)
            _check_duplicate(table, group_id, new, stored.get("Item", attributes))


def _add_condition(update: UpdateTypeDef, condition: str, values: Mapping[str, AttributeValueTypeDef]) -> None:
    if not condition:
        return
    update["ConditionExpression"] = f"{update.get('ConditionExpression')} AND {condition}"
    merged = cast("Any", update)
    merged["ExpressionAttributeValues"].update(values)
    if "#kinds" in condition:
        merged["ExpressionAttributeNames"]["#kinds"] = "kinds"
