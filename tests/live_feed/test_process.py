"""The feed's process: where it listens, how it ends, that it comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.feed import FeedClient, FeedEndpoint, FeedRefusedError
from local.feed.process import FeedProcess
from tests.live_feed.world import HTTP_HOST, Emulator, Issuer, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_S = 20.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[FeedProcess]:
    feed = FeedProcess(tmp_path / "feed.log")
    yield feed
    feed.stop()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _connects(process: FeedProcess, token: str) -> None:
    async def connect() -> None:
        async with FeedClient(FeedEndpoint(str(process.realtime_url), HTTP_HOST), lambda: token) as client:
            await client.subscribe("/market/stone")

    asyncio.run(connect())


def test_it_serves_what_is_deployed_until_it_is_stopped(process: FeedProcess) -> None:
    issuer = Issuer()
    with Emulator(issuer).serve() as url:
        assert (process.realtime_url, process.pid) == (None, None)
        process.configure(url, [])
        assert process.pid is None, "without an Event API nothing runs"
        process.configure(url, resources())
        first = process.pid
        _connects(process, issuer.token("ann"))
        process.configure(url, resources(client_ids="other"))
        assert process.pid == first, "a deployment does not break connections"
        with pytest.raises(FeedRefusedError):
            _connects(process, issuer.token("ann"))
        process.configure(url, [])
        assert first is not None
        assert not _is_alive(first)


def test_it_listens_on_loopback_only(process: FeedProcess) -> None:
    process.configure("http://127.0.0.1:1", resources())
    opened = [str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
    sockets = {name.removeprefix("socket:[").removesuffix("]") for name in opened if name.startswith("socket:")}
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[9] in sockets
    ]
    assert [address.partition(":")[0] for address in listening] == ["0100007F"] * 2


def test_it_is_started_again_on_its_ports_after_it_died(process: FeedProcess) -> None:
    issuer = Issuer()
    with Emulator(issuer).serve() as url:
        process.configure(url, resources())
        assert not process.revive()
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        _until(process.revive)
        assert process.pid != first
        _connects(process, issuer.token("ann"))


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import json, sys, time\nfrom pathlib import Path\nfrom local.feed.process import FeedProcess\n"
        f"feed = FeedProcess(Path({str(tmp_path / 'feed.log')!r}))\n"
        "feed.configure('http://127.0.0.1:1', json.load(sys.stdin))\nprint(feed.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(json.dumps(resources()))
    parent.stdin.close()
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: not _is_alive(pid))
