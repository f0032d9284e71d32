"""The processes that run functions in the emulator: as many as this machine can use, and those that nobody waits for
give way to the others.

On AWS every invocation has a machine of its own. Here a rush of requests would start a process for each, and then wait
for the starts, most of a second of CPU each.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OF_A_FUNCTION = 2 * (os.cpu_count() or 1)
"""Processes of one function that others wait for."""

MOST_GIVING_WAY = max((os.cpu_count() or 1) // 4, 1)
"""Processes of one function that gives way: several would only wait for each other, and each know a part of what one
remembers."""

_GIVING_WAY = 10
_LONGEST_WAIT_S = 30.0


class Workers:
    """What is asked of the workers of the emulator in this process. Made before it serves."""

    def __init__(self) -> None:
        from ministack.core import lambda_runtime  # noqa: PLC0415 - reads its settings from the environment at import
        from ministack.services import lambda_svc  # noqa: PLC0415

        self._free = threading.Condition()
        self._giving_way: frozenset[str] = frozenset()
        self.keys_giving_way: set[str] = set()  # of their roles' sessions
        self._started: list[Any] = []
        self._credentials_of: Callable[[Any], dict[str, str]] = cast("Any", lambda_runtime).execution_credentials
        self._limit(lambda_runtime, lambda_svc)
        self._follow_starts(lambda_runtime)

    def give_way(self, functions: frozenset[str]) -> None:
        """Let some functions' processes, those to come too, have only the time that others leave.

        Parameters
        ----------
        functions
            Names; every other function goes first, from its next process on.
        """
        self._giving_way = functions
        for worker in self._started:
            self._place(worker)

    def _limit(self, *modules: Any) -> None:
        """Wait for a worker instead of starting one more than the machine can use."""
        acquire: Callable[..., tuple[Any, str]] = modules[0].acquire_worker
        release: Callable[[Any], None] = modules[0].release_worker

        def acquire_free(
            name: str, config: Any, code: bytes, qualifier: str = "$LATEST", max_concurrency: int | None = None
        ) -> tuple[Any, str]:
            until = time.monotonic() + _LONGEST_WAIT_S
            most = max_concurrency or (MOST_GIVING_WAY if name in self._giving_way else MOST_OF_A_FUNCTION)
            with self._free:
                while True:
                    worker, how = acquire(name, config, code, qualifier, most)
                    left = until - time.monotonic()
                    if worker is not None or max_concurrency or left <= 0:
                        return worker, how
                    self._free.wait(left)

        def release_to_others(worker: Any) -> None:
            release(worker)
            with self._free:
                self._free.notify_all()

        for module in modules:
            module.acquire_worker = acquire_free
            module.release_worker = release_to_others

    def _follow_starts(self, lambda_runtime: Any) -> None:
        spawn: Callable[[Any], None] = lambda_runtime.Worker._spawn

        def start(worker: Any) -> None:
            spawn(worker)
            self._started = [other for other in self._started if _process_of(other) is not None]
            if worker not in self._started:
                self._started.append(worker)
            self._place(worker)

        lambda_runtime.Worker._spawn = start

    def _place(self, worker: Any) -> None:
        if worker.func_name not in self._giving_way:
            return
        self.keys_giving_way.add(self._credentials_of(worker.config)["AWS_ACCESS_KEY_ID"])
        process = _process_of(worker)
        if process is not None:
            # It may have ended; a process may always be put back.
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process, _GIVING_WAY)


def _process_of(worker: Any) -> int | None:
    process = worker._proc
    return None if process is None or process.poll() is not None else int(process.pid)


def request(functions: frozenset[str]) -> bytes:
    """Write down for another process what `Workers.give_way` is to be called with."""
    return json.dumps(sorted(functions)).encode() + b"\n"


def obey(workers: Workers, line: bytes) -> None:
    """Do what `request` has written down."""
    workers.give_way(frozenset(cast("list[str]", json.loads(line))))
