"""How far a consumer has come in each partition, and who may move it on: one item holds checkpoint and lease.

Table: partition key ``consumer`` (S), sort key ``partition`` (S). Because both are one item, a checkpoint is one write
whose condition is the lease's token: whoever lost the lease cannot move the checkpoint, however long it was paused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item, encode_item, read_int
from patterns.sequenced_log.errors import InvalidInputError, LeaseLostError
from patterns.sequenced_log.events import ID_SEPARATOR, check_name, check_sequence
from patterns.sequenced_log.places import Checkpoint, Lease, Parked, decode_checkpoint, decode_lease, decode_parked
from patterns.sequenced_log.reading import get_many
from patterns.sequenced_log.retries import Retries, condition_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef

_NAMES = {"#sequence": "sequence", "#token": "lease_token"}


class FirstLease(Exception):  # noqa: N818 - a statement of what is the case
    """The consumer has never been in this partition."""


class Busy(Exception):  # noqa: N818 - a statement of what is the case
    """Somebody else holds a lease that has not expired; it knows of the events that are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
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

    client: DynamoDBClient
    table_name: str
    consumer: str
    clock: Callable[[], int]
    retries: Retries
    lease_ms: int = 60_000

    def __post_init__(self) -> None:
        check_name("consumer", self.consumer)
        if self.lease_ms < 1:
            raise InvalidInputError("lease_ms", self.lease_ms, "must be at least 1")

    def acquire(self, partition: str, holder: str, wanted: int, *, first: bool = False) -> Lease:
        """Take the lease: one write if nobody holds it.

        Parameters
        ----------
        partition
            Whose.
        holder
            A text nobody else uses, so that a lost answer is recognised.
        wanted
            Number of an event known to exist. If somebody else holds the lease, it learns that it must come so far.
        first
            Whether the consumer may enter the partition for the first time.

        Raises
        ------
        Busy
            Somebody else holds it.
        FirstLease
            It would be the first one, and `first` is false.
        """
        for _ in self.retries:
            try:
                return self._take(partition, holder, "active = :idle", {":idle": False})
            except ClientError as error:
                if not condition_failed(error):
                    raise
            found = self._get(partition)
            if found is None:
                if not first:
                    raise FirstLease
                condition, values, takeover = "attribute_not_exists(#token)", cast("Item", {}), False
            elif not found["active"]:
                continue
            elif found["holder"] == holder:
                return decode_lease(found)
            elif read_int(found, "lease_until_ms") > self.clock():
                if self._leave_word(partition, found, wanted):
                    raise Busy
                continue
            else:
                condition, values, takeover = "#token = :seen", {":seen": found["lease_token"]}, True
            try:
                return self._take(partition, holder, condition, values, takeover=takeover)
            except ClientError as error:
                if not condition_failed(error):
                    raise
        raise Busy

    def save(self, lease: Lease, sequence: int, *, finished: bool = False) -> None:
        """Move the checkpoint on and the lease's end with it.

        Raises
        ------
        LeaseLostError
            Somebody else has the lease: the checkpoint is refused.
        """
        expression, values = _progress(lease, sequence, finished=finished)
        self._update(lease, f"{expression}, lease_until_ms = :until", {**values, ":until": self._lease_end()})
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
            found = self._get(lease.partition)
            if found is None or found["lease_token"] != lease.token:
                raise LeaseLostError(self.consumer, lease.partition, lease.token) from error
            if found["sequence"] != sequence:
                raise
        _advance(lease, sequence)

    def checkpoint_action(self, lease: Lease, sequence: int) -> TransactWriteItemTypeDef:
        """Return the action that moves the checkpoint on to `sequence`, for a transaction of one's own.

        It fails if the lease was lost, and if it has been done.
        """
        expression, values = _progress(lease, sequence, finished=False)
        return {
            "Update": {
                "TableName": self.table_name,
                "Key": self._key(lease.partition),
                "UpdateExpression": f"{expression}, lease_until_ms = :until",
                "ConditionExpression": "#token = :token AND #sequence < :sequence",
                "ExpressionAttributeNames": _NAMES,
                "ExpressionAttributeValues": encode_item(
                    {**values, ":until": self._lease_end(), ":token": lease.token}
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
            "SET failures = :failures, lease_until_ms = :until",
            {":failures": failures, ":until": self._lease_end()},
        )
        lease.failures = failures

    def park(self, lease: Lease, sequence: int, reason: str, attempts: int) -> None:
        """Set the event `sequence`, the one after the checkpoint, aside and move on, in one transaction."""
        item: Item = {
            "consumer": self._parking,
            "partition": _parked_key(lease.partition, sequence),
            "parked_partition": lease.partition,
            "sequence": sequence,
            "reason": reason[:1000],
            "attempts": attempts,
            "parked_at_ms": self.clock(),
        }
        self.commit(lease, sequence, [{"Put": {"TableName": self.table_name, "Item": encode_item(item)}}])

    def parked(self, partition: str | None = None) -> Iterator[Parked]:
        """Yield the parked events of all partitions or of one, in order of partition and number."""
        condition, values = "consumer = :parking", {":parking": {"S": self._parking}}
        if partition is not None:
            condition += " AND begins_with(#partition, :prefix)"
            values[":prefix"] = {"S": f"{partition}{ID_SEPARATOR}"}
        query: QueryInputTypeDef = {
            "TableName": self.table_name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        if partition is not None:
            query["ExpressionAttributeNames"] = {"#partition": "partition"}
        while True:
            answer = self.retries.call(lambda: self.client.query(**query))
            yield from (decode_parked(decode_item(item)) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def unpark_action(self, partition: str, sequence: int) -> TransactWriteItemTypeDef:
        """Return the action that takes an event off the parked ones; it fails if it is not there (any more)."""
        return {
            "Delete": {
                "TableName": self.table_name,
                "Key": encode_item({"consumer": self._parking, "partition": _parked_key(partition, sequence)}),
                "ConditionExpression": "attribute_exists(consumer)",
            }
        }

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
        expression, values = _progress(lease, sequence, finished=finished)
        wanted = " AND (attribute_not_exists(wanted) OR wanted <= :sequence)" if unless_wanted else ""
        try:
            self._update(
                lease,
                f"{expression}, active = :idle REMOVE holder, lease_until_ms, wanted",
                {**values, ":idle": False},
                condition=wanted,
            )
        except LeaseLostError:
            found = self._get(lease.partition) if unless_wanted else None
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
                Key=self._key(partition),
                UpdateExpression="SET #sequence = :sequence, active = :idle, takeovers = :none, failures = :none"
                " REMOVE finished, holder, lease_until_ms, wanted ADD #token :one",
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues=encode_item({":sequence": sequence, ":idle": False, ":none": 0, ":one": 1}),
            )
        )

    def get(self, partition: str) -> Checkpoint:
        """Read where the consumer is; at 0 if it has never been there. Strongly consistent."""
        return decode_checkpoint(partition, self._get(partition))

    def get_all(self, partitions: Iterable[str]) -> dict[str, Checkpoint]:
        """Read where the consumer is in many partitions, 100 a call; eventually consistent."""
        names = list(partitions)
        keys = [self._key(name) for name in names]
        items = get_many(self.client, self.table_name, keys, self.retries, consistent=False)
        found = {str(item["partition"]): item for item in items}
        return {name: decode_checkpoint(name, found.get(name)) for name in names}

    @property
    def _parking(self) -> str:
        return f"{self.consumer}{ID_SEPARATOR}parked"

    def _lease_end(self) -> int:
        return self.clock() + self.lease_ms

    def _key(self, partition: str) -> Any:
        return encode_item({"consumer": self.consumer, "partition": partition})

    def _get(self, partition: str) -> Item | None:
        answer = self.retries.call(
            lambda: self.client.get_item(TableName=self.table_name, Key=self._key(partition), ConsistentRead=True)
        )
        return decode_item(answer["Item"]) if "Item" in answer else None

    def _take(
        self, partition: str, holder: str, condition: str, values: Mapping[str, Any], *, takeover: bool = False
    ) -> Lease:
        taken_over = ", takeovers = if_not_exists(takeovers, :none) + :one" if takeover else ""
        answer = self.retries.call(
            lambda: self.client.update_item(
                TableName=self.table_name,
                Key=self._key(partition),
                UpdateExpression="SET active = :active, holder = :holder, lease_until_ms = :until,"
                " #token = if_not_exists(#token, :none) + :one, #sequence = if_not_exists(#sequence, :none)"
                f"{taken_over} REMOVE wanted",
                ConditionExpression=condition,
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues=encode_item(
                    {
                        **values,
                        ":active": True,
                        ":holder": holder,
                        ":until": self._lease_end(),
                        ":none": 0,
                        ":one": 1,
                    }
                ),
                ReturnValues="ALL_NEW",
            )
        )
        return decode_lease(decode_item(answer["Attributes"]))

    def _leave_word(self, partition: str, found: Item, wanted: int) -> bool:
        """Tell the holder what is wanted; return whether it, or nobody, needs to know more."""
        if wanted <= max(read_int(found, "sequence"), cast("int", found.get("wanted", 0))):
            return True
        try:
            self.retries.call(
                lambda: self.client.update_item(
                    TableName=self.table_name,
                    Key=self._key(partition),
                    UpdateExpression="SET wanted = :wanted",
                    ConditionExpression="active = :active AND #token = :seen"
                    " AND (attribute_not_exists(wanted) OR wanted < :wanted)",
                    ExpressionAttributeNames={"#token": "lease_token"},
                    ExpressionAttributeValues=encode_item(
                        {":wanted": wanted, ":active": True, ":seen": found["lease_token"]}
                    ),
                )
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def _update(self, lease: Lease, expression: str, values: Mapping[str, Any], condition: str = "") -> None:
        names = _NAMES if "#sequence" in expression else {"#token": "lease_token"}
        try:
            self.retries.call(
                lambda: self.client.update_item(
                    TableName=self.table_name,
                    Key=self._key(lease.partition),
                    UpdateExpression=expression,
                    ConditionExpression=f"#token = :token{condition}",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=encode_item({**values, ":token": lease.token}),
                )
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise LeaseLostError(self.consumer, lease.partition, lease.token) from error


def _progress(lease: Lease, sequence: int, *, finished: bool) -> tuple[str, Item]:
    """The assignments of a checkpoint, and their values; only one that moves forgets the failures before it."""
    expression, values = "SET #sequence = :sequence", cast("Item", {":sequence": sequence})
    if sequence > lease.sequence:
        expression, values = f"{expression}, takeovers = :none, failures = :none", {**values, ":none": 0}
    if finished:
        expression, values = f"{expression}, finished = :finished", {**values, ":finished": True}
    return expression, values


def _advance(lease: Lease, sequence: int, *, finished: bool = False) -> None:
    if sequence > lease.sequence:
        lease.sequence, lease.takeovers, lease.failures = sequence, 0, 0
    lease.finished = lease.finished or finished


def _parked_key(partition: str, sequence: int) -> str:
    return f"{partition}{ID_SEPARATOR}{sequence:020d}"
