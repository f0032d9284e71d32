"""How far a consumer has come in each partition, and who may move it on: one item holds checkpoint and lease.

Because both are one item, a checkpoint is one write
whose condition is the lease's token: whoever lost the lease cannot move the checkpoint, however long it was paused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, encode_item
from patterns.dynamodb.refusals import condition_failed
from patterns.sequenced_log.consumer_table import NAMES
from patterns.sequenced_log.errors import LeaseLostError
from patterns.sequenced_log.events import check_name, check_sequence
from patterns.sequenced_log.leasing import Leases
from patterns.sequenced_log.parking import ParkedEvents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.sequenced_log.places import Lease


_MOVE = "#sequence = :sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints(Leases, ParkedEvents):
    """The checkpoints and leases of one consumer.

    Parameters
    ----------
    client, table_name
        Where they are.
    consumer
        Name of the consumer.
    clock
        Returns epoch ms.
    retries
        For transient trouble.
    lease_ms
        How long a lease lasts without a checkpoint; longer than handling one event ever takes.
    """

    def save(self, lease: Lease, sequence: int, *, finished: bool = False) -> None:
        """Move the checkpoint on and the lease's end with it.

        Raises
        ------
        LeaseLostError
            Somebody else has the lease: the checkpoint is refused.
        """
        assignments, values = _progress(lease, sequence, finished=finished)
        self._update(lease, [*assignments, "lease_until_ms = :until"], {**values, ":until": self.lease_end_ms()})
        _advance(lease, sequence, finished=finished)

    def commit(self, lease: Lease, sequence: int, actions: Sequence[TransactWriteItemTypeDef]) -> None:
        """Write an event's effects and the checkpoint behind it in one transaction: all or nothing, once.

        Raises
        ------
        LeaseLostError
            Somebody else has the lease: nothing was written.
        ClientError
            The actions were refused.
        """
        transaction: list[TransactWriteItemTypeDef] = [self.checkpoint_action(lease, sequence), *actions]
        try:
            self.retries.call(lambda: self.client.transact_write_items(TransactItems=transaction))
        except ClientError as error:
            if not condition_failed(error):
                raise
            # Refused the second time, an earlier attempt may have been written and its answer lost.
            found = self.item(lease.partition)
            if found is None or found["lease_token"] != lease.token:
                raise LeaseLostError(self.consumer, lease.partition, lease.token) from error
            if found["sequence"] != sequence:
                raise
        _advance(lease, sequence)

    def checkpoint_action(self, lease: Lease, sequence: int) -> TransactWriteItemTypeDef:
        """Return the action that moves the checkpoint on to `sequence`, for a transaction of one's own.

        It fails if the lease was lost, and if it has been done.
        """
        assignments, values = _progress(lease, sequence, finished=False)
        return {
            "Update": {
                "TableName": self.table_name,
                "Key": self.key(lease.partition),
                "UpdateExpression": f"SET {', '.join([*assignments, 'lease_until_ms = :until'])}",
                "ConditionExpression": "#token = :token AND #sequence < :sequence",
                "ExpressionAttributeNames": NAMES,
                "ExpressionAttributeValues": encode_item(
                    {**values, ":sequence": sequence, ":until": self.lease_end_ms(), ":token": lease.token}
                ),
            }
        }

    def count_failure(self, lease: Lease) -> None:
        """Remember that the event after the checkpoint failed once more.

        Raises
        ------
        LeaseLostError
            Somebody else has the lease.
        """
        failures = lease.failures + 1
        self._update(
            lease,
            ["failures = :failures", "lease_until_ms = :until"],
            {":failures": failures, ":until": self.lease_end_ms()},
        )
        lease.failures = failures

    def park(self, lease: Lease, sequence: int, reason: str, attempts: int) -> None:
        """Set the event `sequence`, the one after the checkpoint, aside and move on, in one transaction."""
        self.commit(lease, sequence, [self.park_action(lease.partition, sequence, reason, attempts)])

    def release(self, lease: Lease, sequence: int, *, finished: bool = False, unless_wanted: bool = False) -> bool:
        """Move the checkpoint on and give the lease back: one write.

        Parameters
        ----------
        lease, sequence
            The checkpoint's last word.
        finished
            The partition is done to its end.
        unless_wanted
            Keep the lease if somebody asked for later events meanwhile.

        Returns
        -------
        bool
            Whether it is given back.

        Raises
        ------
        LeaseLostError
            Somebody else has the lease.
        """
        assignments, values = _progress(lease, sequence, finished=finished)
        condition = ""
        if unless_wanted:
            condition, values = " AND (attribute_not_exists(wanted) OR wanted <= :come)", {**values, ":come": sequence}
        try:
            self._update(
                lease,
                [*assignments, "active = :idle"],
                {**values, ":idle": False},
                remove=" REMOVE holder, lease_until_ms, wanted",
                condition=condition,
            )
        except LeaseLostError:
            found = self.item(lease.partition) if unless_wanted else None
            if found is None or found["lease_token"] != lease.token:
                raise
            return False
        _advance(lease, sequence, finished=finished)
        return True

    def rewind(self, partition: str, sequence: int) -> None:
        """Put the checkpoint anywhere, backwards or forwards; whoever holds the lease loses it."""
        check_name("partition", partition)
        check_sequence("sequence", sequence)
        self.retries.call(
            lambda: self.client.update_item(
                TableName=self.table_name,
                Key=self.key(partition),
                UpdateExpression="SET #sequence = :sequence, active = :idle, takeovers = :none, failures = :none"
                " REMOVE finished, holder, lease_until_ms, wanted ADD #token :one",
                ExpressionAttributeNames=NAMES,
                ExpressionAttributeValues=encode_item({":sequence": sequence, ":idle": False, ":none": 0, ":one": 1}),
            )
        )

    def _update(
        self,
        lease: Lease,
        assignments: Sequence[str],
        values: Mapping[str, Any],
        *,
        remove: str = "",
        condition: str = "",
    ) -> None:
        names = {"#token": "lease_token"}
        if _MOVE in assignments:
            names, condition = NAMES, f"{condition} AND #sequence <= :sequence"
        try:
            self.retries.call(
                lambda: self.client.update_item(
                    TableName=self.table_name,
                    Key=self.key(lease.partition),
                    UpdateExpression=f"SET {', '.join(assignments)}{remove}",
                    ConditionExpression=f"#token = :token{condition}",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=encode_item({**values, ":token": lease.token}),
                )
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise LeaseLostError(self.consumer, lease.partition, lease.token) from error


def _progress(lease: Lease, sequence: int, *, finished: bool) -> tuple[list[str], Item]:
    """The assignments of a checkpoint, and their values.

    One that does not move is not written, and none moves back: it stands further on than the run knows if an effect was
    written with it and the answer lost for good.
    """
    assignments, values = list[str](), cast("Item", {})
    if sequence > lease.sequence:
        assignments += [_MOVE, "takeovers = :none", "failures = :none"]
        values |= {":sequence": sequence, ":none": 0}
    if finished:
        assignments.append("finished = :finished")
        values[":finished"] = True
    return assignments, values


def _advance(lease: Lease, sequence: int, *, finished: bool = False) -> None:
    if sequence > lease.sequence:
        lease.sequence, lease.takeovers, lease.failures = sequence, 0, 0
    lease.finished = lease.finished or finished
