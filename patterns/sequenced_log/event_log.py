"""The log of events: numbered 1, 2, 3 … in each partition, appended in batches, at once or not at all."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from patterns.dynamodb.transient import LOST_ANSWERS, is_transient
from patterns.sequenced_log.appending import Append
from patterns.sequenced_log.errors import (
    ContentionError,
    InvalidInputError,
    PartitionClosedError,
    SequenceConflictError,
)
from patterns.sequenced_log.event_table import EventTable
from patterns.sequenced_log.events import check_events, check_name, check_sequence, encode_batch
from patterns.sequenced_log.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from patterns.sequenced_log.events import NewEvent
    from patterns.sequenced_log.partitions import Partitions

_REMEMBERED_HEADS = 1_000


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the events of an append are.

    Attributes
    ----------
    sequences
        Number of each event, in the order given.
    duplicates
        How many of them had been appended before, under the same id.
    """

    partition: str
    sequences: tuple[int, ...]
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog(EventTable):
    """Appends and reads events.

    The numbers are gap-free by construction: an append is a put of (partition, head + 1) under the condition that
    there is no such item. Nothing counts, so nothing is counted and then not written. Whoever loses the race reads the
    new head and tries again.

    Parameters
    ----------
    client, table_name
        Table with a text partition key and a number as sort key.
    clock
        Returns epoch ms.
    new_token
        Returns a text that no other append has, such as ``uuid4().hex``; by it an append recognises itself after a lost
        answer.
    retries
        For lost races and transient trouble.
    partitions
        Registry of the log's partitions; each is registered at its first append. None: `split` is not available.
    keys
        Names of the key attributes.
    remember_ids_ms
        How long ids are remembered: the item's ``expires_at_s`` is set for the table's TTL. None: for ever.
    """

    new_token: Callable[[], str]
    partitions: Partitions | None = None
    remember_ids_ms: int | None = None
    # Ends of items seen here, never guesses: an end is followed by an item that starts right after it, or by none. So a
    # put after an old one fails, and one after the newest is right without reading the head.
    _heads: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int], init=False, repr=False)

    def __post_init__(self) -> None:
        if self.remember_ids_ms is not None and self.remember_ids_ms < 1:
            raise InvalidInputError("remember_ids_ms", self.remember_ids_ms, "must be at least 1")

    def append(
        self,
        partition: str,
        events: Sequence[NewEvent],
        *,
        expected_sequence: int | None = None,
        append_id: str | None = None,
    ) -> Appended:
        """Append events as one item: all of them, with consecutive numbers, or none.

        Parameters
        ----------
        partition
            1 to 256 bytes of text without ``~``.
        events
            1 to 99, together at most 400 KB. Those whose id the partition already has are left out.
        expected_sequence
            Number the partition's last event must have, 0 for a new partition. None: wherever the end is.
        append_id
            Id of the whole append, for events without ids: remembered as one item instead of one an event.

        Returns
        -------
        Appended
            The numbers, of duplicates those of their first append.

        Raises
        ------
        InvalidInputError
            An argument breaks its rule, or the append id was that of an append of another length.
        SequenceConflictError
            The head is not the expected one; it carries the head.
        PartitionClosedError
            The partition was split; it carries the children.
        ContentionError
            Others won every attempt.
        """
        check_name("partition", partition)
        check_events(events, append_id)
        if expected_sequence is not None:
            check_sequence("expected_sequence", expected_sequence)
        attempt = Append(
            table=self,
            partition=partition,
            events=list(events),
            append_id=append_id,
            token=self.new_token(),
            remember_ids_ms=self.remember_ids_ms,
        )
        head = self._heads.get(partition)
        if head is None or expected_sequence not in (None, head):
            attempt.item(0)  # what is wrong with the events is said before anything is read or registered
            head = self._fresh_head(attempt)
        lost: Exception | None = None
        for _ in self.retries:
            if attempt.complete:
                break
            if expected_sequence not in (None, head):
                attempt.find_duplicates()
                if attempt.complete:
                    break
                raise SequenceConflictError(partition, expected_sequence or 0, head)
            if head == 0 and self.partitions is not None:
                self.partitions.register(partition)
            try:
                taken = attempt.put(head)
            except (ClientError, *LOST_ANSWERS) as error:
                # Same place again: if the lost attempt has been written, its token or its ids will tell.
                if not is_transient(error):
                    raise
                lost = error
                continue
            if not taken:
                break
            lost = None
            head = self._fresh_head(attempt)
        if not attempt.complete:
            self._heads.pop(partition, None)
            raise lost or ContentionError(partition, self.retries.attempts)
        if attempt.end is not None:
            self._remember_head(partition, attempt.end)
        return Appended(partition, tuple(attempt.found[n] for n in range(len(events))), attempt.duplicates)

    def append_action(self, partition: str, sequence: int, events: Sequence[NewEvent]) -> TransactWriteItemTypeDef:
        """Return the action that appends events in a transaction of one's own: it fails if anybody appended since.

        Parameters
        ----------
        partition
            A registered one, if the log has a registry.
        sequence
            `head` + 1, of a head that was read: behind a guessed one there may be a gap.
        events
            As for `append`; their ids are kept with them, but not looked for.

        Raises
        ------
        InvalidInputError
            An argument breaks its rule.
        """
        check_name("partition", partition)
        check_sequence("sequence - 1", sequence - 1)
        check_events(events, None)
        token, now_ms = self.new_token(), self.clock()
        return self.put_action(
            encode_batch(self.keys, partition, sequence, events, append_token=token, appended_at_ms=now_ms)
        )

    def split(self, partition: str, children: Sequence[str]) -> int:
        """Close a partition and let children go on in its place, in one transaction.

        Consumers handle a child only after they have finished the parent. Splitting again into the same children
        changes nothing.

        Parameters
        ----------
        partition
            A registered partition.
        children
            2 to 16 names that have never been used.

        Returns
        -------
        int
            Number of the parent's last entry, which names the children.

        Raises
        ------
        InvalidInputError
            Too few, too many, or used names; or this log has no registry.
        UnknownPartitionError
            The parent is not registered.
        PartitionClosedError
            It was split into other children.
        ContentionError
            Appenders won every attempt.
        """
        if self.partitions is None:
            raise InvalidInputError("partitions", None, "a split needs the registry of partitions")
        return split(self, self.partitions, partition, children)

    def _fresh_head(self, attempt: Append) -> int:
        head, children = self.end(attempt.partition)
        if children:
            attempt.find_duplicates()
            if not attempt.complete:
                raise PartitionClosedError(attempt.partition, children)
        return head

    def _remember_head(self, partition: str, head: int) -> None:
        self._heads[partition] = head
        self._heads.move_to_end(partition)
        if len(self._heads) > _REMEMBERED_HEADS:
            self._heads.popitem(last=False)
