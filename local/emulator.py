"""The AWS emulator (MiniStack) as a child process: loopback only, a log file, a clean stop, and no life beyond its
parent's.

`python -m local.emulator FOLDER PIPE` is the child: it runs MiniStack, notes in the folder what roles do in it, tells
the pipe which streams are written, and ends it when the pipe on its standard input closes, which the operating system
does when the parent dies, however it dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from local.announcements import announce_writes, listen
from local.permissions import RoleCall, check_publishing, check_statements, note_calls, read_calls
from local.quickening import quicken
from local.workers import Workers, obey, request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOST = "127.0.0.1"
ACCOUNT_ID = "000000000000"
"""Account of everything local. Twelve digits as an access key select the account in the emulator."""

_PACKAGE_ROOT = Path(__file__).resolve().parents[1]
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_READY_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 15.0
_KILL_TIMEOUT_S = 5.0
IDLE_WORKER_S = 120
"""How long a function's process but the first is kept without work."""


class PortTaken(Exception):  # noqa: N818 - a statement of what is the case
    """Another process listens on the port that was asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} on {HOST} is taken by another process; choose another one or leave the choice to us"
        )


class EmulatorFailed(Exception):  # noqa: N818 - a statement of what is the case
    """The emulator did not start, or ended by itself. The text names its log file."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_port(port: int) -> None:
    """Fail early if a port cannot be had.

    Raises
    ------
    PortTaken
        Somebody listens on it, or this user may not bind it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise PortTaken(port) from None


class Emulator:
    """One emulator process.

    Parameters
    ----------
    folder
        Folder for temporary files and, with `keep_state`, for the emulator's data.
    log_path
        File the emulator's output is appended to.
    region
        AWS region of requests that name none.
    port
        Port to listen on; chosen freely by default.
    keep_state
        Load the data of an earlier run at the start and save it at the stop.
    function_variables
        Environment variables of every function besides its own, such as where an AWS service is that the emulator
        leaves to another process.
    on_write
        Called with the ARN of every stream that was written, soon after, from a thread of its own.
    """

    def __init__(
        self,
        folder: Path,
        log_path: Path,
        *,
        region: str = "us-east-1",
        port: int | None = None,
        keep_state: bool = False,
        function_variables: Mapping[str, str] | None = None,
        on_write: Callable[[str], None] = lambda stream_arn: None,
    ) -> None:
        self._folder = folder
        self._log_path = log_path
        self._region = region
        self._function_variables = dict(function_variables or {})
        self._keep_state = keep_state
        self._on_write = on_write
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port if port is not None else free_port()

    @property
    def endpoint_url(self) -> str:
        """URL every AWS client of the environment uses."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id, which is also the process group of the emulator and its Lambda workers."""
        if self._process is None:
            raise EmulatorFailed("the emulator has not been started")
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises
        ------
        PortTaken
            The given port is in use.
        EmulatorFailed
            It ended, or did not answer within 30 s.
        """
        check_port(self.port)
        temporary = self._folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        announced, announcing = os.pipe()
        with self._log_path.open("ab") as log, os.fdopen(announcing, "wb"):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator", str(self._folder), str(announcing)],
                pass_fds=(announcing,),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment(temporary),
                cwd=_PACKAGE_ROOT,
                start_new_session=True,
            )
        listener = (announced, self._on_write)
        threading.Thread(target=listen, args=listener, name="announcements", daemon=True).start()
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None:
                raise EmulatorFailed(
                    f"the emulator ended with code {self._process.returncode} at its start; see {self._log_path}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise EmulatorFailed(f"the emulator did not answer within {_READY_TIMEOUT_S:g} s; see {self._log_path}")
            time.sleep(0.02)

    def give_way(self, functions: frozenset[str]) -> None:
        """Let functions that nobody waits for have only the time that others leave.

        Parameters
        ----------
        functions
            Names of functions, all of them at each call.
        """
        if self._process is not None and self._process.stdin is not None:
            # It may have ended by itself, which is noticed elsewhere.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(request(functions))
                self._process.stdin.flush()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def role_calls(self) -> tuple[RoleCall, ...]:
        """What roles have done, or were refused, since the start: each kind of call once."""
        return read_calls(self._folder)

    def stop(self) -> None:
        """End the emulator and its Lambda workers: ask, wait, and in the end kill the process group. Safe to call
        twice.
        """
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_KILL_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()

    def _answers(self) -> bool:
        try:
            with _DIRECT.open(f"{self.endpoint_url}/_ministack/health", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _environment(self, temporary: Path) -> dict[str, str]:
        # PYTHONPATH stays out: a function must find its code in its archive, not in the working copy.
        inherited = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "SYSTEMROOT") if key in os.environ
        }
        return {
            **inherited,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": self._region,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            # Both would listen on ports of their own.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # Signatures are checked, and a role may do what its policies grant; the account's own key may do all.
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_WARM_TTL_SECONDS": str(IDLE_WORKER_S),
            "LOG_LEVEL": "WARNING",
            "MALLOC_ARENA_MAX": "2",
            "TMPDIR": str(temporary),
            "PERSIST_STATE": "1" if self._keep_state else "0",
            "STATE_DIR": str(self._folder / "data"),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Host names as on AWS; who calls them locally knows another address.
            "APPSYNC_EVENTS_HTTP_HOST_TEMPLATE": "{api_id}.appsync-api.{region}.amazonaws.com",
            "APPSYNC_EVENTS_REALTIME_HOST_TEMPLATE": "{api_id}.appsync-realtime-api.{region}.amazonaws.com",
            **self._function_variables,
        }


def _obey_parent(workers: Workers) -> None:
    """Do what the parent asks for until standard input closes; then end this process the way `Emulator.stop` does."""
    for line in sys.stdin.buffer:
        obey(workers, line)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run MiniStack in this process."""
    from local.serving import serve  # noqa: PLC0415 - whoever starts the child needs no server

    note_calls(Path(sys.argv[1]))
    check_publishing()
    check_statements()
    quicken()
    announce_writes(int(sys.argv[2]))
    workers = Workers()
    threading.Thread(target=_obey_parent, args=(workers,), name="parent", daemon=True).start()
    serve(HOST, int(os.environ["GATEWAY_PORT"]), giving_way=workers.keys_giving_way, delivering=ACCOUNT_ID)


if __name__ == "__main__":
    main()
