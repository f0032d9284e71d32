"""The emulator process: its port, its reach, its end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from local.emulator import HOST, Emulator, PortTaken

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S = 20.0


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^port {port} on 127\.0\.0\.1 is taken[^\n]*$"):
            Emulator(tmp_path, tmp_path / "log", port=port).start()


def test_it_listens_on_loopback_only(emulator: Emulator) -> None:
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in _lines(f"/proc/{emulator.pid}/net/{table}")
        if line.split()[3] == "0A" and line.split()[9] in _sockets(emulator.pid)
    }
    assert listening == {f"0100007F:{emulator.port:04X}"}


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom local.emulator import Emulator\n"
        f"emulator = Emulator(Path({str(tmp_path)!r}), Path({str(tmp_path / 'log')!r}))\n"
        "emulator.start()\nprint(emulator.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        emulator_pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + _PATIENCE_S
    while alive(emulator_pid):
        assert time.monotonic() < deadline, "the emulator outlived its parent"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _lines(path: str) -> list[str]:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        return file.readlines()[1:]


def _sockets(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    targets = [os.readlink(f"{folder}/{descriptor}") for descriptor in os.listdir(folder)]  # noqa: PTH115, PTH208 - as above
    return {target[8:-1] for target in targets if target.startswith("socket:[")}
