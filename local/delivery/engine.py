"""The delivery engine: runs every event source mapping and pipe of a wiring over every shard of its stream."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from local.delivery.actor import ShardActor
from local.delivery.checkpoints import MemoryCheckpoints
from local.delivery.mappings import Pipe
from local.delivery.ports import Position, SourceUnavailableError
from local.delivery.reader import Polling, ShardReader
from local.delivery.shard import Backoff
from local.delivery.stats import MappingStats
from local.delivery.targets import FunctionTarget, PipeTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.delivery.mappings import EventSourceMapping, Wiring
    from local.delivery.ports import (
        Checkpoint,
        CheckpointStore,
        Clock,
        FailureDestination,
        Invoker,
        KinesisSink,
        Shard,
        StreamSource,
    )

LOG = logging.getLogger(__name__)


def epoch_ms() -> int:
    """Return the system's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class DeliveryEngine:
    """Delivers records of streams to functions and pipes.

    Either call `step` (one thread, deterministic given the ports), or `start` … `stop` (threads, real time).

    A shard is read from its checkpoint; without one, from the starting position if it was there when the engine first
    looked and from its beginning if it appeared later, so that resharding loses nothing. A child shard waits until its
    parents are finished (AWS Lambda Developer Guide, "Polling and stream starting positions"; Kinesis Developer Guide,
    "Consumer responsibilities after a reshard"). LATEST means the time the engine first reads the shard.

    Parameters
    ----------
    wiring : Wiring
        What to run; mappings that are not enabled are only listed in the statistics.
    streams, invoker, destinations, sink, clock, checkpoints
        The ports. Checkpoints default to memory, the clock to the system's.
    polling : Polling
        How often shards are read.
    backoff : Backoff
        Waits before retries.
    discovery_ms : int
        How often streams are asked for new shards.
    """

    def __init__(  # noqa: PLR0917 - the ports, in the order of the contract
        self,
        wiring: Wiring,
        streams: StreamSource,
        invoker: Invoker,
        destinations: FailureDestination,
        sink: KinesisSink,
        clock: Clock = epoch_ms,
        checkpoints: CheckpointStore | None = None,
        *,
        polling: Polling = Polling(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        discovery_ms: int = 2000,
    ) -> None:
        self._streams = streams
        self._invoker = invoker
        self._destinations = destinations
        self._sink = sink
        self._clock = clock
        self._checkpoints = checkpoints or MemoryCheckpoints()
        self._polling = polling
        self._backoff = backoff
        self._discovery_ms = discovery_ms
        self._next_discovery_ms = 0
        self._finished_readers = 0
        self._mappings: tuple[EventSourceMapping | Pipe, ...] = (*wiring.pipes, *wiring.mappings)
        self._at_start: dict[int, set[str]] = {}
        self._discovered: set[int] = set()
        self._readers: dict[tuple[int, str], ShardReader] = {}
        self._discovery_errors: dict[int, str] = {}
        self._actors: dict[tuple[int, str], ShardActor] = {}
        self._stopping = threading.Event()
        self._discoverer: threading.Thread | None = None

    def step(self) -> bool:
        """Do everything due at the clock's now, one thing after the other; return whether there was anything.

        Exceptions of the ports other than those they declare pass through: a simulation uses one to crash the process
        at that point, and creates a new engine over the same checkpoints.

        Raises
        ------
        RuntimeError
            The engine was started on threads.
        """
        if self._discoverer:
            raise RuntimeError("step() and start() exclude each other")
        progressed = self._discover_if_due()
        moving = True
        while moving:
            moving = False
            for reader in list(self._readers.values()):
                moving |= reader.poll() > 0
                for delivery in reader.take_due():
                    reader.settle(delivery, reader.carry_out(delivery))
                    moving = True
            progressed |= moving
        self._checkpoints.flush()
        return progressed

    def next_due_ms(self) -> int:
        """Return the epoch milliseconds at which `step` has something to do next (a poll at the latest)."""
        dues = [due for reader in self._readers.values() if (due := reader.next_due_ms()) is not None]
        return min([*dues, self._next_discovery_ms])

    @property
    def idle(self) -> bool:
        """Whether every record read is finished (more may wait in the streams)."""
        return all(reader.idle for reader in list(self._readers.values()))

    def start(self) -> None:
        """Run in real time on threads of its own: one for discovery, one a shard and one a concurrent batch."""
        if self._discoverer or self._actors:
            raise RuntimeError("the engine is already running")
        self._stopping.clear()
        self._discoverer = threading.Thread(target=self._keep_discovering, name="delivery-discovery", daemon=True)
        self._discoverer.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Stop reading, wait for deliveries under way, and make checkpoints durable.

        Returns
        -------
        bool
            False if a delivery was still under way after the timeout: call again to wait for it, or leave its records
            to be delivered again.
        """
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        if self._discoverer:
            self._discoverer.join(timeout_s)
            self._discoverer = None
        for actor in self._actors.values():
            actor.stop()
        for key, actor in list(self._actors.items()):
            if actor.join(max(0.0, deadline - time.monotonic())):
                del self._actors[key]
        self._checkpoints.flush()
        return not self._actors

    def drain(self, timeout_s: float) -> bool:
        """Wait until every stream is read to its end and every record is finished, pipes' output included.

        Returns
        -------
        bool
            False if that did not happen within the timeout.
        """
        deadline = time.monotonic() + timeout_s
        before = None
        while time.monotonic() < deadline:
            # Asked before the readers are listed, so that these are all of them.
            discovered = self._discovered_all()
            readers = list(self._readers.items())
            polls = [reader.empty_polls for _, reader in readers]
            # The first empty page may have been asked for before now; the second was not.
            while unread := [
                key
                for (key, reader), seen in zip(readers, polls, strict=True)
                if not (reader.idle and (reader.consumer.ended or reader.empty_polls > seen + 1))
            ]:
                if time.monotonic() > deadline:
                    return False
                for key in unread:
                    if key in self._actors:
                        self._actors[key].hurry()
                time.sleep(0.005)
            # Nothing was read since the last round either: so no pipe put anything its consumers have not seen.
            after = [reader.consumer.counts.records for reader in list(self._readers.values())]
            if discovered and after == before:
                return True
            before = after
            if not discovered:
                time.sleep(0.005)
        return False

    def announce(self, stream_arn: str) -> None:
        """Be told that a stream was written; from any thread, at any time.

        Parameters
        ----------
        stream_arn : str
            The stream; one that nothing reads is ignored.
        """
        for key, actor in list(self._actors.items()):
            reader = self._readers[key]
            if reader.mapping.source.stream_arn == stream_arn:
                actor.announce()

    def stats(self) -> tuple[MappingStats, ...]:
        """Return the counters of every mapping and pipe; cheap, and safe from any thread."""
        return tuple(self._stats_of(number, mapping) for number, mapping in enumerate(self._mappings))

    def _stats_of(self, number: int, mapping: EventSourceMapping | Pipe) -> MappingStats:
        readers = [reader for (owner, _), reader in list(self._readers.items()) if owner == number]
        counts = [reader.consumer.counts for reader in readers]
        errors = [reader.last_error for reader in readers if reader.last_error]
        return MappingStats(
            name=mapping.name,
            enabled=mapping.enabled,
            shards=sum(not reader.consumer.finished for reader in readers),
            records=sum(count.records for count in counts),
            filtered=sum(count.filtered for count in counts),
            discarded=sum(count.discarded for count in counts),
            batches=sum(count.batches for count in counts),
            failures=sum(count.failures for count in counts),
            retries=sum(count.retries for count in counts),
            not_reached=sum(count.not_reached for count in counts),
            destination_failures=sum(reader.destination_failures for reader in readers),
            open_records=sum(reader.consumer.open_records for reader in readers),
            iterator_age_ms=max((reader.iterator_age_ms for reader in readers), default=0),
            last_error=errors[-1] if errors else self._discovery_errors.get(number, ""),
        )

    def _keep_discovering(self) -> None:
        while not self._stopping.is_set():
            try:
                self._discover_if_due()
                self._checkpoints.flush()
            except Exception:
                LOG.exception("shard discovery failed; trying again")
            for key, reader in self._readers.items():
                if key not in self._actors and not self._stopping.is_set():
                    # Known before it reads, so that no announcement after its first read is missed.
                    self._actors[key] = ShardActor(reader)
                    self._actors[key].start()
            self._stopping.wait(0.25)

    def _discovered_all(self) -> bool:
        enabled = {number for number, mapping in enumerate(self._mappings) if mapping.enabled}
        return enabled <= self._discovered and self._finished() == self._finished_readers

    def _finished(self) -> int:
        return sum(reader.consumer.finished for reader in list(self._readers.values()))

    def _discover_if_due(self) -> bool:
        now_ms = self._clock()
        finished = self._finished()
        if now_ms < self._next_discovery_ms and finished == self._finished_readers:
            return False
        self._next_discovery_ms = now_ms + self._discovery_ms
        added = sum(self._discover(number, item) for number, item in enumerate(self._mappings) if item.enabled)
        self._finished_readers = finished
        return added > 0

    def _discover(self, number: int, mapping: EventSourceMapping | Pipe) -> int:
        try:
            shards = {shard.shard_id: shard for shard in self._streams.shards(mapping.source)}
        except SourceUnavailableError as error:
            self._discovery_errors[number] = str(error)
            return 0
        self._discovery_errors.pop(number, None)
        if number not in self._at_start:
            known = {shard_id for shard_id in shards if self._checkpoint(mapping, shard_id)}
            self._at_start[number] = {name for name, shard in shards.items() if known.isdisjoint(shard.parent_ids)}
        added = 0
        for shard_id, shard in shards.items():
            checkpoint = self._checkpoint(mapping, shard_id)
            if (number, shard_id) in self._readers or (checkpoint and checkpoint.ended):
                continue
            from_start = shard_id in self._at_start[number]
            skips_history = from_start and mapping.source.starting_position == "LATEST"
            if skips_history or all(self._is_over(mapping, parent, shards) for parent in shard.parent_ids):
                self._readers[number, shard_id] = self._reader(mapping, shard_id, from_start=from_start)
                added += 1
        self._discovered.add(number)
        return added

    def _is_over(self, mapping: EventSourceMapping | Pipe, shard_id: str, listed: Mapping[str, Shard]) -> bool:
        checkpoint = self._checkpoint(mapping, shard_id)
        return shard_id not in listed or (checkpoint is not None and checkpoint.ended)

    def _checkpoint(self, mapping: EventSourceMapping | Pipe, shard_id: str) -> Checkpoint | None:
        return self._checkpoints.load(mapping.mapping_id, mapping.source.stream_arn, shard_id)

    def _reader(self, mapping: EventSourceMapping | Pipe, shard_id: str, *, from_start: bool) -> ShardReader:
        source = mapping.source
        start = Position(source.starting_position, timestamp_ms=source.starting_timestamp_ms)
        return ShardReader(
            mapping,
            shard_id,
            start if from_start else Position("TRIM_HORIZON"),
            streams=self._streams,
            target=PipeTarget(mapping, self._sink)
            if isinstance(mapping, Pipe)
            else FunctionTarget(mapping, self._invoker),
            destinations=self._destinations,
            checkpoints=self._checkpoints,
            clock=self._clock,
            polling=self._polling,
            backoff=self._backoff,
        )
