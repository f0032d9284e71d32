"""A local environment's files: what it says of itself, and the lock that tells whether it lives.

A supervisor describes itself in `environment.json` while it is ready, and holds a lock on `supervisor.lock` for as long
as it lives; the lock, which the operating system releases when the process dies, tells a running environment from the
files of a dead one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.clients import emulator_client
from local.delivery.stats import MappingStats, ScheduleStats
from local.emulator import PortTaken
from local.permissions import read_calls

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import IO

    from local.permissions import RoleCall

PROJECT_ROOT = Path(__file__).resolve().parents[1]
"""Folder of Pulumi.yaml and of `.local/`."""

_LOCK_S = 1.0
_LOCK_POLL_S = 0.01


class EnvironmentNotRunning(Exception):  # noqa: N818 - a statement of what is the case
    """There is no running environment of this stack."""

    def __init__(self, stack: str) -> None:
        super().__init__(f"the {stack} environment is not running")


class DeployFailed(Exception):  # noqa: N818 - a statement of what is the case
    """The environment could not be brought up, brought to the program's state, or taken down. One line."""


class EnvironmentBusy(DeployFailed):
    """The environment runs, but not in the way that was asked for."""


@dataclass(frozen=True)
class RunningEnvironment:
    """A ready environment; the content of `environment.json`.

    Attributes
    ----------
    stack
        Name of the stack.
    pid, emulator_pid
        Process ids of supervisor and emulator.
    port
        Port on 127.0.0.1 that answers AWS calls and the HTTP API.
    endpoint_url
        `http://127.0.0.1:{port}`.
    account_id, region
        AWS account and region of everything in it.
    outputs
        The Pulumi program's exports.
    started_at_ms
        When it became ready, epoch milliseconds.
    deployments
        How many deployments it has seen, the failed ones too.
    keep_state
        Whether its data survives a stop.
    feed_url
        WebSocket address of its Event APIs' real-time endpoints, and `feed_pid` of the process that serves them; None
        if it has none.
    """

    stack: str
    pid: int
    emulator_pid: int
    port: int
    endpoint_url: str
    account_id: str
    region: str
    outputs: dict[str, Any]
    started_at_ms: int
    deployments: int
    keep_state: bool
    feed_url: str | None
    feed_pid: int | None

    def client(self, service_name: str) -> Any:
        """A boto3 client of the environment's account.

        Parameters
        ----------
        service_name
            boto3's name of the service, for example `"dynamodb"`.
        """
        return emulator_client(service_name, self.endpoint_url, self.account_id, self.region)


class LocalEnvironment:
    """Files of one stack's environment.

    Parameters
    ----------
    stack
        Name of the stack.
    root
        Folder of Pulumi.yaml.
    folder
        Folder for the environment's files; `.local/<stack>` in `root` by default. Two environments of one stack need
        two folders.
    """

    def __init__(self, stack: str, root: Path = PROJECT_ROOT, folder: Path | None = None) -> None:
        self.stack = stack
        self.root = root.resolve()
        self.folder = (folder or self.root / ".local" / stack).resolve()
        self.description = self.folder / "environment.json"
        self.failure = self.folder / "failure.json"
        self.delivery = self.folder / "delivery.json"
        self.schedules = self.folder / "schedules.json"
        self.log = self.folder / "supervisor.log"
        self.emulator_log = self.folder / "emulator.log"
        self.feed_log = self.folder / "feed.log"
        self._lock = self.folder / "supervisor.lock"

    def data(self, *, keep_state: bool) -> Path:
        """Folder of state file, checkpoints and emulator data. Kept data has its own, so that a run without it does
        no harm.
        """
        return self.folder / "kept" if keep_state else self.folder

    def emulator(self, *, keep_state: bool) -> Path:
        """The emulator's folder."""
        return self.data(keep_state=keep_state) / "emulator"

    def state(self, *, keep_state: bool) -> Path:
        """The deployer's state file."""
        return self.data(keep_state=keep_state) / "state.json"

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """Be the environment's one supervisor.

        Raises
        ------
        EnvironmentBusy
            Another process is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as file:
            # Whoever asks `held` at this moment has the lock for an instant, too.
            deadline = time.monotonic() + _LOCK_S
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EnvironmentBusy(f"the {self.stack} environment is already running")
                time.sleep(_LOCK_POLL_S)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor that lives; it may not be ready yet."""
        return int(self._lock.read_text(encoding="ascii"))

    @property
    def held(self) -> bool:
        """Whether a supervisor lives."""
        try:
            with self._lock.open("a") as file:
                return not _lock(file, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def describe(self, running: RunningEnvironment) -> None:
        """Publish the running environment, in one step."""
        _replace(self.description, asdict(running))

    def find(self) -> RunningEnvironment | None:
        """The running environment; files of a dead one are removed."""
        if not self.held:
            self.description.unlink(missing_ok=True)
            return None
        try:
            document = json.loads(self.description.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return RunningEnvironment(**document)

    def describe_delivery(self, mappings: Sequence[MappingStats]) -> None:
        """Publish the counters of event delivery, in one step."""
        _replace(self.delivery, [asdict(mapping) for mapping in mappings])

    def find_delivery(self) -> list[MappingStats]:
        """The counters of event delivery, a second old at most; none if the environment does not run."""
        if self.find() is None or not self.delivery.exists():
            return []
        return [MappingStats(**mapping) for mapping in json.loads(self.delivery.read_text(encoding="utf-8"))]

    def describe_schedules(self, schedules: Sequence[ScheduleStats]) -> None:
        """Publish when schedules fired and will fire, in one step."""
        _replace(self.schedules, [asdict(schedule) for schedule in schedules])

    def find_schedules(self) -> list[ScheduleStats]:
        """When schedules fired and will fire, a second old at most; none if the environment does not run."""
        if self.find() is None or not self.schedules.exists():
            return []
        return [ScheduleStats(**schedule) for schedule in json.loads(self.schedules.read_text(encoding="utf-8"))]

    def role_calls(self, *, keep_state: bool) -> tuple[RoleCall, ...]:
        """What roles have done, or were refused, since the start: each kind of call once."""
        return read_calls(self.emulator(keep_state=keep_state))

    def report_failure(self, error: Exception) -> None:
        """Leave the reason of a failure to whoever waits for the environment."""
        port = error.port if isinstance(error, PortTaken) else None
        _replace(self.failure, {"message": " ".join(str(error).split()), "port_taken": port})

    def take_failure(self) -> Exception | None:
        """The reason left by `report_failure`, if any; it is taken away."""
        try:
            document = json.loads(self.failure.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        self.failure.unlink(missing_ok=True)
        if document["port_taken"] is not None:
            return PortTaken(document["port_taken"])
        return DeployFailed(document["message"])


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, document: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document), encoding="utf-8")
    partial.replace(path)
