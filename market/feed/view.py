"""What a client knows from the feed's messages, and whether it may have missed some.

Messages may be lost, come twice, and come in another order than they were published in. Every book in a message is
whole as far as it goes, so a view shows the latest one, by sequence and time. What it may miss are trades, orders and
deeper levels: for these it says that there is a gap, and that a snapshot is needed. Only that a last message was lost
nobody can see, until the next one. The tape's second reader sends one for every commit, with all but the book and the
orders that came to rest: who hears nothing of an own order for some seconds asks for it.

Every message has ``publisher``, that publisher's ``number`` on the channel (1, 2, 3 …) and ``published_at_ms``.
Prices and fees are decimal text, as in the answers of the HTTP API; `market.feed.messages` makes them.

A market message (`market_messages`) has ``material``, ``sequence`` (the tape's head after what it tells),
``trades`` (``sequence``, ``n``, ``price``, ``quantity``, ``taker``, ``committed_at_ms``) and ``trace_ids``. The
matcher's also say ``from``, the tape's head before. The last one of a batch has the book as it is at ``sequence`` and
``as_of_ms``: ``asks`` and ``bids``, best level first, each ``[price, quantity, orders]``, and ``asks_complete``,
``bids_complete``: whether there are no further levels. Trades that do not fit go ahead in messages without a book that
have the same ``from``; then ``part`` numbers them all from 1.

An own message (`own_messages`) has ``material``, ``sequence``, ``orders`` (``order_id``, ``sequence`` of the commit
that left it so, ``side``, ``status``, ``reason``, ``filled``, ``remaining``, ``trace_id``, ``hops``) and ``fills``
(``sequence``, ``n``, ``order_id``, ``side``, ``price``, ``quantity``, ``fee``, ``role``).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from market.timestamps import parse_utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Level: TypeAlias = "tuple[str, int, int]"
"""Price as decimal text, units, orders."""

MOST_TRADES: Final = 1000
"""Trades a view keeps."""

_MOST_PUBLISHERS: Final = 64
_MOST_REMEMBERED: Final = 10_000


class Change(Enum):
    """What a message did to a view."""

    APPLIED = "APPLIED"
    """It said something that was not known."""
    DUPLICATE = "DUPLICATE"
    """All it says was known, or is out of date."""
    GAP = "GAP"
    """A snapshot is needed; what the message itself says is taken in."""


class _Numbers:
    """The last number of each publisher on one channel; publishers that are silent longest are forgotten."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def take(self, message: Mapping[str, Any]) -> int | None:
        """Take in a message's number, and return its publisher's last one before; None if it is the first seen."""
        publisher, number = str(message["publisher"]), int(message["number"])
        last = self._last.pop(publisher, None)
        self._last[publisher] = number if last is None else max(last, number)
        while len(self._last) > _MOST_PUBLISHERS:
            del self._last[next(iter(self._last))]
        return last


class MarketView:
    """A material's book and latest trades.

    Parameters
    ----------
    material
        Whose.

    Attributes
    ----------
    sequence
        The tape's head that the book is at; None before there is a book.
    as_of_ms
        Epoch ms, by the matcher's clock, at which the book was so; 0 if it came from a snapshot.
    asks, bids
        Best level first.
    asks_complete, bids_complete
        Whether there are no further levels.
    has_gap
        Whether a snapshot is needed, as it is at first. One that shows because the tape's second reader was faster than
        the matcher closes by itself when the matcher's message comes, if nothing else is missing.
    breaks
        How often `lose` was called. What was asked for before the last time is too old to be loaded.
    """

    def __init__(self, material: str) -> None:
        self.material = material
        self.sequence: int | None = None
        self.as_of_ms = 0
        self.asks: list[Level] = []
        self.bids: list[Level] = []
        self.asks_complete = False
        self.bids_complete = False
        self.has_gap = True
        self.breaks = 0
        self._numbers = _Numbers()
        self._known = -1  # nothing up to this sequence is missing, or a gap said so
        self._gap_at = 0  # a snapshot must be at this sequence to fill the gap
        self._followed = False  # the book is a message's
        self._overtaken = False  # all that the gap is for may still come
        self._trades: dict[tuple[int, int], Mapping[str, Any]] = {}

    @property
    def trades(self) -> list[Mapping[str, Any]]:
        """The latest trades that were told, latest first."""
        return [self._trades[key] for key in sorted(self._trades, reverse=True)]

    def apply(self, message: Mapping[str, Any]) -> Change:
        """Take in a message of the material's channel.

        Parameters
        ----------
        message
            As published, see `market.feed.messages`.

        Returns
        -------
        Change
            GAP as long as a snapshot is needed.
        """
        sequence: int = message["sequence"]
        is_missing = self._misses_earlier(message)
        is_early = "from" not in message and sequence > self._known
        is_new = self._take_trades(message["trades"])
        if "asks" in message:
            self._known = max(self._known, sequence)
            is_new |= self._take_book(message)
        if is_missing or is_early:
            self._overtaken = not is_missing and (self._overtaken or not self.has_gap)
            self.has_gap = True
            self._gap_at = max(self._gap_at, sequence)
        elif self._overtaken and "asks" in message and sequence >= self._gap_at:
            self.has_gap = False
        if self.has_gap:
            return Change.GAP
        return Change.APPLIED if is_new else Change.DUPLICATE

    def lose(self) -> None:
        """Say that messages may be missing of which no later one tells, as after a break of the connection."""
        self.breaks += 1
        self.has_gap, self._followed, self._overtaken = True, False, False

    def load(self, answer: Mapping[str, Any]) -> None:
        """Take in a snapshot that was asked for after a gap was seen; `has_gap` stays if it is older than the gap.

        Parameters
        ----------
        answer
            Of ``GET /materials/{material}/book``.
        """
        sequence: int = answer["sequence"]
        if sequence < self._gap_at:
            return
        self.has_gap = False
        if self.sequence is not None and (sequence < self.sequence or (sequence == self.sequence and self._followed)):
            return  # a message was faster
        if sequence != self.sequence:
            self.as_of_ms = 0
        self.sequence, self._followed = sequence, False
        self._known = max(self._known, sequence)
        self.asks, self.bids = _levels(answer["asks"]), _levels(answer["bids"])
        self.asks_complete = self.bids_complete = False

    def load_trades(self, answer: Mapping[str, Any]) -> None:
        """Take in the latest trades, as after a gap.

        Parameters
        ----------
        answer
            Of ``GET /materials/{material}/trades``.
        """
        trades: list[Mapping[str, Any]] = []
        for trade in answer["trades"]:
            _, sequence, n = trade["id"].rsplit("-", 2)
            line = {"price": trade["price"], "quantity": trade["quantity"], "taker": trade["taker_side"]}
            trades.append(
                {"sequence": int(sequence), "n": int(n), **line, "committed_at_ms": parse_utc(trade["at"], "at")}
            )
        self._take_trades(trades)

    def _misses_earlier(self, message: Mapping[str, Any]) -> bool:
        last = self._numbers.take(message)
        # A publisher that was not heard before may have begun before this view; but not in the middle of a batch.
        is_missing = message.get("part", 1) > 1 if last is None else message["number"] > last + 1
        return is_missing or message.get("from", -1) > self._known

    def _take_trades(self, trades: Sequence[Mapping[str, Any]]) -> bool:
        told = {(trade["sequence"], trade["n"]): trade for trade in trades}
        unknown = told.keys() - self._trades.keys()
        self._trades |= {key: told[key] for key in unknown}
        for key in sorted(self._trades)[: max(len(self._trades) - MOST_TRADES, 0)]:
            del self._trades[key]
        return not unknown.isdisjoint(self._trades)

    def _take_book(self, message: Mapping[str, Any]) -> bool:
        at: tuple[int, int] = (message["sequence"], message["as_of_ms"])
        if self.sequence is not None and at <= (self.sequence, self.as_of_ms):
            return False
        self.sequence, self.as_of_ms = at
        self.asks = [(price, quantity, orders) for price, quantity, orders in message["asks"]]
        self.bids = [(price, quantity, orders) for price, quantity, orders in message["bids"]]
        self.asks_complete, self.bids_complete = message["asks_complete"], message["bids_complete"]
        self._followed = True
        return True


class OwnView:
    """A player's own orders and fills, each told once.

    Attributes
    ----------
    orders
        What was last told of each order, by id; the 10,000 told last.
    fills
        What was told of each fill, by material, sequence, number and order id; the 10,000 told last.
    """

    def __init__(self) -> None:
        self.orders: dict[str, Mapping[str, Any]] = {}
        self.fills: dict[tuple[str, int, int, str], Mapping[str, Any]] = {}
        self._numbers = _Numbers()

    def apply(self, message: Mapping[str, Any]) -> Change:
        """Take in a message of the player's channel.

        Of an order, what is told is newer than what was told before by the sequence of the commit that left it so.

        Parameters
        ----------
        message
            As published, see `market.feed.messages`.

        Returns
        -------
        Change
            GAP if messages before this one have not come, as far as its publisher's numbers tell, or if its publisher
            began before this view: then the player's orders and fills have to be asked for.
        """
        last = self._numbers.take(message)
        is_new = False
        for line in message["orders"]:
            known = self.orders.pop(line["order_id"], None)
            is_newer = known is None or line["sequence"] > known["sequence"]
            self.orders[line["order_id"]] = line if known is None or is_newer else known
            is_new |= is_newer
        for line in message["fills"]:
            key = (message["material"], line["sequence"], line["n"], line["order_id"])
            is_new |= key not in self.fills
            self.fills.setdefault(key, line)
        for kept in (self.orders, self.fills):
            while len(kept) > _MOST_REMEMBERED:
                del kept[next(iter(kept))]  # pyright: ignore[reportArgumentType]  # its own key
        if message["number"] > (last or 0) + 1:
            return Change.GAP
        return Change.APPLIED if is_new else Change.DUPLICATE


def _levels(levels: Sequence[Mapping[str, Any]]) -> list[Level]:
    return [(level["price"], level["quantity"], level["orders"]) for level in levels]
