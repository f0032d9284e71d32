"""Compare our order book with the pure-Python matching engines of PyPI on one tape, and with itself 100× deeper.

Run `python -m benchmarks.order_book_vs_peers` from the repository's root. Each peer lives in its own virtual
environment under `.local/bench/` (made on the first run) and each engine in its own process. All engines play the tape
in parts, taking turns to and fro, so that a noisy moment of the machine meets all of them; speeds are medians over
parts, ratios are medians of the ratios within a part. Only CPU time spent playing counts. Exits with 1 if an engine's
fills differ from ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.order_tape import deep_opening_book, opening_book, trading_day
from benchmarks.peers.tape import CANCEL, IMMEDIATE_OR_CANCEL, LIMIT, write_tape

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".local" / "bench"
ORDERS, SEED = 200_000, 20_26
PART = 20_000
ROUNDS = 7
OURS, DEEP = "market.matching.order_book", "market.matching.order_book, book 100× deeper"


@dataclass(frozen=True)
class Peer:
    """A published engine: its pinned requirement, our adapter module, and how much of the tape it can play in time."""

    requirement: str
    adapter: str
    parts: int | None = None
    rounds: int = ROUNDS


# order-matching scans its whole book several times an order: the tape would take it minutes.
PEERS = (
    Peer("pyorderbook==0.4.9", "pyorderbook"),
    Peer("lightmatchingengine==2019.1.4", "lightmatchingengine"),
    Peer("akhil4n-orderbook==0.1.1", "akhil4n_orderbook"),
    Peer("order-matching[polars]==0.12.0", "order_matching", parts=1, rounds=1),
)


class PeerUnavailableError(Exception):
    """The peer's environment could not be made; the message is pip's last line."""


@dataclass
class Contender:
    """One engine in the comparison and what was measured of it: per round, the CPU seconds of each part."""

    name: str
    command: list[str]
    parts: int
    rounds: int = ROUNDS
    seconds: list[list[float]] = field(default_factory=list[list[float]])
    fills: list[str] = field(default_factory=list[str])  # after each part: count and digest of all fills so far


def environment_of(peer: Peer) -> Path:
    """Make the peer's virtual environment unless it stands complete, and return its interpreter."""
    home = BENCH / peer.adapter
    python, installed = home / "bin" / "python", home / "installed.txt"
    if installed.exists() and installed.read_text() == peer.requirement:
        return python
    venv.create(home, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer.requirement]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerUnavailableError((done.stderr.strip().splitlines() or ["pip failed without a word"])[-1])
    installed.write_text(peer.requirement)
    return python


def play_round(contenders: list[Contender], part_sizes: list[int]) -> None:
    """Start one process a contender and let them play part after part in turn."""
    processes = {
        contender.name: subprocess.Popen(
            contender.command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for contender in contenders
    }
    try:
        for contender in contenders:
            contender.seconds.append([])
            contender.fills.clear()
        for part, size in enumerate(part_sizes):
            for contender in contenders if part % 2 else reversed(contenders):
                if part < contender.parts:
                    answer = ask(processes[contender.name], contender.name, size)
                    contender.seconds[-1].append(answer["seconds"])
                    contender.fills.append(f"{answer['fills']} {answer['digest']}")
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


def ask(process: subprocess.Popen[str], name: str, size: int) -> dict[str, float]:
    """Have one engine play the next `size` messages."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{size}\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{name}: the engine's process ended with code {process.wait()}, see its message above")
    return json.loads(line)


def ratio(ours: Contender, other: Contender) -> float:
    """Median over all parts both played of (speed of ours / speed of other)."""
    return median(
        theirs / mine
        for own_round, their_round in zip(ours.seconds, other.seconds, strict=False)
        for mine, theirs in zip(own_round, their_round, strict=False)
    )


def main() -> int:
    """Make tape and environments, measure, print the table; return the exit code."""
    BENCH.mkdir(parents=True, exist_ok=True)
    tape, opening, deep_opening = BENCH / "tape.tsv", BENCH / "opening.tsv", BENCH / "deep_opening.tsv"
    messages = trading_day(ORDERS, SEED)
    write_tape(tape, messages)
    write_tape(opening, opening_book())
    write_tape(deep_opening, deep_opening_book())
    part_sizes = [len(messages[start : start + PART]) for start in range(0, len(messages), PART)]
    kinds = Counter(message.kind for message in messages)
    print(
        f"tape: {ORDERS:,} orders ({kinds[LIMIT]:,} limit, {kinds[IMMEDIATE_OR_CANCEL]:,} immediate-or-cancel), "
        f"{kinds[CANCEL]:,} cancels, seed {SEED}; played in {len(part_sizes)} parts, {ROUNDS} rounds"
    )

    def command(python: str | Path, adapter: str, opening: Path) -> list[str]:
        return [str(python), "-m", f"benchmarks.peers.{adapter}", str(opening), str(tape)]

    everything = len(part_sizes)
    ours = Contender(OURS, command(sys.executable, "market_order_book", opening), everything)
    deep = Contender(DEEP, command(sys.executable, "market_order_book", deep_opening), everything)
    peers: list[Contender] = []
    for peer in PEERS:
        try:
            python = environment_of(peer)
        except PeerUnavailableError as reason:
            print(f"left out: {peer.requirement} cannot be installed: {reason}")
            continue
        parts = peer.parts or everything
        peers.append(Contender(peer.requirement, command(python, peer.adapter, opening), parts, peer.rounds))
    contenders = [ours, deep, *peers]
    for number in range(ROUNDS):
        play_round([one for one in contenders if number < one.rounds], part_sizes)

    print(f"\n{'engine':40} {'messages/s':>11} {'ours is':>9}  fills")
    differing = 0
    for one in contenders:
        speed = median(
            size / seconds for played in one.seconds for size, seconds in zip(part_sizes, played, strict=False)
        )
        same = one.fills == ours.fills[: one.parts]
        differing += not same
        extent = "" if one.parts == everything else f" of the first {sum(part_sizes[: one.parts]):,} messages"
        count = one.fills[-1].split()[0]
        verdict = "same" if same else "DIFFERENT"
        print(f"{one.name:40} {speed:>11,.0f} {ratio(ours, one):>8.2f}×  {int(count):,}{extent}, {verdict}")
    if peers:
        fastest = min(peers, key=lambda peer: ratio(ours, peer))
        print(f"\nours / fastest peer ({fastest.name}): {ratio(ours, fastest):.2f}")
    print(f"book 100× deeper / ours: {ratio(deep, ours):.3f}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
