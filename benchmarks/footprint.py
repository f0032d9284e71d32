"""What the platform weighs: handler start-up, the deployed archive, the local environment at rest.

Run ``python -m benchmarks.footprint [--rounds N]``.

Start-up is the CPU time (user + system) of a fresh process that imports a handler module, its DynamoDB client included,
against one that imports boto3 and creates a DynamoDB client. Both kinds run in turn and the medians are compared, so a
noisy machine slows both. The first round only fills the bytecode caches.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.api import MarketApi, path_of
from cli.environments import Environment
from cli.players import PlayerPool
from components.code_archive import archive_bytes
from functions import environment
from local.environment import down, up

ROOT = Path(__file__).resolve().parent.parent

START_UP_BUDGET = 1.3
ARCHIVE_BUDGET_BYTES = 100 * 1000
AT_REST_BUDGET_MB = 700

_BURST_CLIENTS = 8
_REST_LIMIT_S = 120

_BASELINE = "import boto3; boto3.client('dynamodb')"
_HANDLERS = {
    "functions.asks_api": environment.AsksEnvironment,
    "functions.bids_api": environment.BidsEnvironment,
    "functions.quotes_api": environment.QuotesEnvironment,
    "functions.matcher": environment.MatcherEnvironment,
    "functions.history_api": environment.HistoryApiEnvironment,
    "functions.history_recorder": environment.HistoryRecorderEnvironment,
}


def start_up_ratios(rounds: int) -> tuple[float, dict[str, float]]:
    """Measure start-ups.

    Parameters
    ----------
    rounds
        Processes of each kind that count, 1 or more.

    Returns
    -------
    tuple[float, dict[str, float]]
        CPU seconds of the baseline, and for each handler module its CPU time as a multiple of that.
    """
    programs = {"baseline": _BASELINE, **{module: f"import {module}" for module in _HANDLERS}}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for counts in [False] + [True] * rounds:
        for name, program in programs.items():
            spent_s = _cpu_seconds(program)
            if counts:
                seconds[name].append(spent_s)
    baseline_s = statistics.median(seconds.pop("baseline"))
    return baseline_s, {name: statistics.median(spent) / baseline_s for name, spent in seconds.items()}


def memory_mb() -> tuple[float, float]:
    """Measure a local environment of its own.

    Returns
    -------
    tuple[float, float]
        MB of all its processes right after a burst of requests, and at rest, when the emulator has ended the Lambda
        workers that only the burst needed. Proportional set size: pages that several processes share count once.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        running = up("local", folder=folder)
        try:
            _send_burst(Environment("local", running.outputs, running.client))
            after_burst_mb = _tree_mb(running.pid)
            # Supervisor and emulator, and the one warm worker that each function keeps.
            at_rest = 2 + len(running.client("lambda").list_functions()["Functions"])
            deadline = time.monotonic() + _REST_LIMIT_S
            while len(_process_tree(running.pid)) > at_rest:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"no rest within {_REST_LIMIT_S} s: more than {at_rest} processes")
                time.sleep(1)
            return after_burst_mb, _tree_mb(running.pid)
        finally:
            down("local", folder=folder)


def _send_burst(environment: Environment) -> None:
    token = PlayerPool(environment).mint_token("ann")
    order = {"material": environment.materials[0], "quantity": 1, "price": "1.00"}

    def send(number: int) -> None:
        with MarketApi(environment.api_url) as api:
            side = ("asks", "bids")[number % 2]
            order_id = api.post(f"/{side}", token, order).accepted()["id"]
            api.get(path_of(side, order_id, "history"), token)  # may not be recorded yet
            api.get(path_of("materials", environment.materials[0], "book"), token).accepted()

    with ThreadPoolExecutor(_BURST_CLIENTS) as clients:
        list(clients.map(send, range(4 * _BURST_CLIENTS)))


def _tree_mb(pid: int) -> float:
    return sum(map(_proportional_kb, _process_tree(pid))) / 1000


def _cpu_seconds(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=_lambda_like_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _lambda_like_environment() -> dict[str, str]:
    whole_numbers = {"TICK_MINOR", "CURRENCY_DIGITS", "MAX_QUANTITY"}
    variables = {variable for model in _HANDLERS.values() for variable in model.variables()}
    return {
        **{variable: "1" if variable in whole_numbers else variable.lower() for variable in variables},
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


def _process_tree(root_pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    alive: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The command's name, in parentheses, may hold anything; the parent is the second field after it.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(stat.parent.name)
        alive.add(pid)
        children.setdefault(parent, []).append(pid)
    tree = [root_pid] if root_pid in alive else []
    for pid in tree:
        tree.extend(children.get(pid, []))
    return tree


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the platform weighs.")
    parser.add_argument("--rounds", type=int, default=15, help="processes of each kind (default 15)")
    rounds: int = parser.parse_args().rounds
    baseline_s, ratios = start_up_ratios(rounds)
    print(f"start-up, CPU of importing boto3 and creating a DynamoDB client: {baseline_s * 1000:.0f} ms = 1.00")
    for module, ratio in ratios.items():
        print(f"  {module:<22} {ratio:5.2f}   (at most {START_UP_BUDGET})")
    largest = max(len(archive_bytes(f"{module}.handler")) for module in _HANDLERS)
    print(f"largest archive: {largest:,} bytes   (below {ARCHIVE_BUDGET_BYTES:,})")
    after_burst_mb, at_rest_mb = memory_mb()
    print(f"local environment at rest: {at_rest_mb:.0f} MB   (below {AT_REST_BUDGET_MB})")
    print(f"  right after {_BURST_CLIENTS} clients at once: {after_burst_mb:.0f} MB")


if __name__ == "__main__":
    main()
