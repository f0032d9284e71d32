"""The process behind a local environment: the emulator is its child, event delivery its threads, each deployment a
short-lived subprocess.

`python -m local.supervisor` is what `local.environment.up` starts. SIGTERM and SIGINT end it, SIGHUP deploys again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.clients import isolate
from local.delivery.aws import AwsPorts
from local.delivery.checkpoints import FileCheckpoints, MemoryCheckpoints
from local.delivery.engine import DeliveryEngine
from local.delivery.reader import Polling
from local.delivery.schedules import ScheduleRunner
from local.delivery.wiring import WiringError, load_wiring
from local.deployer.errors import DeployError
from local.deployer.project import load_project
from local.emulator import ACCOUNT_ID, Emulator, EmulatorFailed, PortTaken, check_port
from local.environment_files import PROJECT_ROOT, DeployFailed, EnvironmentBusy, LocalEnvironment, RunningEnvironment
from local.feed.process import FeedProcess

if TYPE_CHECKING:
    from collections.abc import Generator

    from local.delivery.ports import CheckpointStore
    from local.delivery.stats import MappingStats, ScheduleStats
    from local.permissions import RoleCall

_log = logging.getLogger(__name__)

_WATCH_S = 1.0
_DRAIN_S = 15.0
_STOP_DELIVERY_S = 10.0
# The emulator tells of every write, and no stream of it is resharded by itself.
_POLLING = Polling(unannounced_ms=5000)
_DISCOVERY_MS = 10_000


class Supervisor:
    """Owner of one environment.

    Parameters
    ----------
    environment
        Files of the environment.
    port
        Port of the emulator; chosen freely by default, with kept state the one used before if it is free.
    keep_state
        Whether the data of the last such run is loaded and kept.
    """

    def __init__(self, environment: LocalEnvironment, *, port: int | None = None, keep_state: bool = False) -> None:
        self._environment = environment
        self._port = port
        self._keep_state = keep_state
        self._data = environment.data(keep_state=keep_state)
        self._emulator_folder = environment.emulator(keep_state=keep_state)
        self._state_path = environment.state(keep_state=keep_state)
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._redeploy = False
        self._engine: DeliveryEngine | None = None
        self._schedules: ScheduleRunner | None = None
        self._feed = FeedProcess(environment.feed_log)
        self._deployments = 0
        self._started_at_ms = 0
        self._refused: tuple[RoleCall, ...] = ()

    def run(self) -> None:
        """Start everything, watch over it until a signal asks for the end, and stop everything.

        This process is given to the environment: AWS settings and proxies of its own are taken away.

        Raises
        ------
        PortTaken, EnvironmentBusy, DeployFailed
            The environment could not start, ended by itself, or could not be taken down cleanly; or a function was
            refused a call, which tells of a grant that its component forgot.
        """
        isolate(os.environ)
        with self._environment.hold(), self._signals():
            try:
                self._run()
            finally:
                self._environment.description.unlink(missing_ok=True)
                self._environment.delivery.unlink(missing_ok=True)
                self._environment.schedules.unlink(missing_ok=True)
            if self._refused:
                raise DeployFailed("; ".join(map(str, self._refused)))

    def _run(self) -> None:
        try:
            region = load_project(self._environment.root, self._environment.stack).region
        except DeployError as error:
            raise DeployFailed(str(error)) from None
        self._prepare_data()
        emulator = Emulator(
            self._emulator_folder,
            self._environment.emulator_log,
            region=region,
            port=self._port if self._port is not None else self._previous_port(),
            keep_state=self._keep_state,
            function_variables={"AWS_ENDPOINT_URL_APPSYNC": self._feed.publishing_url},
            on_write=self._announce,
        )
        checkpoints = FileCheckpoints(self._data / "checkpoints.json") if self._keep_state else MemoryCheckpoints()
        ports = AwsPorts(emulator.endpoint_url, region, ACCOUNT_ID)
        try:
            try:
                emulator.start()
            except EmulatorFailed as error:
                raise DeployFailed(str(error)) from None
            outputs = self._deploy(emulator)
            if self._stop.is_set():
                return
            self._serve_feed(emulator)
            self._deliver(emulator, ports, checkpoints)
            self._started_at_ms = time.time_ns() // 1_000_000
            self._publish(emulator, region, outputs)
            _log.info("ready at %s", emulator.endpoint_url)
            self._watch(emulator, region, ports, checkpoints, outputs)
        finally:
            try:
                self._end(emulator)
            finally:
                self._feed.stop()
                emulator.stop()
                shutil.rmtree(self._emulator_folder / "tmp", ignore_errors=True)

    def _watch(
        self, emulator: Emulator, region: str, ports: AwsPorts, checkpoints: CheckpointStore, outputs: dict[str, Any]
    ) -> None:
        published: tuple[MappingStats, ...] = ()
        published_schedules: tuple[ScheduleStats, ...] = ()
        while not self._stop.is_set():
            self._woken.wait(_WATCH_S)
            self._woken.clear()
            if not emulator.alive:
                raise DeployFailed(f"the emulator has ended; see {self._environment.emulator_log}")
            if self._feed.revive():
                self._publish(emulator, region, outputs)
            if self._engine is not None and (stats := self._engine.stats()) != published:
                self._environment.describe_delivery(stats)
                published = stats
            if self._schedules is not None and (schedules := self._schedules.stats()) != published_schedules:
                self._environment.describe_schedules(schedules)
                published_schedules = schedules
            if self._redeploy:
                self._redeploy = False
                try:
                    outputs = self._deploy(emulator)
                except DeployFailed as error:
                    self._environment.report_failure(error)
                if self._stop.is_set():
                    return
                # A deployment that failed half-way has changed resources too: delivery and feed follow the state file.
                self._stop_delivery()
                self._serve_feed(emulator)
                try:
                    self._deliver(emulator, ports, checkpoints)
                except DeployFailed as error:
                    self._environment.report_failure(error)
                self._publish(emulator, region, outputs)

    def _end(self, emulator: Emulator) -> None:
        if self._engine is not None and self._keep_state and emulator.alive and not self._engine.drain(_DRAIN_S):
            _log.warning("orders were still on their way after %g s; they go on at the next start", _DRAIN_S)
        self._stop_delivery()
        # Before the policies are deleted under a function that still runs.
        self._refused = tuple(call for call in emulator.role_calls() if not call.allowed)
        if self._keep_state or not emulator.alive or not self._state_path.exists():
            return
        result = self._deployer("down", emulator)
        if result["remaining"]:
            raise DeployFailed("; ".join([f"not deleted: {', '.join(result['remaining'])}", *map(str, self._refused)]))

    def _deploy(self, emulator: Emulator) -> dict[str, Any]:
        started_at = time.monotonic()
        refresh = ["--refresh"] if self._keep_state and self._deployments == 0 else []
        self._deployments += 1
        result = self._deployer("up", emulator, *refresh)
        _log.info("deployed in %.1f s: %s", time.monotonic() - started_at, result.get("changes"))
        return result.get("outputs", {})

    def _deployer(self, command: str, emulator: Emulator, *options: str) -> dict[str, Any]:
        """Run the deployer; its log goes to ours. An `up` ends early, without a result, when this process is asked
        to stop.
        """
        arguments = ["--stack", self._environment.stack, "--root", str(self._environment.root)]
        arguments += ["--endpoint", emulator.endpoint_url, "--state", str(self._state_path), *options]
        process = subprocess.Popen(
            [sys.executable, "-m", "local.deployer", command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )
        while True:
            try:
                out, err = process.communicate(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                if command == "up" and self._stop.is_set():
                    process.terminate()
        sys.stderr.write(err)
        sys.stderr.flush()
        if command == "up" and self._stop.is_set():
            return {}
        if process.returncode != 0:
            # After it, the interpreter may complain about the event loop that Pulumi has left behind.
            causes = [line.removeprefix("error: ") for line in err.splitlines() if line.startswith("error: ")]
            raise DeployFailed(causes[-1] if causes else f"the deployer ended with code {process.returncode}")
        return json.loads(out)

    def _serve_feed(self, emulator: Emulator) -> None:
        self._feed.configure(emulator.endpoint_url, self._resources())

    def _resources(self) -> list[dict[str, Any]]:
        document = json.loads(self._state_path.read_text(encoding="utf-8"))
        return [resource for resource in document["deployment"]["resources"] if not resource.get("delete")]

    def _deliver(self, emulator: Emulator, ports: AwsPorts, checkpoints: CheckpointStore) -> None:
        try:
            wiring = load_wiring(self._resources())
        except WiringError as error:
            raise DeployFailed(str(error)) from None
        emulator.give_way(wiring.functions_behind)
        self._engine = DeliveryEngine(
            wiring,
            ports,
            ports,
            ports,
            ports,
            checkpoints=checkpoints,
            polling=_POLLING,
            discovery_ms=_DISCOVERY_MS,
        )
        self._engine.start()
        self._schedules = ScheduleRunner(wiring.schedules, ports, ports, checkpoints=checkpoints)
        self._schedules.start()

    def _announce(self, stream_arn: str) -> None:
        if (engine := self._engine) is not None:
            engine.announce(stream_arn)

    def _stop_delivery(self) -> None:
        # First what starts new work, then what carries it on.
        if self._schedules is not None:
            self._schedules.stop(_STOP_DELIVERY_S)
            self._schedules = None
        if self._engine is not None:
            self._engine.stop(_STOP_DELIVERY_S)
            self._engine = None

    def _publish(self, emulator: Emulator, region: str, outputs: dict[str, Any]) -> None:
        running = RunningEnvironment(
            stack=self._environment.stack,
            pid=os.getpid(),
            emulator_pid=emulator.pid,
            port=emulator.port,
            endpoint_url=emulator.endpoint_url,
            account_id=ACCOUNT_ID,
            region=region,
            outputs=outputs,
            started_at_ms=self._started_at_ms,
            deployments=self._deployments,
            keep_state=self._keep_state,
            feed_url=self._feed.realtime_url,
            feed_pid=self._feed.pid,
        )
        self._environment.describe(running)

    def _prepare_data(self) -> None:
        """Without kept state, what a killed run may have left behind describes an emulator that is gone."""
        self._data.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._emulator_folder / "tmp", ignore_errors=True)
        if not self._keep_state:
            shutil.rmtree(self._emulator_folder, ignore_errors=True)
            self._state_path.unlink(missing_ok=True)

    def _previous_port(self) -> int | None:
        """With kept state, URLs in the state stay true if the port stays."""
        if not self._keep_state or not self._state_path.exists():
            return None
        endpoint = str(json.loads(self._state_path.read_text(encoding="utf-8")).get("endpoint", ""))
        port = urllib.parse.urlsplit(endpoint).port
        if port is None:
            return None
        try:
            check_port(port)
        except PortTaken:
            return None
        return port

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        def stop(*_: Any) -> None:
            self._stop.set()
            self._woken.set()

        def redeploy(*_: Any) -> None:
            self._redeploy = True
            self._woken.set()

        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: redeploy}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def main() -> int:
    """Run a supervisor in this process; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.supervisor", description="Run a local environment until a signal ends it."
    )
    parser.add_argument("--stack", required=True, help="stack name: Pulumi.<stack>.yaml")
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT, help="folder of Pulumi.yaml")
    parser.add_argument("--folder", type=Path, help="folder of the environment's files (default: .local/<stack>)")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--keep-state", action="store_true", help="go on with the data of the last run and keep it")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    environment = LocalEnvironment(arguments.stack, arguments.root, arguments.folder)
    try:
        Supervisor(environment, port=arguments.port, keep_state=arguments.keep_state).run()
    except (PortTaken, EnvironmentBusy, DeployFailed) as error:
        _log.error("%s", error)
        environment.report_failure(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
