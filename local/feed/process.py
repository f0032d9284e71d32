"""The feed's process as the supervisor sees it: started when a deployment has Event APIs, told of each deployment."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator import HOST, free_port
from local.feed.apis import API_TYPE, NAMESPACE_TYPE
from local.feed.realtime import PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_log = logging.getLogger(__name__)

READY = "ready"
"""What the process answers to resources it can serve."""

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_STOP_LIMIT_S = 10.0
_REVIVAL_PAUSE_S = 2.0


class FeedProcess:
    """The process and its two ports, which stay the same for the life of this object.

    Parameters
    ----------
    log_path
        File the process's output is appended to.
    """

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._process: subprocess.Popen[str] | None = None
        self._emulator_url = ""
        self._resources: list[Mapping[str, Any]] = []
        self._started_at_s = 0.0
        self._realtime_port = free_port()
        self._publishing_port = free_port()

    @property
    def publishing_url(self) -> str:
        """Where functions publish, whether the process runs or not."""
        return f"http://{HOST}:{self._publishing_port}"

    @property
    def realtime_url(self) -> str | None:
        """Where clients connect; None without Event APIs."""
        return f"ws://{HOST}:{self._realtime_port}{PATH}" if self._resources else None

    @property
    def pid(self) -> int | None:
        """Process id, if it has been started."""
        return None if self._process is None else self._process.pid

    def configure(self, emulator_url: str, resources: Iterable[Mapping[str, Any]]) -> None:
        """Bring it to a deployment; returns when that holds.

        Parameters
        ----------
        emulator_url
            URL of the emulator.
        resources
            The deployment's resources, as they are in the state file.
        """
        self._emulator_url = emulator_url
        self._resources = [resource for resource in resources if resource["type"] in (API_TYPE, NAMESPACE_TYPE)]
        if not self._resources:
            self.stop()
        elif self._process is None or self._process.poll() is not None:
            self._start()
        else:
            self._tell()

    def revive(self) -> bool:
        """Start it again if it has died, which the market does not notice and its clients do; says whether."""
        if self._process is None or self._process.poll() is None:
            return False
        if time.monotonic() - self._started_at_s < _REVIVAL_PAUSE_S:
            return False
        _log.warning("the feed ended with code %s and is started again", self._process.returncode)
        self._start()
        return True

    def stop(self) -> None:
        """End it. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _start(self) -> None:
        self.stop()
        self._started_at_s = time.monotonic()
        command = [sys.executable, "-m", "local.feed", "--emulator", self._emulator_url]
        command += ["--realtime-port", str(self._realtime_port), "--publishing-port", str(self._publishing_port)]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=_PACKAGE_ROOT,
                start_new_session=True,
            )
        self._tell()

    def _tell(self) -> None:
        """Pass the resources on, and wait until they hold; a process that dies meanwhile is revived later."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        try:
            process.stdin.write(json.dumps(self._resources) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return
        answer = process.stdout.readline().strip()
        if answer != READY:
            _log.error("the feed does not serve this deployment: %s", answer or "it ended")
