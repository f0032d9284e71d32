"""What the clients received: when each first heard of each mutation, and what it noticed of the feed's faults."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from cli.latency.samples import Detection
from market.feed.view import Change, MarketView, OwnView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.latency.samples import Sample

OWN = "own orders"
"""What a player's client follows; a watcher's follows materials."""


class Receipts:
    """Filled by the clients, in one thread; read when they have stopped, or to see how far they are."""

    def __init__(self) -> None:
        self._received: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._stamps: dict[str, tuple[dict[str, int], float]] = {}
        self.count_anew()

    def count_anew(self) -> None:
        """Forget what clients noticed: a view that joins a publisher midway cannot know that it missed nothing."""
        self._noticed_ms: dict[tuple[str, str], float] = {}
        self._messages = self._duplicates = self._gaps = 0

    def hear(self, client: str, ids: Iterable[str], received_ms: float) -> None:
        """Note that a client was told of mutations, by trace ids or order ids; only the first time counts."""
        for mutation_id in ids:
            self._received[mutation_id].setdefault(client, received_ms)

    def learn(self, trace_id: str, stamps: Mapping[str, int], received_ms: float) -> None:
        """Note what servers stamped on a mutation, and when its player was told; only the first message counts."""
        self._stamps.setdefault(trace_id, (dict(stamps), received_ms))

    def judge(self, change: Change) -> None:
        """Note what a message was to its client."""
        self._messages += 1
        self._duplicates += change is Change.DUPLICATE

    def miss(self, client: str, followed: str, noticed_ms: float, *, is_known: bool = False) -> None:
        """Note that a client knows that it missed something of its own orders, or of a material, up to a time.

        `is_known` if it belongs to what the client has noticed already.
        """
        self._gaps += not is_known
        self._noticed_ms[client, followed] = noticed_ms

    def of(self, trace_id: str, order_id: str | None) -> dict[str, float]:
        """Return when each client heard of a mutation for the first time, whatever it was called.

        An order that trades before the matcher gets to its own record is told by its id alone.
        """
        # Copied at once: the clients' thread goes on noting.
        received, by_order_id = (self._received.get(name or "", {}).copy() for name in (trace_id, order_id))
        for client, received_ms in by_order_id.items():
            received[client] = min(received_ms, received.get(client, received_ms))
        return received

    def stamps_of(self, trace_id: str) -> tuple[dict[str, int], float | None]:
        """Return what servers stamped on a mutation, and when its player was told so; None if nobody was."""
        return self._stamps.get(trace_id, ({}, None))

    def reached(self, trace_id: str, order_id: str | None, clients: Iterable[str]) -> bool:
        """Whether all these clients have heard of a mutation."""
        return set(clients) <= self.of(trace_id, order_id).keys()

    def detection(
        self, samples: Iterable[Sample], watchers: Iterable[str], wrong_books: Iterable[str] = ()
    ) -> Detection:
        """Sum up what clients noticed, and find what they should have noticed and did not.

        A gap tells of what was sent before it was noticed, and of nothing later.

        Parameters
        ----------
        samples
            The run's mutations.
        watchers
            Names of the clients that follow every material.
        wrong_books
            Books that clients took for true in the end, and that were not; one line each.
        """
        unnoticed: Counter[tuple[str, str]] = Counter()
        for sample in samples:
            followers = [(sample.own_client, OWN), *((watcher, sample.material) for watcher in watchers)]
            for client, followed in followers:
                was_noticed = sample.sent_ms <= self._noticed_ms.get((client, followed), -math.inf)
                if sample.taken and client not in sample.receipts and not was_noticed:
                    unnoticed[client, followed] += 1
        lost = (
            f"{client} never heard of {times:,} mutations in {followed} and noticed no gap"
            for (client, followed), times in sorted(unnoticed.items())
        )
        return Detection(self._messages, self._duplicates, self._gaps, (*lost, *wrong_books))


class MarketFollower:
    """A client's view of one material.

    Parameters
    ----------
    client
        Name of the client.
    material
        What it follows.
    receipts
        Where to note what it hears.
    """

    def __init__(self, client: str, material: str, receipts: Receipts) -> None:
        self._client = client
        self._material = material
        self._receipts = receipts
        self._view = MarketView(material)
        self.heard = 0
        """Messages so far: if it has not moved, nothing has come that could have put the book right."""

    @property
    def needs_snapshot(self) -> bool:
        """Whether the book has to be read, as it has at first."""
        return self._view.has_gap

    @property
    def breaks(self) -> int:
        """How often the connection was restored: what was asked for before the last time is too old to be loaded."""
        return self._view.breaks

    def load(self, answer: Mapping[str, Any]) -> None:
        """Take a snapshot: the answer of the book's route."""
        self._view.load(answer)

    def take(self, message: Mapping[str, Any], received_ms: float) -> None:
        """Take a message."""
        self.heard += 1
        self._receipts.hear(self._client, message.get("trace_ids", ()), received_ms)
        had_gap = self._view.has_gap
        change = self._view.apply(message)
        self._receipts.judge(change)
        if change is Change.GAP:
            self._receipts.miss(self._client, self._material, received_ms, is_known=had_gap)

    def lose(self, now_ms: float, *, is_back: bool = False) -> None:
        """The connection broke, or is back: what was sent up to then is missing."""
        if is_back:
            self._view.lose()
        self._receipts.miss(self._client, self._material, now_ms, is_known=is_back)

    def fault(self, answer: Mapping[str, Any]) -> str | None:
        """Compare its book with a snapshot of a market at rest; returns what is wrong with it, unnoticed.

        A book that is newer than the snapshot cannot be compared with it.
        """
        view = self._view
        if view.has_gap or (view.sequence is not None and view.sequence > answer["sequence"]):
            return None
        name = f"{self._client}'s book of {self._material}"
        if view.sequence != answer["sequence"]:
            return f"{name} is at commit {view.sequence}, the market's at {answer['sequence']}"
        for side, levels in (("asks", view.asks), ("bids", view.bids)):
            true = [(level["price"], level["quantity"], level["orders"]) for level in answer[side]]
            seen = min(len(levels), len(true))
            if levels[:seen] != true[:seen] or (len(levels) > seen):
                return f"{name} has other {side} than the market's at commit {view.sequence}"
        return None


class OwnFollower:
    """A player's client's view of the player's own orders.

    Parameters
    ----------
    client
        Name of the client.
    receipts
        Where to note what it hears.
    """

    def __init__(self, client: str, receipts: Receipts) -> None:
        self._client = client
        self._receipts = receipts
        self._view = OwnView()

    def take(self, message: Mapping[str, Any], received_ms: float) -> None:
        """Take a message."""
        for order in message.get("orders", ()):
            self._receipts.hear(self._client, [order["order_id"]], received_ms)
            if (trace_id := order.get("trace_id")) is not None:
                self._receipts.hear(self._client, [trace_id], received_ms)
                published = {"published_at_ms": int(message["published_at_ms"])}
                self._receipts.learn(trace_id, {**order.get("hops", {}), **published}, received_ms)
        change = self._view.apply(message)
        self._receipts.judge(change)
        if change is Change.GAP:
            self._receipts.miss(self._client, OWN, received_ms)

    def lose(self, now_ms: float, *, is_back: bool = False) -> None:
        """The connection broke, or is back: what was sent up to then is missing."""
        self._receipts.miss(self._client, OWN, now_ms, is_known=is_back)
