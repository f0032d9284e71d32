"""Acting on complete groups: claim, act, write the outcome under the claim; and the same for a batch of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from patterns.aggregator.errors import ClaimLostError, ContendedGroupError, GroupBusyError, OutcomeRefusedError
from patterns.aggregator.group import HEADER, Entry, GroupState, Progress, read_progress
from patterns.dynamodb.items import Item, encode_value
from patterns.dynamodb.refusals import condition_failed
from patterns.dynamodb.transactions import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.aggregator.group_table import GroupTable


class Fired(StrEnum):
    """What `fire` did."""

    FIRED = "FIRED"
    """The action ran and its outcome is written."""
    ALREADY_DONE = "ALREADY_DONE"
    """The outcome was written before; the action did not run."""
    NOT_COMPLETE = "NOT_COMPLETE"
    """The group is open or unknown; the action did not run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action leaves behind.

    Parameters
    ----------
    result
        Kept in the group's header.
    writes
        Actions of a TransactWriteItems call, at most 99, none on the group's header. They are written in one
        transaction with the group's DONE: an effect given here happens exactly once, whatever crashes.
    """

    result: Item = field(default_factory=dict[str, Any])
    writes: Sequence[TransactWriteItemTypeDef] = ()


@dataclass(frozen=True, slots=True)
class CompleteGroup:
    """What an action gets to see. `records` reads the group's records, late ones left out, as they are consumed.

    An action that calls another system passes `group_id` as idempotency key: it may run again after a crash.
    """

    group_id: str
    progress: Progress
    records: Callable[[], Iterator[Entry]]


Action: TypeAlias = "Callable[[CompleteGroup], Outcome | None]"
"""Acts on a complete group. An exception leaves the group claimed and unfired, to be delivered again."""


def fire(table: GroupTable, group_id: str, action: Action, *, owner: str) -> Fired:
    """Act on a complete group, once.

    Parameters
    ----------
    table, group_id
        The group.
    action
        What to do. Effects it returns as `Outcome.writes` happen exactly once. Effects it has by itself happen at least
        once, and again only if the invocation died or lost its lease between the effect and the outcome's write.
    owner
        Who asks, the same for every delivery of the same event: the id of the stream record, for example. A repeated
        delivery goes on at once, since its predecessor is dead; another owner waits for the lease to run out.

    Raises
    ------
    GroupBusyError
        Another owner acts on it. Deliver the event again.
    ClaimLostError
        The lease ran out while the action ran and another invocation took over. Nothing was written.
    OutcomeRefusedError
        A condition among `Outcome.writes` failed. Nothing was written.
    ContendedGroupError
        The outcome could not be written for conflicts or throttling.
    """
    progress = _claim(table, group_id, owner)
    if isinstance(progress, Fired):
        return progress

    def records() -> Iterator[Entry]:
        return (entry for entry in table.records(group_id) if not entry.late)

    outcome = action(CompleteGroup(group_id, progress, records)) or Outcome()
    _settle(table, group_id, progress.claims, outcome)
    return Fired.FIRED


def complete_groups(
    event: Mapping[str, Any],
    aggregator: GroupTable,
    action: Action,
    on_error: Callable[[str, Exception], None] = lambda _group_id, _error: None,
) -> dict[str, list[dict[str, str]]]:
    """Handle an event of the table's stream, filtered to completions.

    Parameters
    ----------
    event
        Lambda event of a DynamoDB event source mapping that reports partial failures.
    aggregator, action
        As for `fire`.
    on_error
        Told of every group that failed, to log it.

    Returns
    -------
    dict
        ``{"batchItemFailures": [...]}``: a group that fails holds up no other one of the batch. Lambda delivers it
        again, together with what followed it in its shard of the stream, until it succeeds or is given up.
    """
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        change: Mapping[str, Any] = record["dynamodb"]
        keys = change["Keys"]
        image = change.get("NewImage", {})
        if keys[aggregator.range_key]["S"] != HEADER or image.get("state", {}).get("S") != GroupState.COMPLETE:
            continue  # the mapping was made without the filter
        group_id = keys[aggregator.hash_key]["S"]
        try:
            fire(aggregator, group_id, action, owner=record["eventID"])
        except Exception as error:  # whatever it is, it is this group's alone
            on_error(group_id, error)
            failures.append({"itemIdentifier": change["SequenceNumber"]})
    return {"batchItemFailures": failures}


def _claim(table: GroupTable, group_id: str, owner: str) -> Progress | Fired:
    now = table.clock()
    try:
        answer = table.client.update_item(
            TableName=table.table_name,
            Key=table.key(group_id, HEADER),
            UpdateExpression="SET #state = :firing, #owner = :owner, #lease = :lease ADD #claims :one",
            ConditionExpression="#state = :complete OR (#state = :firing AND (#owner = :owner OR #lease <= :now))",
            ExpressionAttributeNames={
                "#state": "state",
                "#owner": "claimed_by",
                "#lease": "lease_until_ms",
                "#claims": "claims",
            },
            ExpressionAttributeValues={
                ":complete": {"S": GroupState.COMPLETE},
                ":firing": {"S": GroupState.FIRING},
                ":owner": {"S": owner},
                ":lease": {"N": str(now + table.lease_ms)},
                ":now": {"N": str(now)},
                ":one": {"N": "1"},
            },
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if not condition_failed(error):
            raise
    else:
        return read_progress(group_id, answer["Attributes"])
    progress = table.progress(group_id)
    if progress is None or progress.state is GroupState.OPEN:
        return Fired.NOT_COMPLETE
    if progress.state is GroupState.DONE:
        return Fired.ALREADY_DONE
    raise GroupBusyError(group_id, progress.lease_until_ms)


def _settle(table: GroupTable, group_id: str, token: int, outcome: Outcome) -> None:
    done: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": table.table_name,
            "Key": table.key(group_id, HEADER),
            "UpdateExpression": "SET #state = :done, #outcome = :outcome, #done_at_ms = :now REMOVE #pending, #since",
            "ConditionExpression": "#state = :firing AND #claims = :token",
            "ExpressionAttributeNames": {
                "#state": "state",
                "#outcome": "outcome",
                "#done_at_ms": "done_at_ms",
                "#claims": "claims",
                "#pending": "pending",
                "#since": "pending_since_ms",
            },
            "ExpressionAttributeValues": {
                ":firing": {"S": GroupState.FIRING},
                ":done": {"S": GroupState.DONE},
                ":token": {"N": str(token)},
                ":outcome": encode_value(outcome.result),
                ":now": {"N": str(table.clock())},
            },
        }
    }
    for _ in table.retries:
        refusal = attempt(table.client, [done, *outcome.writes])
        if refusal is None:
            return
        if 0 in refusal.failed:
            # A lost answer: the outcome was written by an attempt that seemed to fail.
            progress = table.progress(group_id)
            if progress and progress.state is GroupState.DONE and progress.claims == token:
                return
            raise ClaimLostError(group_id, token)
        if refusal.failed:
            raise OutcomeRefusedError(group_id, [position - 1 for position in refusal.failed])
    raise ContendedGroupError(group_id, table.retries.attempts)
