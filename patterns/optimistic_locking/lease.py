"""A lease whose holder may be late: every change of hands raises a token, and a late holder's token opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.items import decode_item, read_int
from patterns.dynamodb.refusals import condition_failed, item_of_failed_condition
from patterns.optimistic_locking.errors import InvalidLeaseError, LeaseHeldError, LeaseLostError
from patterns.optimistic_locking.key_shape import KeyShape, check_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.optimistic_locking.versioned import Key

_NAMES = {"#token": "token", "#holder": "holder", "#claim": "claim", "#expires": "expires_at_ms"}


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was granted.

    Attributes
    ----------
    key
        What is leased.
    holder
        To whom.
    token
        1 for the first holder ever, 1 more with each change of hands; never goes back, also not by a release.
    expires_at_ms
        From when on others may take it over, epoch ms.
    """

    key: Key
    holder: str
    token: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class LeaseTable:
    """Leases as items: at most one holder each, told apart by a fencing token.

    A lease alone stops nobody: its holder may be paused past its end and never know. So whoever writes under a lease
    adds `condition_check` to the transaction of the write, and DynamoDB refuses what comes too late.

    Parameters
    ----------
    client
        DynamoDB client.
    table_name
        The table; a `VersionedTable`'s will do, under keys of their own.
    partition_key, sort_key
        Names of its key attributes; `sort_key` is ``None`` if it has none.
    clock
        Returns the time, epoch ms. Clocks that disagree by d ms let a lease be taken over d ms too early or too late;
        the token holds all the same.
    new_claim_id
        Returns a text that no other claim has.
    """

    client: DynamoDBClient
    table_name: str
    partition_key: str
    clock: Callable[[], int]
    sort_key: str | None = None
    new_claim_id: Callable[[], str] = lambda: token_hex(8)

    def acquire(self, key: Key, holder: str, lease_ms: int) -> Lease:
        """Take a lease that is free, released or expired. One write.

        Parameters
        ----------
        key
            What to lease.
        holder
            Who asks: shown to others, decides nothing. Asking again while holding is refused as well.
        lease_ms
            For how long, at least 1.

        Raises
        ------
        LeaseHeldError
            Somebody holds it; holder, token and deadline come with the error.
        InvalidLeaseError
            `lease_ms` is not an integer of at least 1, or `holder` is empty.
        InvalidKeyError
            Wrong shape of the key.
        """
        _check_lease_ms(lease_ms)
        if not holder:
            raise InvalidLeaseError("holder", holder, "must be a name of at least one character")
        encoded = self._shape.encode(key)
        now_ms, claim = self.clock(), self.new_claim_id()
        try:
            answer = self.client.update_item(
                TableName=self.table_name,
                Key=encoded,
                UpdateExpression="SET #holder = :holder, #claim = :claim, #expires = :until ADD #token :one",
                ConditionExpression="attribute_not_exists(#token) OR #expires <= :now",
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues={
                    ":holder": {"S": holder},
                    ":claim": {"S": claim},
                    ":until": {"N": str(now_ms + lease_ms)},
                    ":now": {"N": str(now_ms)},
                    ":one": {"N": "1"},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            stored: Any = answer["Attributes"]
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if not stored:
                raise
            # botocore repeats a request whose answer was lost: then the lease is held by this very claim.
            if stored.get("claim") != {"S": claim}:
                item = decode_item(stored)
                held = LeaseHeldError(key, item.get("holder"), read_int(item, "token"), read_int(item, "expires_at_ms"))
                raise held from error
        item = decode_item(stored)
        return Lease(key, holder, read_int(item, "token"), read_int(item, "expires_at_ms"))

    def renew(self, lease: Lease, lease_ms: int) -> Lease:
        """Let a lease that has not expired last until `lease_ms` from now. One write; the token stays.

        Raises
        ------
        LeaseLostError
            It has expired, was released or was taken over.
        InvalidLeaseError
            `lease_ms` is not an integer of at least 1.
        """
        _check_lease_ms(lease_ms)
        now_ms = self.clock()
        self._change(lease, "SET #expires = :new", now_ms=now_ms, expires_at_ms=now_ms + lease_ms)
        return Lease(lease.key, lease.holder, lease.token, now_ms + lease_ms)

    def release(self, lease: Lease) -> None:
        """Give a lease back before its end. One write; the token stays for the next holder to count on from.

        Releasing what is already released, expired or taken over changes nothing and is no error: either way it is not
        held any more.
        """
        try:
            self._change(lease, "SET #expires = :new REMOVE #holder, #claim", now_ms=self.clock(), expires_at_ms=0)
        except LeaseLostError:
            return

    def condition_check(self, key: Key, token: int) -> TransactWriteItemTypeDef:
        """Return the action that cancels a transaction unless this token still holds the lease.

        Add it to the TransactWriteItems call that writes under the lease; it costs 2 write units. The lease item must
        not be another action's item. The transaction fails for a holder that released, whose lease was taken over, or
        whose lease has expired by the clock as it is now, while the action is built.

        Parameters
        ----------
        key
            What is leased.
        token
            The holder's, at least 1.

        Raises
        ------
        InvalidVersionError
            A token below 1.
        InvalidKeyError
            Wrong shape of the key.
        """
        check_number("token", token, 1)
        return {
            "ConditionCheck": {
                "TableName": self.table_name,
                "Key": self._shape.encode(key),
                "ConditionExpression": "#token = :token AND #expires > :now",
                "ExpressionAttributeNames": {"#token": "token", "#expires": "expires_at_ms"},
                "ExpressionAttributeValues": {":token": {"N": str(token)}, ":now": {"N": str(self.clock())}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    @property
    def _shape(self) -> KeyShape:
        return KeyShape(self.partition_key, self.sort_key)

    def _change(self, lease: Lease, update: str, *, now_ms: int, expires_at_ms: int) -> None:
        check_number("token", lease.token, 1)
        names = {alias: name for alias, name in _NAMES.items() if alias in (update + " #token")}
        try:
            self.client.update_item(
                TableName=self.table_name,
                Key=self._shape.encode(lease.key),
                UpdateExpression=update,
                ConditionExpression="#token = :token AND #expires > :now",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":token": {"N": str(lease.token)},
                    ":now": {"N": str(now_ms)},
                    ":new": {"N": str(expires_at_ms)},
                },
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise LeaseLostError(lease.key, lease.token) from error


def _check_lease_ms(lease_ms: int) -> None:
    if type(lease_ms) is not int or lease_ms < 1:
        raise InvalidLeaseError("lease_ms", lease_ms, "must be an integer of at least 1")
