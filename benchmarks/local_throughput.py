"""What an order costs the local environment: milliseconds of CPU by process, and the latency that is left.

`python -m benchmarks.local_throughput [RATE [MINUTES]]`. The harness of `market latency` drives an environment of its
own. CPU is counted from the first order until the last record is delivered, so nothing that is put off is left out. CPU
is what decides here: everything runs on this machine's cores, and near their limit waiting times grow without bound.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from rich.table import Table

from cli.environments import LOCAL, Environment
from cli.latency.figures import GOAL_MS, figures_of
from cli.latency.measuring import Progress, RunPlan, measure
from cli.latency.patterns import Pattern
from cli.latency.wording import latency_text, share_text
from cli.screen import screen
from local.environment import LocalEnvironment, RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.latency.samples import Run

_RATE_PER_S: Final = 20.0
_MINUTES: Final = 1.0
_PLAYERS, _WATCHERS = 12, 2
_WARM_UP: Final = RunPlan(Pattern.STEADY, 5.0, 0.2, _PLAYERS, _WATCHERS, seed=0)
_LONGEST_BACKLOG_S: Final = 300.0
_GLANCE_S: Final = 2.5
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_WORKER: Final = re.compile(r"ministack-lambda-(.+?)(?:-function)?(?:-[0-9a-f]{7})?-[^/-]+/_worker")


def cpu_ms_by_process(running: RunningEnvironment) -> Counter[str]:
    """Return the CPU time used so far, user and system, of everything in an environment and of this process.

    Parameters
    ----------
    running
        The environment; on Linux, whose `/proc` is read.
    """
    names = {
        running.pid: "delivery",
        running.emulator_pid: "emulator",
        running.feed_pid: "feed",
        os.getpid(): "clients",
    }
    parents: dict[int, int] = {}
    used: dict[int, tuple[int, int]] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            commands[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        parents[int(folder.name)] = int(fields[1])
        own, ended = (sum(map(int, fields[first : first + 2])) * 1000 // _TICKS_PER_S for first in (11, 13))
        used[int(folder.name)] = own, ended
    total: Counter[str] = Counter()
    for process, (own, ended) in used.items():
        if not _belongs(process, parents, running.pid) and process != os.getpid():
            continue
        worker = _WORKER.search(commands[process])
        total[names.get(process) or (worker[1] if worker else "other")] += own
        if process == running.emulator_pid:
            total["ended workers"] += ended
    return total


def _belongs(process: int, parents: Mapping[int, int], ancestor: int) -> bool:
    while process in parents and process != ancestor:
        process = parents[process]
    return process == ancestor


def _wait_until_delivered(files: LocalEnvironment) -> bool:
    """Wait for the background; return whether it caught up."""
    deadline = time.monotonic() + _LONGEST_BACKLOG_S
    before = None
    while time.monotonic() < deadline:
        after = [(mapping.records, mapping.open_records) for mapping in files.find_delivery()]
        if after == before and not any(waiting for _, waiting in after):
            return True
        before = after
        time.sleep(_GLANCE_S)
    return False


def main() -> int:
    """Print CPU by process and the latency; returns 1 if the background did not catch up."""
    rate_per_s, minutes = map(float, (sys.argv[1:] + [str(_RATE_PER_S), str(_MINUTES)][len(sys.argv) - 1 :])[:2])
    with TemporaryDirectory() as folder:
        files = LocalEnvironment(LOCAL, folder=Path(folder))
        running = up(LOCAL, folder=files.folder)
        try:
            environment = Environment(LOCAL, running.outputs, running.client, running.feed_url)
            measure(environment, _WARM_UP, Progress(lambda _step, _total: None, lambda: None))
            _wait_until_delivered(files)
            before: Counter[str] = Counter()
            started_at = time.monotonic()

            def note_start(_step: str, total: int | None) -> None:
                if total is not None:
                    before.clear()
                    before.update(cpu_ms_by_process(running))

            plan = RunPlan(Pattern.STEADY, rate_per_s, minutes, _PLAYERS, _WATCHERS, seed=1)
            run = measure(environment, plan, Progress(note_start, lambda: None))
            caught_up = _wait_until_delivered(files)
            elapsed_s = time.monotonic() - started_at
            used = cpu_ms_by_process(running)
            used.subtract(before)
        finally:
            down(LOCAL, folder=files.folder)
    _print(run, used, elapsed_s)
    return 0 if caught_up else 1


def _print(run: Run, used: Mapping[str, int], elapsed_s: float) -> None:
    console, figures = screen(), figures_of(run)
    total = sum(used.values())
    table = Table(box=None, pad_edge=False, title="CPU", title_justify="left")
    table.add_column("process")
    for heading in ("ms an order", "share"):
        table.add_column(heading, justify="right")
    for name, value in sorted(used.items(), key=lambda row: -row[1]):
        table.add_row(name, f"{value / len(run.samples):.2f}", share_text(value / total))
    table.add_row("together", f"{total / len(run.samples):.2f}", "")
    console.print(table)
    p50, p99 = latency_text(figures.whole.p50_ms), latency_text(figures.whole.p99_ms)
    console.print(
        f"{len(run.samples):,} orders, {figures.achieved_per_s:.1f} a second, {figures.unanswered} unanswered; from due"
        f" to the last client p50 {p50} ms, p99 {p99} ms, under {GOAL_MS} ms {share_text(figures.share_under_goal)};"
        f" {total / elapsed_s / 10:.0f} % of a core over {elapsed_s:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
