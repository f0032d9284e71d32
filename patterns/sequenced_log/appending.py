"""One append on its way: what is left of it, and what of it has been found or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.items import Item, encode_item, read_int
from patterns.dynamodb.refusals import cancellation_codes, condition_failed, item_of_failed_condition
from patterns.sequenced_log.errors import InvalidInputError
from patterns.sequenced_log.events import ID_SEPARATOR, encode_batch
from patterns.sequenced_log.reading import get_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from patterns.sequenced_log.event_table import EventTable
    from patterns.sequenced_log.events import NewEvent


@dataclass(slots=True, kw_only=True)
class Append:
    """An append of `EventLog`.

    Attributes
    ----------
    table, partition, events, append_id, token, remember_ids_ms
        As in `EventLog`.
    found
        Position of an event → its number, of those written or found to be duplicates.
    duplicates
        How many were found.
    end
        Number of the last event written, None if none was.
    """

    table: EventTable
    partition: str
    events: Sequence[NewEvent]
    append_id: str | None
    token: str
    remember_ids_ms: int | None
    found: dict[int, int] = field(default_factory=dict[int, int])
    duplicates: int = 0
    end: int | None = None

    @property
    def waiting(self) -> list[int]:
        """Positions of the events that are left."""
        return [number for number in range(len(self.events)) if number not in self.found]

    @property
    def complete(self) -> bool:
        """Whether none is left."""
        return len(self.found) == len(self.events)

    def item(self, head: int) -> Mapping[str, AttributeValueTypeDef]:
        """Return the item of the events that are left, encoded, as it follows `head`.

        Raises
        ------
        InvalidInputError
            They are too large, or hold a value that has no exact counterpart in DynamoDB.
        """
        return encode_batch(
            self.table.keys,
            self.partition,
            head + 1,
            [self.events[number] for number in self.waiting],
            append_token=self.token,
            appended_at_ms=self.table.clock(),
        )

    def put(self, head: int) -> bool:
        """Write the events that are left after `head`; return whether somebody else was there first."""
        waiting = self.waiting
        now_ms = self.table.clock()
        action = self.table.put_action(self.item(head))
        ids = self._ids()
        if ids:
            length = len(waiting) if self.append_id is not None else 1
            markers = [self._marker_action(key, head + 1 + n, length, now_ms) for n, key in enumerate(ids.values())]
            try:
                self.table.client.transact_write_items(TransactItems=[action, *markers])
            except ClientError as error:
                if not condition_failed(error):
                    raise
                if "ConditionalCheckFailed" in cancellation_codes(error)[1:]:
                    self.find_duplicates()
                return not self.complete
        elif not self._put_alone(action, self.token):
            return True
        self.found |= {number: head + 1 + n for n, number in enumerate(waiting)}
        self.end = head + len(waiting)
        return False

    def _put_alone(self, action: TransactWriteItemTypeDef, token: str) -> bool:
        put: Any = action.get("Put")
        try:
            self.table.client.put_item(**put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ClientError as error:
            stored = item_of_failed_condition(error)
            if stored is None:
                raise
            # The item that is in the way may be our own, whose answer was lost.
            return stored.get("append_token") == {"S": token}
        return True

    def _marker_action(self, key: str, sequence: int, length: int, now_ms: int) -> TransactWriteItemTypeDef:
        marker: Item = {
            self.table.keys.partition: key,
            self.table.keys.sequence: 0,
            "remembered": sequence,
            "length": length,
        }
        if self.remember_ids_ms is not None:
            marker["expires_at_s"] = -(-(now_ms + self.remember_ids_ms) // 1000)
        return self.table.put_action(encode_item(marker))

    def _ids(self) -> dict[int, str]:
        """Keys of the remembered ids by number of the event; an append id stands for the first event."""
        if self.append_id is not None:
            return {0: f"{self.partition}{ID_SEPARATOR}append{ID_SEPARATOR}{self.append_id}"}
        return {
            number: f"{self.partition}{ID_SEPARATOR}event{ID_SEPARATOR}{self.events[number].event_id}"
            for number in self.waiting
            if self.events[number].event_id is not None
        }

    def find_duplicates(self) -> None:
        """Look the ids up of the events that are left; those found are not appended again."""
        ids = self._ids()
        keys = [encode_item({self.table.keys.partition: key, self.table.keys.sequence: 0}) for key in ids.values()]
        items = get_many(self.table.client, self.table.table_name, keys, self.table.retries, consistent=True)
        found = {str(item[self.table.keys.partition]): item for item in items}
        for number, key in ids.items():
            if key not in found:
                continue
            first, length = read_int(found[key], "remembered"), read_int(found[key], "length")
            if self.append_id is not None and length != len(self.events):
                rule = f"was the id of an append of {length} events, not of {len(self.events)}"
                raise InvalidInputError("append_id", self.append_id, rule)
            self.found |= {number + n: first + n for n in range(length)}
            self.duplicates += length
