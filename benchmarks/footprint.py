"""What the platform weighs: handler start-up, the deployed archive, the local environment at rest.

Run ``python -m benchmarks.footprint [--rounds N]``.

Start-up is the CPU time (user + system) of a fresh process that imports a handler module with the variables it is
deployed with, its clients included, against one that imports boto3 and creates a DynamoDB client. Both kinds run in
turn and the medians are compared, so a noisy machine slows both. The first round only fills the bytecode caches.
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
from typing import TYPE_CHECKING

from cli.api import MarketApi, path_of
from cli.environments import Environment
from cli.funding import fund_players
from cli.players import PlayerPool
from cli.service import service_token
from components.code_archive import archive_bytes
from local.emulator import IDLE_WORKER_S
from local.environment import down, up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.environment import RunningEnvironment

ROOT = Path(__file__).resolve().parent.parent

START_UP_BUDGET = 1.3
AT_REST_BUDGET_MB = 700

_BURST_CLIENTS = 8
_AT_REST_S = IDLE_WORKER_S + 30

_BASELINE = "import boto3; boto3.client('dynamodb')"


def start_up_ratios(functions: Mapping[str, Mapping[str, str]], rounds: int) -> tuple[float, dict[str, float]]:
    """Measure start-ups.

    Parameters
    ----------
    functions
        Handler module → the variables it is deployed with.
    rounds
        Processes of each kind that count, 1 or more.

    Returns
    -------
    tuple[float, dict[str, float]]
        CPU seconds of the baseline, and for each handler module its CPU time as a multiple of that.
    """
    programs: dict[str, tuple[str, Mapping[str, str]]] = {
        "": (_BASELINE, {}),
        **{module: (f"import {module}", given) for module, given in functions.items()},
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for counts in [False] + [True] * rounds:
        for name, (program, variables) in programs.items():
            spent_s = _cpu_seconds(program, variables)
            if counts:
                seconds[name].append(spent_s)
    baseline_s = statistics.median(seconds.pop(""))
    return baseline_s, {name: statistics.median(spent) / baseline_s for name, spent in seconds.items()}


def deployed_functions(running: RunningEnvironment) -> dict[str, dict[str, str]]:
    """Return the handler module of every function that an environment has, and its variables."""
    pages = running.client("lambda").get_paginator("list_functions").paginate()
    return {
        str(function["Handler"]).removesuffix(".handler"): function["Environment"]["Variables"]
        for page in pages
        for function in page["Functions"]
    }


def memory_mb(running: RunningEnvironment) -> tuple[float, float]:
    """Measure a local environment.

    Returns
    -------
    tuple[float, float]
        MB of all its processes right after a burst of requests, and at rest, when the Lambda workers that only the
        burst needed have ended. Proportional set size: pages that several processes share count once.
    """
    _send_burst(Environment("local", running.outputs, running.client))
    after_burst_mb = _tree_mb(running.pid)
    processes, unchanged_since = len(_process_tree(running.pid)), time.monotonic()
    while time.monotonic() - unchanged_since < _AT_REST_S:
        time.sleep(1)
        if len(_process_tree(running.pid)) != processes:
            processes, unchanged_since = len(_process_tree(running.pid)), time.monotonic()
    return after_burst_mb, _tree_mb(running.pid)


def _send_burst(environment: Environment) -> None:
    players = PlayerPool(environment)
    token = players.mint_token("ann")
    material = environment.materials[0]
    fund_players(
        [players.player_id("ann")],
        api_url=environment.api_url,
        token=service_token(environment),
        materials=[material],
        tick_minor=1,
        currency_digits=2,
        day="footprint",
        clients=1,
    )
    order = {"material": material, "quantity": 1, "price": "1.00", "post_only": True}

    def send(number: int) -> None:
        with MarketApi(environment.api_url) as api:
            side = ("asks", "bids")[number % 2]
            order_id = api.post(f"/{side}", token, order).accepted()["id"]
            api.get(path_of(side, order_id, "history"), token)  # may not be recorded yet
            api.get(path_of("materials", material, "book"), token).accepted()

    with ThreadPoolExecutor(_BURST_CLIENTS) as clients:
        list(clients.map(send, range(4 * _BURST_CLIENTS)))


def _tree_mb(pid: int) -> float:
    return sum(map(_proportional_kb, _process_tree(pid))) / 1000


def _cpu_seconds(program: str, variables: Mapping[str, str]) -> float:
    environ = {
        **variables,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


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
    parser.add_argument("--rounds", type=int, default=7, help="processes of each kind (default 7)")
    rounds: int = parser.parse_args().rounds
    with TemporaryDirectory() as name:
        folder = Path(name)
        running = up("local", folder=folder)
        try:
            functions = deployed_functions(running)
            after_burst_mb, at_rest_mb = memory_mb(running)
        finally:
            down("local", folder=folder)
    print(f"local environment at rest: {at_rest_mb:.0f} MB   (below {AT_REST_BUDGET_MB})")
    print(f"  right after {_BURST_CLIENTS} clients at once: {after_burst_mb:.0f} MB")
    sizes = {module: len(archive_bytes(f"{module}.handler")) for module in functions}
    print(f"largest archive: {max(sizes.values()):,} bytes, {max(sizes, key=sizes.__getitem__)}")
    baseline_s, ratios = start_up_ratios(functions, rounds)
    print(f"start-up, CPU of importing boto3 and creating a DynamoDB client: {baseline_s * 1000:.0f} ms = 1.00")
    for module, ratio in sorted(ratios.items()):
        print(f"  {module:<30} {ratio:5.2f}   (at most {START_UP_BUDGET})")


if __name__ == "__main__":
    main()
