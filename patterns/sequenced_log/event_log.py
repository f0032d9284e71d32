"""The log of events: numbered 1, 2, 3 … in each partition, appended in batches, at once or not at all."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, decode_item, encode_item, read_int
from patterns.sequenced_log.errors import (
    ContentionError,
    GapError,
    InvalidInputError,
    PartitionClosedError,
    SequenceConflictError,
    UnknownPartitionError,
)
from patterns.sequenced_log.events import (
    ID_SEPARATOR,
    Event,
    KeyNames,
    NewEvent,
    check_events,
    check_name,
    check_sequence,
    children_of,
    decode_batch,
    encode_batch,
    last_number,
)
from patterns.sequenced_log.partitions import LARGEST_SPLIT
from patterns.sequenced_log.reading import get_many
from patterns.sequenced_log.retries import LOST_ANSWERS, Retries, cancellation_codes, condition_failed, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef

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
class EventLog:
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

    client: DynamoDBClient
    table_name: str
    clock: Callable[[], int]
    new_token: Callable[[], str]
    retries: Retries
    partitions: Partitions | None = None
    keys: KeyNames = field(default_factory=KeyNames)
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
        attempt = _Append(partition, list(events), append_id, self.new_token())
        head = self._heads.get(partition)
        if head is None or expected_sequence not in (None, head):
            head = self._fresh_head(attempt)
        lost: Exception | None = None
        for _ in self.retries:
            if attempt.complete:
                break
            if expected_sequence not in (None, head):
                self._find_duplicates(attempt)
                if attempt.complete:
                    break
                raise SequenceConflictError(partition, expected_sequence or 0, head)
            if head == 0 and self.partitions is not None:
                self.partitions.register(partition)
            try:
                taken = self._put(attempt, head)
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
        return self._put_action(
            encode_batch(self.keys, partition, sequence, events, append_token=token, appended_at_ms=now_ms)
        )

    def head(self, partition: str) -> int:
        """Return the number of the partition's last event, 0 if it has none. One strongly consistent query."""
        check_name("partition", partition)
        return self._end(partition)[0]

    def read(self, partition: str, after: int = 0) -> Iterator[Event]:
        """Yield the events after a number, in order, until none is left; strongly consistent, a page at a time.

        Raises
        ------
        GapError
            Events are missing. What precedes them has been yielded.
        """
        check_name("partition", partition)
        check_sequence("after", after)
        done = after
        query = self._query(partition, ">", after)
        while True:
            answer = self.retries.call(lambda: self.client.query(**query))
            items = [decode_item(item) for item in answer["Items"]]
            if done == after and (not items or read_int(items[0], self.keys.sequence) != after + 1):
                # The position may be inside a batch, whose item has a lower number.
                items = [*self._item_at_or_before(partition, after), *items]
            for item in items:
                first = read_int(item, self.keys.sequence)
                if first > done + 1:
                    raise GapError(partition, done + 1, first)
                for event in decode_batch(self.keys, item):
                    if event.sequence > done:
                        done = event.sequence
                        yield event
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

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
        for name in (partition, *children):
            check_name("partition", name)
        if not 2 <= len(set(children)) <= LARGEST_SPLIT or len(set(children)) != len(children):
            raise InvalidInputError("children", list(children), f"must be 2..{LARGEST_SPLIT} different names")
        if self.partitions is None:
            raise InvalidInputError("partitions", None, "a split needs the registry of partitions")
        for _ in self.retries:
            head, closed_into = self._end(partition)
            if closed_into:
                if closed_into != tuple(children):
                    raise PartitionClosedError(partition, closed_into)
                return head
            closing: Item = {
                self.keys.partition: partition,
                self.keys.sequence: head + 1,
                "length": 1,
                "children": [*children],
                "appended_at_ms": self.clock(),
            }
            actions = [self._put_action(closing), *self.partitions.split_actions(partition, children)]
            try:
                self.client.transact_write_items(TransactItems=actions)
            except (ClientError, *LOST_ANSWERS) as error:
                if is_transient(error):
                    continue
                codes = cancellation_codes(error) if isinstance(error, ClientError) else []
                if not codes:
                    raise
                if codes[0] == "None":
                    self._explain_refused_split(partition, children, codes)
            else:
                return head + 1
        raise ContentionError(partition, self.retries.attempts)

    def _explain_refused_split(self, partition: str, children: Sequence[str], codes: Sequence[str]) -> None:
        used = [child for child, code in zip(children, codes[1:], strict=False) if code == "ConditionalCheckFailed"]
        if used:
            raise InvalidInputError("children", used, "must be names that have never been used")
        if codes[-1] == "ConditionalCheckFailed":
            raise UnknownPartitionError(partition)

    def _fresh_head(self, attempt: _Append) -> int:
        head, children = self._end(attempt.partition)
        if children:
            self._find_duplicates(attempt)
            if not attempt.complete:
                raise PartitionClosedError(attempt.partition, children)
        return head

    def _put(self, attempt: _Append, head: int) -> bool:
        """Write the events that are left after `head`; return whether somebody else was there first."""
        waiting = attempt.waiting
        now_ms = self.clock()
        events = [attempt.events[number] for number in waiting]
        item = encode_batch(
            self.keys, attempt.partition, head + 1, events, append_token=attempt.token, appended_at_ms=now_ms
        )
        action = self._put_action(item)
        ids = self._ids(attempt)
        if ids:
            length = len(events) if attempt.append_id is not None else 1
            markers = [self._marker_action(key, head + 1 + n, length, now_ms) for n, key in enumerate(ids.values())]
            try:
                self.client.transact_write_items(TransactItems=[action, *markers])
            except ClientError as error:
                if not condition_failed(error):
                    raise
                if "ConditionalCheckFailed" in cancellation_codes(error)[1:]:
                    self._find_duplicates(attempt)
                return not attempt.complete
        elif not self._put_alone(action, attempt.token):
            return True
        attempt.found |= {number: head + 1 + n for n, number in enumerate(waiting)}
        self._remember_head(attempt.partition, head + len(waiting))
        return False

    def _put_alone(self, action: TransactWriteItemTypeDef, token: str) -> bool:
        put: Any = action.get("Put")
        try:
            self.client.put_item(**put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ClientError as error:
            if not condition_failed(error):
                raise
            # The item that is in the way may be our own, whose answer was lost.
            return error.response.get("Item", {}).get("append_token") == {"S": token}
        return True

    def _put_action(self, item: Item) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": self.table_name,
                "Item": encode_item(item),
                "ConditionExpression": "attribute_not_exists(#partition)",
                "ExpressionAttributeNames": {"#partition": self.keys.partition},
            }
        }

    def _marker_action(self, key: str, sequence: int, length: int, now_ms: int) -> TransactWriteItemTypeDef:
        marker: Item = {self.keys.partition: key, self.keys.sequence: 0, "remembered": sequence, "length": length}
        if self.remember_ids_ms is not None:
            marker["expires_at_s"] = -(-(now_ms + self.remember_ids_ms) // 1000)
        return self._put_action(marker)

    def _ids(self, attempt: _Append) -> dict[int, str]:
        """Keys of the remembered ids by number of the event; an append id stands for the first event."""
        if attempt.append_id is not None:
            return {0: f"{attempt.partition}{ID_SEPARATOR}append{ID_SEPARATOR}{attempt.append_id}"}
        return {
            number: f"{attempt.partition}{ID_SEPARATOR}event{ID_SEPARATOR}{attempt.events[number].event_id}"
            for number in attempt.waiting
            if attempt.events[number].event_id is not None
        }

    def _find_duplicates(self, attempt: _Append) -> None:
        """Look the ids up of the events that are left; those found are not appended again."""
        ids = self._ids(attempt)
        keys = [encode_item({self.keys.partition: key, self.keys.sequence: 0}) for key in ids.values()]
        items = get_many(self.client, self.table_name, keys, self.retries, consistent=True)
        found = {str(item[self.keys.partition]): item for item in items}
        for number, key in ids.items():
            if key not in found:
                continue
            first, length = read_int(found[key], "remembered"), read_int(found[key], "length")
            if attempt.append_id is not None and length != len(attempt.events):
                rule = f"was the id of an append of {length} events, not of {len(attempt.events)}"
                raise InvalidInputError("append_id", attempt.append_id, rule)
            attempt.found |= {number + n: first + n for n in range(length)}
            attempt.duplicates += length

    def _end(self, partition: str) -> tuple[int, tuple[str, ...]]:
        """Number of the last event, and the children if the partition is closed."""
        answer = self.retries.call(
            lambda: self.client.query(
                TableName=self.table_name,
                KeyConditionExpression="#partition = :partition",
                ProjectionExpression="#sequence, #length, children",
                ExpressionAttributeNames={
                    "#partition": self.keys.partition,
                    "#sequence": self.keys.sequence,
                    "#length": "length",
                },
                ExpressionAttributeValues={":partition": {"S": partition}},
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        )
        if not answer["Items"]:
            return 0, ()
        item = decode_item(answer["Items"][0])
        return last_number(self.keys, item), children_of(item)

    def _item_at_or_before(self, partition: str, sequence: int) -> list[Item]:
        if sequence == 0:
            return []
        query: QueryInputTypeDef = {**self._query(partition, "<=", sequence), "ScanIndexForward": False, "Limit": 1}
        answer = self.retries.call(lambda: self.client.query(**query))
        return [decode_item(item) for item in answer["Items"]]

    def _query(self, partition: str, comparison: str, sequence: int) -> QueryInputTypeDef:
        return {
            "TableName": self.table_name,
            "KeyConditionExpression": f"#partition = :partition AND #sequence {comparison} :sequence",
            "ExpressionAttributeNames": {"#partition": self.keys.partition, "#sequence": self.keys.sequence},
            "ExpressionAttributeValues": {":partition": {"S": partition}, ":sequence": {"N": str(sequence)}},
            "ConsistentRead": True,
        }

    def _remember_head(self, partition: str, head: int) -> None:
        self._heads[partition] = head
        self._heads.move_to_end(partition)
        if len(self._heads) > _REMEMBERED_HEADS:
            self._heads.popitem(last=False)


@dataclass(slots=True)
class _Append:
    """An append on its way: what is left of it, and what has been found or written."""

    partition: str
    events: list[NewEvent]
    append_id: str | None
    token: str
    found: dict[int, int] = field(default_factory=dict[int, int])
    duplicates: int = 0

    @property
    def waiting(self) -> list[int]:
        return [number for number in range(len(self.events)) if number not in self.found]

    @property
    def complete(self) -> bool:
        return len(self.found) == len(self.events)
