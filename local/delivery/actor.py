"""A shard reader running in real time."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from local.delivery.shard import Delivery, NotReached, Outcome

if TYPE_CHECKING:
    from local.delivery.reader import ShardReader

_Settled: TypeAlias = "tuple[Delivery, Outcome]"

LOG = logging.getLogger(__name__)


class ShardActor:
    """Runs a reader on a thread of its own, deliveries on one thread for each concurrent batch.

    The reader's thread alone touches its state; the others put what happened into its mailbox. All threads are daemons:
    a delivery that never returns does not keep the process alive.

    Parameters
    ----------
    reader : ShardReader
        The reader to run.
    """

    def __init__(self, reader: ShardReader) -> None:
        self._reader = reader
        self._mailbox: queue.SimpleQueue[_Settled | None] = queue.SimpleQueue()
        self._announced = False
        self._hurried = False
        self._work: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._stopping = False
        self._in_flight = 0
        self._workers = reader.mapping.batching.parallelization
        self._name = f"delivery-{reader.mapping.name}-{reader.shard_id}"
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)

    def start(self) -> None:
        """Start; what was announced before counts."""
        for _ in range(self._workers):
            threading.Thread(target=self._deliver, name=f"{self._name}-worker", daemon=True).start()
        self._thread.start()

    def announce(self) -> None:
        """Read as soon as the source's kind allows: the stream was written."""
        # One message is enough until the reader has seen it.
        if not self._announced:
            self._announced = True
            self._mailbox.put(None)

    def hurry(self) -> None:
        """Read now."""
        if not self._hurried:
            self._hurried = True
            self._mailbox.put(None)

    def stop(self) -> None:
        """Ask the threads to end once the deliveries under way have returned."""
        self._stopping = True
        self._mailbox.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for that; return whether it happened."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._reader.poll()
                for delivery in self._reader.take_due():
                    self._in_flight += 1
                    self._work.put(delivery)
                self._receive(self._wait_s())
            except Exception:
                LOG.exception("%s, %s: trying again", self._reader.mapping.name, self._reader.shard_id)
                time.sleep(1)
        while self._in_flight:
            self._receive(None)
        for _ in range(self._workers):
            self._work.put(None)

    def _wait_s(self) -> float:
        due_ms = self._reader.next_due_ms()
        return 1.0 if due_ms is None else min(1.0, max(0.0, (due_ms - self._reader.now_ms()) / 1000))

    def _receive(self, timeout_s: float | None) -> None:
        try:
            settled = self._mailbox.get(timeout=timeout_s)
            while True:
                if settled is not None:
                    self._in_flight -= 1
                    self._reader.settle(*settled)
                settled = self._mailbox.get_nowait()
        except queue.Empty:
            pass
        # Cleared before they are acted upon: what is announced from here on makes another message.
        if self._announced:
            self._announced = False
            self._reader.announce()
        if self._hurried:
            self._hurried = False
            self._reader.hurry()

    def _deliver(self) -> None:
        while (delivery := self._work.get()) is not None:
            try:
                outcome = self._reader.carry_out(delivery)
            except Exception as error:
                LOG.exception("%s: delivery failed unexpectedly", self._reader.mapping.name)
                outcome = NotReached(f"unexpected {error!r}")
            self._mailbox.put((delivery, outcome))
