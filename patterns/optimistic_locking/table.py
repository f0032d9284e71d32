"""A table of versioned items: whoever writes says what they have seen, and learns what they have missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from time import sleep
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from botocore.exceptions import ClientError

from patterns.dynamodb.refusals import answer_was_lost, cancellation_reasons, item_of_failed_condition
from patterns.dynamodb.retries import JITTER
from patterns.dynamodb.transient import is_transient
from patterns.optimistic_locking.actions import VersionedWrites
from patterns.optimistic_locking.backoff import Backoff
from patterns.optimistic_locking.convergence import Convergence
from patterns.optimistic_locking.errors import (
    AdjustmentRefusedError,
    ConflictError,
    InvalidItemError,
    MissingItemError,
    OutcomeUnknownError,
    TransactionConflictError,
)
from patterns.optimistic_locking.key_shape import KeyShape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.dynamodb.items import Item, Value
    from patterns.optimistic_locking.actions import Write
    from patterns.optimistic_locking.adjustment import Adjustment
    from patterns.optimistic_locking.versioned import Key, Versioned

Mutate: TypeAlias = "Callable[[Item], Item | None]"
"""Takes a copy of the stored item; returns the item to store, or ``None`` to leave it as it is. May run many times."""


def _ignore(_conflict: ConflictError) -> None:
    return


def _new_write_id() -> str:
    return token_hex(8)


@dataclass(frozen=True, slots=True)
class VersionedTable:
    """Items that carry a version, each write under the version it was based on.

    An item holds two attributes of the table's own: its version, and the id of the write that made it. By the id a
    writer whose answer was lost recognizes its own write instead of repeating it.

    Parameters
    ----------
    client
        DynamoDB client.
    table_name
        The table.
    partition_key, sort_key
        Names of its key attributes; `sort_key` is ``None`` if it has none.
    version_attribute, write_id_attribute
        Names of the two attributes.
    backoff
        How often and how long `update`, `upsert` and `transact` try.
    sleep
        Sleeps for so many seconds.
    random
        Returns a number in [0, 1).
    new_write_id
        Returns a text that no other write has, at most 36 characters.
    on_conflict
        Called with every conflict, also with those that a retry settles; `conflict_metric` counts them. A transaction
        has one for each of its versioned items of this table that is at fault.

    Examples
    --------
    >>> accounts = VersionedTable(client, "accounts", "player")  # doctest: +SKIP
    >>> accounts.update({"player": "ann"}, lambda account: account | {"gold": 7})  # doctest: +SKIP
    """

    client: DynamoDBClient
    table_name: str
    partition_key: str
    sort_key: str | None = None
    version_attribute: str = "version"
    write_id_attribute: str = "write_id"
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], object] = sleep
    random: Callable[[], float] = JITTER
    new_write_id: Callable[[], str] = _new_write_id
    on_conflict: Callable[[ConflictError], object] = _ignore

    # Reading

    def get(self, key: Key) -> Versioned | None:
        """Return an item, ``None`` if there is none. One strongly consistent read.

        Raises
        ------
        InvalidKeyError
            Wrong shape of the key, as in every method that takes one.
        """
        encoded = self._writes.shape.encode(key)
        answer = self.client.get_item(TableName=self.table_name, Key=encoded, ConsistentRead=True)
        return self._writes.decode(answer["Item"]) if "Item" in answer else None

    # Writing once

    def create(self, item: Mapping[str, Value]) -> Versioned:
        """Store a first item: version 1. One write.

        Raises
        ------
        ConflictError
            There is one; it comes with the error.
        InvalidKeyError, InvalidItemError
            The item lacks a key attribute, or has one that the table keeps itself.
        """
        return self._put_once(item, None)

    def replace(self, item: Mapping[str, Value], version: int) -> Versioned:
        """Store an item in place of the one of this version. One write.

        Parameters
        ----------
        item
            The whole item, keys included.
        version
            What the change is based on, at least 0.

        Raises
        ------
        ConflictError
            Another version is stored, or none; it comes with the error.
        InvalidVersionError
            A negative version.
        InvalidKeyError, InvalidItemError
            As for `create`.
        """
        return self._put_once(item, version)

    def delete(self, key: Key, version: int) -> None:
        """Delete the item of this version. One write.

        The version ends with the item: one created in its place starts at 1. Where old versions are still around, mark
        the item as deleted instead.

        Raises
        ------
        ConflictError
            Another version is stored, or none. With none, it may also have been this deletion, repeated by botocore
            after a lost answer; `transact` with `delete_action` tells the two apart.
        InvalidVersionError
            A negative version.
        """
        delete = self._writes.delete(key, version)
        try:
            self.client.delete_item(**delete)
        except ClientError as error:
            conflict = self._conflict(error, delete)
            if conflict is None:
                raise
            self.on_conflict(conflict)
            raise conflict from error

    def merge(self, key: Key, attributes: Mapping[str, Value]) -> Versioned:
        """Set some attributes whatever is stored, an item or none. One write, no read, no conflict.

        The version still goes up, so whoever works on what was there before notices. Others' changes to the same
        attributes are overwritten: for values that do not depend on the stored ones.

        Raises
        ------
        InvalidItemError
            An attribute belongs to the key or to the table.
        """
        update = self._writes.merge(key, attributes, self.new_write_id())
        return self._writes.decode(self.client.update_item(**update, ReturnValues="ALL_NEW")["Attributes"])

    def adjust(self, key: Key, adjustment: Adjustment) -> None:
        """Add to and take from an item or none, within limits. One write, no read; no conflict with other adjustments.

        Adding twice is not adding once, so the write goes as a transaction of one action: however often it is sent, it
        takes place once. Collisions are tried again.

        Parameters
        ----------
        key
            Which item.
        adjustment
            What to add and to take, and the limits.

        Raises
        ------
        AdjustmentRefusedError
            A limit would be passed; the current item comes with the error.
        InvalidItemError
            An attribute belongs to the key or to the table.
        InvalidAdjustmentError
            Values that no attribute can have.
        botocore.exceptions.ClientError
            Throttled at the last attempt, or refused for another reason, such as adding to text.
        """
        write_id = self.new_write_id()
        try:
            self.transact([{"Update": self._writes.adjust(key, adjustment, write_id)}])  # pyright: ignore[reportArgumentType]
        except TransactionConflictError as refused:
            current = refused.current[0]
            if current is None or current.write_id != write_id:
                raise AdjustmentRefusedError(key, current) from refused

    # Writing until it holds

    def update(self, key: Key, mutate: Mutate, *, known: Versioned | None = None) -> Versioned:
        """Change an item by a function of it, as often as it takes.

        A first collision with a single rival is taken for an accident: `mutate` gets the item that came with the
        conflict, and no second read is made. In a crowd an item does not outlive the wait, and a stale item costs a
        failed write: there the retry reads again, for a fifth of a write's price or less.

        Parameters
        ----------
        key
            Which item.
        mutate
            The change. Must depend on nothing but the item, and have no effect but its result.
        known
            The item, if the caller has just read or written it: saves the read.

        Returns
        -------
        Versioned
            The item as stored by this call, or as found if `mutate` returned ``None``.

        Raises
        ------
        MissingItemError
            There is no such item.
        ConflictError
            All attempts collided; the last conflict.
        OutcomeUnknownError
            An answer was lost, and others wrote before it could be asked for.
        InvalidItemError
            `mutate` changed the key, or set an attribute of the table's own.
        botocore.exceptions.ClientError
            Throttled at the last attempt, or refused for another reason.
        """

        def change(item: Item | None) -> Item | None:
            if item is None:
                raise MissingItemError(key)
            return mutate(item)

        convergence = self._convergence(key)
        return convergence.change_stored(change) if known is None else convergence.change_known(change, known)

    def upsert(self, key: Key, mutate: Callable[[Item | None], Item | None]) -> Versioned:
        """Create an item or change the one there is, without a prior read.

        The first attempt takes it that there is none. If there is one, it comes with the conflict.

        Parameters
        ----------
        key
            Which item.
        mutate
            Takes a copy of the stored item, ``None`` if there is none; returns the item to store, or ``None`` to leave
            a stored one as it is.

        Raises
        ------
        ConflictError, OutcomeUnknownError, InvalidItemError, botocore.exceptions.ClientError
            As for `update`.
        """
        return self._convergence(key).change_unread(mutate)

    # In transactions

    def create_action(self, item: Mapping[str, Value]) -> TransactWriteItemTypeDef:
        """Return `create` as an action of a TransactWriteItems call."""
        return {"Put": self._writes.put(item, None, self.new_write_id())}  # pyright: ignore[reportReturnType]

    def replace_action(self, item: Mapping[str, Value], version: int) -> TransactWriteItemTypeDef:
        """Return `replace` as an action of a TransactWriteItems call."""
        return {"Put": self._writes.put(item, version, self.new_write_id())}  # pyright: ignore[reportReturnType]

    def update_action(self, key: Key, version: int, attributes: Mapping[str, Value]) -> TransactWriteItemTypeDef:
        """Return an action that sets some attributes of the item of this version and leaves the others."""
        return {"Update": self._writes.update(key, version, attributes, self.new_write_id())}  # pyright: ignore[reportReturnType]

    def adjust_action(self, key: Key, adjustment: Adjustment) -> TransactWriteItemTypeDef:
        """Return `adjust` as an action of a TransactWriteItems call."""
        return {"Update": self._writes.adjust(key, adjustment, self.new_write_id())}  # pyright: ignore[reportReturnType]

    def delete_action(self, key: Key, version: int) -> TransactWriteItemTypeDef:
        """Return `delete` as an action of a TransactWriteItems call."""
        return {"Delete": self._writes.delete(key, version)}  # pyright: ignore[reportReturnType]

    def check_action(self, key: Key, version: int) -> TransactWriteItemTypeDef:
        """Return an action that writes nothing, but cancels the transaction unless this version is stored."""
        return {"ConditionCheck": self._writes.delete(key, version)}  # pyright: ignore[reportReturnType]

    def transact(self, actions: Sequence[TransactWriteItemTypeDef]) -> None:
        """Write all actions or none, on this table and others.

        Throttling and collisions with other transactions are tried again under one token, so that a lost answer does
        no harm: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html

        Parameters
        ----------
        actions
            1 to 100, from the methods above, a `LeaseTable`, or the caller's own; each on another item.

        Raises
        ------
        TransactionConflictError
            A condition did not hold; the stored items come with the error.
        botocore.exceptions.ClientError
            Throttled at the last attempt, or refused for another reason.
        """
        token = self.new_write_id()
        attempt = 1
        while True:
            try:
                self.client.transact_write_items(TransactItems=actions, ClientRequestToken=token)
            except Exception as error:
                reasons = cancellation_reasons(error)
                failed = [n for n, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed"]
                if failed:
                    raise self._transaction_conflict(actions, reasons, failed) from error
                if attempt == self.backoff.attempts or not is_transient(error):
                    raise
                self.sleep(self.backoff.wait_s(attempt, 1, self.random()))
                attempt += 1
            else:
                return

    @property
    def _writes(self) -> VersionedWrites:
        shape = KeyShape(self.partition_key, self.sort_key)
        return VersionedWrites(self.table_name, shape, self.version_attribute, self.write_id_attribute)

    def _convergence(self, key: Key) -> Convergence:
        self._writes.shape.encode(key)
        write_id = self.new_write_id()

        def put(item: Item, expected: int | None) -> Versioned:
            if self._writes.shape.of(item) != key:
                raise InvalidItemError("item", item, f"must keep its key {dict(key)!r}")
            return self._put(item, expected, write_id)

        return Convergence(
            key=key,
            write_id=write_id,
            read=lambda: self.get(key),
            put=put,
            backoff=self.backoff,
            sleep=self.sleep,
            random=self.random,
            on_conflict=self.on_conflict,
        )

    def _put_once(self, item: Mapping[str, Value], expected: int | None) -> Versioned:
        try:
            return self._put(item, expected, self.new_write_id())
        except ConflictError as conflict:
            self.on_conflict(conflict)
            raise

    def _put(self, item: Mapping[str, Value], expected: int | None, write_id: str) -> Versioned:
        put = self._writes.put(item, expected, write_id)
        try:
            self.client.put_item(**put)
        except ClientError as error:
            conflict = self._conflict(error, put)
            if conflict is None:
                raise
            current = conflict.current
            # botocore repeats a request whose answer was lost; the repetition collides with its own first try.
            if current is not None and current.write_id == write_id:
                return current
            gone_or_buried = current is None or current.version > (expected or 0) + 1
            if answer_was_lost(error) and gone_or_buried:
                raise OutcomeUnknownError(conflict.key, current) from error
            raise conflict from error
        return self._writes.decode(put["Item"])

    def _conflict(self, error: ClientError, write: Write) -> ConflictError | None:
        stored = item_of_failed_condition(error)
        return None if stored is None else self._writes.conflict(write, stored)

    def _transaction_conflict(
        self,
        actions: Sequence[TransactWriteItemTypeDef],
        reasons: Sequence[Mapping[str, Any]],
        failed: Sequence[int],
    ) -> TransactionConflictError:
        current: dict[int, Versioned | None] = {}
        for position in failed:
            (action,) = cast("Mapping[str, Mapping[str, Any]]", actions[position]).values()
            # Items of other tables may have attributes that the item codec does not know.
            if action["TableName"] == self.table_name:
                conflict = self._writes.conflict(action, reasons[position].get("Item", {}))
                if self._writes.is_versioned(action):
                    self.on_conflict(conflict)
                current[position] = conflict.current
        return TransactionConflictError(tuple(failed), current)
