"""The periodic aggregator: what a service holds, and all it can ask of its buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.periodic_aggregator.adding import Collected, add_all
from patterns.periodic_aggregator.bucket import NewRecord
from patterns.periodic_aggregator.bucket_table import BucketTable
from patterns.periodic_aggregator.closing import ClosingReport, Process, close_due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from patterns.dynamodb.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicAggregator(BucketTable):
    """Time buckets of many keys in one table.

    Parameters
    ----------
    client, table_name
        Table with text keys ``bucket`` and ``entry`` and an index `index_name` of keys ``pending`` (text) and
        ``closes_at_ms`` (number), which needs no other attribute.
    width_ms
        Width of a bucket: one begins at every multiple of it, epoch ms.
    clock
        Epoch ms.
    sleep, random
        Waits so many seconds; uniform in [0, 1), spreads the attempts of competing writers.
    grace_ms
        How long after its end a bucket still takes records.
    late
        What happens to a record after that.
    shards
        Items over which the writers of one bucket are spread, 1..256. More shards take more records a second and cost
        three more requests each per bucket. Raise it at any time: a bucket closed by an older run while a newer writer
        adds to it may be processed again, with the next revision. Lower it when no writer with more shards is left.
    lease_ms
        How long a run may process a bucket before another may take it over: no less than the function's timeout.
    retention_ms
        How long after its closing a bucket takes late records; records that come even later are dropped. Its items may
        be deleted a day after that, by their time to live in the attribute ``expires_at_s``. None: for ever.
    metric
        Told the number of ``LateRecordsDropped``, ``LateRecordsMoved`` and ``BucketsReopened``; see `emf_metric`.
    index_name
        Name of the index.

    Raises
    ------
    InvalidSettingError
        A width, lease or retention that is not positive, a negative grace, a number of shards outside 1..256.
    """

    def add(self, key: str, record_id: str, record: Item, *, at_ms: int) -> Collected:
        """Add one record; see `add_all`."""
        (collected,) = self.add_all(key, [NewRecord(record_id, record, at_ms)])
        return collected

    def add_all(self, key: str, new: Iterable[NewRecord]) -> list[Collected]:
        """Add records of a key to the buckets of their times, each once however often it is added.

        Up to 99 records of one bucket and shard go into one transaction, all or nothing. The call may fail half-way,
        and is simply repeated.

        Parameters
        ----------
        key
            1 to 1,900 bytes.
        new
            The records, each at most 400 KB as an item.

        Returns
        -------
        list[Collected]
            What became of each, in their order.

        Raises
        ------
        InvalidKeyError, InvalidRecordError, RecordTooLargeError
            A key, id, time or record of the wrong shape; nothing at all was written.
        patterns.dynamodb.items.ItemCodecError
            A value that has no exact counterpart, a float for example; nothing at all was written.
        ContendedBucketError
            After ten attempts lost to conflicts or throttling. What is stored by then stays.
        BucketClosingError
            The bucket to re-open is being processed. Add the record again.
        """
        return add_all(self, key, new)

    def close_due(
        self,
        process: Process,
        *,
        owner: str,
        remaining_ms: Callable[[], int] | None = None,
        reserve_ms: int = 10_000,
    ) -> ClosingReport:
        """Process every bucket whose time has come, oldest first, however many schedules were missed.

        Parameters
        ----------
        process
            Called once for each bucket and revision. Effects it returns as `Outcome.writes` happen exactly once;
            effects it has by itself happen at least once, and again only if a run died or lost its lease in between,
            or AWS delivered the firing twice at a time.
        owner
            Who asks, the same for every delivery of one schedule's firing (its execution id): a repeated one goes on
            at once where its predecessor died, another owner waits for the lease to run out.
        remaining_ms, reserve_ms
            Time left for this function, and how much of it must be left to begin another bucket.

        Raises
        ------
        BucketsFailedError
            Some buckets failed, after all others were processed.
        """
        return close_due(self, process, owner=owner, remaining_ms=remaining_ms, reserve_ms=reserve_ms)
