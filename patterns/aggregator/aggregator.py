"""The aggregator: what a service holds, and all it can ask of its groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.aggregator.adding import Added, add_all
from patterns.aggregator.firing import fire
from patterns.aggregator.group import GroupState, NewRecord
from patterns.aggregator.group_table import GroupTable
from patterns.aggregator.open_groups import UnfinishedGroup, complete_overdue, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from patterns.aggregator.firing import Action, Fired
    from patterns.dynamodb.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator(GroupTable):
    """Groups of records in one table.

    Parameters
    ----------
    client, table_name
        Table with text keys `hash_key` and `range_key`; for `overdue`, `unfired` and `complete_overdue` with an index
        `index_name` of keys ``pending`` (text) and ``pending_since_ms`` (number), which needs no other attribute.
    completion
        When a group is complete.
    clock
        Epoch ms.
    sleep, random
        Waits so many seconds; uniform in [0, 1), spreads the attempts of competing writers.
    timeout_ms
        Age at which `complete_overdue` completes a group as it is. None: never.
    late, duplicates
        Policies.
    lease_ms
        How long an invocation may act before another may take its group over: no less than the function's timeout.
    retention_ms
        Time to live of each of a group's items from its last write on, and with a timeout from that long after it, in
        the attribute ``expires_at_s``. A record goes before its group if that is open for longer; one that comes when
        the group is gone begins a new one. None: for ever.
    hash_key, range_key, index_name
        Names.

    Raises
    ------
    InvalidSettingError
        A time is not positive; retention shorter than the timeout.
    InvalidCompletionError
        Not a completion rule; `ByTimeout` without a timeout.
    """

    def add(
        self,
        group_id: str,
        record_id: str,
        record: Item,
        *,
        kind: str | None = None,
        amounts: Mapping[str, int] | None = None,
    ) -> Added:
        """Add one record; see `add_all`."""
        (added,) = self.add_all(group_id, [NewRecord(record_id, record, kind, amounts or {})])
        return added

    def add_all(self, group_id: str, new: Iterable[NewRecord]) -> list[Added]:
        """Add records to a group, each once however often it is added.

        Up to 99 records go into one transaction with the group's header, all or nothing. Records that complete their
        group join it with all of their transaction. Larger batches are cut: what follows the transaction that completes
        the group is late, and the call may fail half-way, and is simply repeated.

        Parameters
        ----------
        group_id
            1 to 2,048 bytes.
        new
            The records, each at most 400 KB as an item.

        Returns
        -------
        list[Added]
            What became of each, in their order.

        Raises
        ------
        InvalidKeyError, InvalidRecordError, RecordTooLargeError
            A record or id of the wrong shape; nothing at all was written.
        patterns.dynamodb.items.ItemCodecError
            A value that has no exact counterpart, a float for example; nothing at all was written.
        DifferentRecordError
            According to `DuplicatePolicy`.
        ContendedGroupError
            After `MOST_ATTEMPTS` attempts lost to conflicts or throttling. What is stored by then stays.
        """
        return add_all(self, group_id, new)

    def fire(self, group_id: str, action: Action, *, owner: str) -> Fired:
        """Act on a complete group, once; see `patterns.aggregator.firing.fire`."""
        return fire(self, group_id, action, owner=owner)

    def overdue(self, older_than_ms: int) -> Iterator[UnfinishedGroup]:
        """Yield groups that have been open for longer than this, oldest first within each partition of the index.

        Read from the index, so a group that was just opened or completed may be missing or still be there.
        """
        return unfinished(self, GroupState.OPEN, self.clock() - older_than_ms)

    def unfired(self, older_than_ms: int) -> Iterator[UnfinishedGroup]:
        """Yield groups that became complete longer ago than this and have no outcome yet.

        Their function failed until its records went to the on-failure queue. When the cause is mended, `fire` them.
        """
        return unfinished(self, GroupState.COMPLETE, self.clock() - older_than_ms)

    def complete_overdue(self, *, most: int = 1000) -> int:
        """Complete the groups that are open for `timeout_ms`, and return how many did.

        Each then takes the same way as one completed by records: its function is invoked once. Run it on a schedule; it
        may run twice at a time, and what one run leaves the next one takes.

        Raises
        ------
        InvalidSettingError
            The aggregator has no timeout.
        """
        return complete_overdue(self, most=most)
