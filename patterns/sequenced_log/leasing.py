"""Who may handle a partition's events for a consumer: a lease, with a token that rises with every change of hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item, encode_item, read_int
from patterns.dynamodb.refusals import condition_failed
from patterns.sequenced_log.consumer_table import NAMES, ConsumerTable
from patterns.sequenced_log.places import Lease, decode_lease

if TYPE_CHECKING:
    from collections.abc import Mapping


class FirstLease(Exception):  # noqa: N818 - a statement of what is the case
    """The consumer has never been in this partition."""


class Busy(Exception):  # noqa: N818 - a statement of what is the case
    """Somebody else holds a lease that has not expired; it knows of the events that are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases(ConsumerTable):
    """The leases of one consumer."""

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
            found = self.item(partition)
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

    def _take(
        self, partition: str, holder: str, condition: str, values: Mapping[str, Any], *, takeover: bool = False
    ) -> Lease:
        taken_over = ", takeovers = if_not_exists(takeovers, :none) + :one" if takeover else ""
        answer = self.retries.call(
            lambda: self.client.update_item(
                TableName=self.table_name,
                Key=self.key(partition),
                UpdateExpression="SET active = :active, holder = :holder, lease_until_ms = :until,"
                " #token = if_not_exists(#token, :none) + :one, #sequence = if_not_exists(#sequence, :none)"
                f"{taken_over} REMOVE wanted",
                ConditionExpression=condition,
                ExpressionAttributeNames=NAMES,
                ExpressionAttributeValues=encode_item(
                    {
                        **values,
                        ":active": True,
                        ":holder": holder,
                        ":until": self.lease_end_ms(),
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
                    Key=self.key(partition),
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
