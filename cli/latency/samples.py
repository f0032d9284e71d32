"""What a run saw: each mutation with its times, and the run they belong to; written to and read from a JSON file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cli.failures import UnusableCommandError
from cli.latency.clocks import ClockOffset, Exchange, estimate_offset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FORMAT = "market-latency-1"


@dataclass(frozen=True, slots=True)
class Sample:
    """One mutation. Times are milliseconds since the start of the run on the client's monotonic clock.

    Attributes
    ----------
    trace_id
        32 hexadecimal digits; the client made it up.
    side, material, player
        ``BUY`` or ``SELL``, what, and the player's name.
    due_ms, sent_ms, answered_ms
        When it was to be sent, was sent, and was answered; None if no answer came.
    order_id, refusal
        The market's id, or its reason; both None if no answer came.
    failed
        Whether the market did neither of what it is there for: take the order, or refuse it by its rules.
    stamps
        Servers' stamps by name (`market.tracing.HOPS`), epoch ms, as far as its player was told.
    told_ms
        When its player received the message with those stamps, which need not be the first message about it.
    receipts
        Name of each client that received a message about it → when for the first time.
    own_client
        Name of its player's client.
    """

    trace_id: str
    side: str
    material: str
    player: str
    due_ms: float
    sent_ms: float
    answered_ms: float | None
    order_id: str | None
    refusal: str | None
    failed: bool
    stamps: dict[str, int]
    told_ms: float | None
    receipts: dict[str, float]
    own_client: str

    @property
    def taken(self) -> bool:
        """Whether every client must hear of it: the market accepted it, or has told of it without an answer."""
        return self.order_id is not None or bool(self.receipts)

    @property
    def counts(self) -> bool:
        """Whether it is in the figures: all but what the market refused by its rules, which nobody has to hear of."""
        return self.taken or self.failed

    @property
    def received_ms(self) -> float | None:
        """When its player was told of its stamps, or at least of it; None if never."""
        return self.told_ms if self.told_ms is not None else self.receipts.get(self.own_client)

    @property
    def own_ms(self) -> float:
        """From due to its player's first receipt; infinite if there was none."""
        return self.receipts.get(self.own_client, math.inf) - self.due_ms

    def whole_ms(self, watchers: Sequence[str]) -> float:
        """From due to the receipt of the last client: its player's, and every watcher; infinite if one had none."""
        return max(self.receipts.get(client, math.inf) for client in (self.own_client, *watchers)) - self.due_ms

    def exchanges(self) -> Iterator[Exchange]:
        """Yield what it tells about the servers' clock: the request with its answer, and with its player's message."""
        stamped = [self.stamps[name] for name in ("received_at_ms", "placed_at_ms", "put_at_ms") if name in self.stamps]
        if not stamped:
            return
        if self.answered_ms is not None:
            yield Exchange(self.sent_ms, self.answered_ms, stamped[0], stamped[-1])
        if self.told_ms is not None and "published_at_ms" in self.stamps:
            yield Exchange(self.sent_ms, self.told_ms, stamped[0], self.stamps["published_at_ms"])


@dataclass(frozen=True, slots=True)
class Detection:
    """What clients noticed of the feed's faults, and what they did not.

    Attributes
    ----------
    messages
        How many messages all clients received.
    duplicates
        Messages a client had already; it dropped them.
    gaps
        Times a client noticed that it had missed something, and read a snapshot.
    undetected
        Faults that no client could have noticed, one line each; there must be none.
    """

    messages: int = 0
    duplicates: int = 0
    gaps: int = 0
    undetected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run and its circumstances.

    Attributes
    ----------
    environment
        Name of the environment.
    started_at
        ISO 8601 in UTC, by this computer's clock: for people only.
    pattern, rate_per_s, minutes, players, seed
        As asked for.
    watchers
        Names of the clients that follow every material.
    cpu_share
        Of one core, this process, while it sent: what the measuring itself took.
    samples
        In the order of sending.
    detection
        Of all clients.
    ended_early
        Why the run ended before everything was sent; None if it did not.
    unsent
        Mutations that were planned and not sent.
    troubles
        What went wrong with the measuring itself, one line each.
    """

    environment: str
    started_at: str
    pattern: str
    rate_per_s: float
    minutes: float
    players: int
    seed: int
    watchers: tuple[str, ...]
    cpu_share: float
    samples: tuple[Sample, ...]
    detection: Detection = field(default_factory=Detection)
    ended_early: str | None = None
    unsent: int = 0
    troubles: tuple[str, ...] = ()

    def clock_offset(self) -> ClockOffset | None:
        """Estimate servers' clock minus the client's; None if no stamps tell."""
        return estimate_offset(exchange for sample in self.samples for exchange in sample.exchanges())


def write_run(run: Run, path: Path) -> None:
    """Write a run as JSON.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path.write_text(json.dumps({"format": _FORMAT, **asdict(run)}) + "\n", encoding="utf-8")


def read_run(path: Path) -> Run:
    """Read a run that `write_run` has written.

    Raises
    ------
    UnusableCommandError
        The file cannot be read or is no such file.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return _run_of(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise UnusableCommandError(f"{path} is no samples file of `market latency --json`: {reason}") from error


def _run_of(document: dict[str, Any]) -> Run:
    if document.pop("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT}")
    samples = tuple(Sample(**sample) for sample in document.pop("samples"))
    detection = document.pop("detection")
    detection["undetected"] = tuple(detection["undetected"])
    watchers, troubles = tuple(document.pop("watchers")), tuple(document.pop("troubles"))
    return Run(**document, samples=samples, watchers=watchers, detection=Detection(**detection), troubles=troubles)
