"""The tape every engine plays, and how one process plays it: read, prepare, play on the clock, digest the fills.

Standard library only: this module is imported inside each peer's own virtual environment.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LIMIT, IMMEDIATE_OR_CANCEL, CANCEL = "L", "I", "X"
BUY, SELL = "B", "S"
BATCH = 500


class Message(NamedTuple):
    """One line of the tape. Orders are numbered 0, 1, 2… as they are placed; a cancel names its order's number."""

    kind: str
    order: int
    side: str = BUY
    price: int = 0
    quantity: int = 0


class Engine(Protocol):
    """What an adapter does with its peer. Only `play` is on the clock, so it does nothing the peer does not need."""

    def prepare(self, messages: list[Message]) -> list[Any]:
        """Put messages into the peer's own terms: enum members, price type."""
        ...

    def play(self, prepared: list[Any]) -> None:
        """Send prepared messages to the peer, one by one; keep what it answers."""
        ...

    def take_fills(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield the fills since the last time and forget them: maker's order number, taker's, price, quantity."""
        ...


def write_tape(path: Path, messages: Iterable[Message]) -> None:
    """Write one message a line, fields separated by tabs."""
    with path.open("w", encoding="ascii") as file:
        file.writelines("\t".join(map(str, message)) + "\n" for message in messages)


def read_tape(path: Path) -> Iterator[Message]:
    """Yield the messages of a file one by one."""
    with path.open(encoding="ascii") as file:
        for line in file:
            kind, order, side, price, quantity = line.rstrip("\n").split("\t")
            yield Message(kind, int(order), side, int(price), int(quantity))


def serve(new_engine: Callable[[], Engine]) -> None:
    """Play the opening book `argv[1]` off the clock, then parts of the tape `argv[2]` as the parent asks for them.

    Each line on stdin is a number of messages to play next; the answer is a JSON line with the CPU seconds of this
    process on the clock, the number of fills so far and the SHA-256 digest of all of them. Within a part, messages come
    and fills leave in batches as large as the matcher's, so that the harness keeps little in memory.
    """
    engine = new_engine()
    opening, tape = (read_tape(Path(path)) for path in sys.argv[1:3])
    while batch := list(islice(opening, BATCH)):
        engine.play(engine.prepare(batch))
    digest, fills = hashlib.sha256(), 0
    gc.collect()
    for line in sys.stdin:
        part, seconds = islice(tape, int(line)), 0.0
        while batch := list(islice(part, BATCH)):
            prepared = engine.prepare(batch)
            started = time.process_time()
            engine.play(prepared)
            seconds += time.process_time() - started
            for fill in engine.take_fills():
                digest.update(b"%d %d %d %d\n" % fill)
                fills += 1
        print(json.dumps({"seconds": seconds, "fills": fills, "digest": digest.hexdigest()}), flush=True)
