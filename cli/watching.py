"""What `market watch` knows: a market's book and tape, the player's own orders and fills, and how fresh they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.feed import ConnectionLost, ConnectionRestored, FeedEvent
from market.feed.view import Change, MarketView, OwnView
from market.tape import trade_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cli.feed import FeedNews

LIVE = "live"
READING = "re-reading"
RECONNECTING = "reconnecting"

_MOST_FILLS = 100


@dataclass(frozen=True, slots=True)
class Fill:
    """One of the player's own trades, from either source: the feed at once, the API once it is settled."""

    side: str
    price: str
    quantity: int
    fee: str
    role: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Fill:
        """Take it from a message of the feed or an answer of the API."""
        side, role = str(fields["side"]).lower(), str(fields["role"]).lower()
        return cls(side, str(fields["price"]), int(fields["quantity"]), str(fields["fee"]), role)

    def __str__(self) -> str:
        """One line for a person."""
        verb = "bought" if self.side == "buy" else "sold"
        return f"{verb} {self.quantity} at {self.price} as {self.role}, fee {self.fee}"


class Watch:
    """The state of watching one material. It is told of news, and tells what is new as lines.

    Parameters
    ----------
    material
        What is traded.
    own_channel
        Channel of the player's own orders and fills; None if the player has none.

    Attributes
    ----------
    market
        Book and latest trades.
    fills
        The player's own latest fills of this material, latest first.
    lag_ms
        From the publishing of the last message to its receipt, by the publisher's clock and this machine's.
    needs_fills
        Whether fills may be missing: read and load them.
    """

    def __init__(self, material: str, own_channel: str | None) -> None:
        self.market = MarketView(material)
        self.lag_ms: int | None = None
        self.needs_fills = True
        self._own_channel = own_channel
        self._own = OwnView()
        self._connected = True
        self._fills: dict[tuple[str, str], Fill] = {}

    @property
    def needs_book(self) -> bool:
        """Whether something of the market may be missing: read book and trades, and load them."""
        return self.market.has_gap

    @property
    def breaks(self) -> int:
        """How often the connection was restored. What was asked for before the last time is too old to be loaded."""
        return self.market.breaks

    @property
    def state(self) -> str:
        """`LIVE`, `READING` or `RECONNECTING`."""
        if not self._connected:
            return RECONNECTING
        return READING if self.needs_book else LIVE

    @property
    def fills(self) -> list[Fill]:
        return list(reversed(self._fills.values()))

    def take(self, news: FeedNews) -> list[str]:
        """Take in an event, or a break of the connection.

        Returns
        -------
        list[str]
            What is new, a line each.
        """
        match news:
            case ConnectionLost(reason):
                self._connected = False
                return [f"connection lost: {reason}"]
            case ConnectionRestored():
                self._connected = self.needs_fills = True
                self.market.lose()
                return ["connection restored, re-reading"]
            case FeedEvent(channel, content, received_at_ms):
                self.lag_ms = received_at_ms - int(content["published_at_ms"])
                if channel == self._own_channel:
                    return list(self._take_own(content))
                return list(self._take_market(content))

    def load_book(self, answer: Mapping[str, Any]) -> list[str]:
        """Take in the answer of ``GET /materials/{material}/book``; it may be too old, and `needs_book` stay."""
        self.market.load(answer)
        return [] if self.needs_book else [self._book_line()]

    def load_trades(self, answer: Mapping[str, Any]) -> list[str]:
        """Take in the answer of ``GET /materials/{material}/trades``."""
        return self._new_trades(lambda: self.market.load_trades(answer))

    def load_fills(self, answer: Mapping[str, Any]) -> list[str]:
        """Take in the answer of ``GET /fills``, latest first."""
        self.needs_fills = False
        lines: list[str] = []
        for fields in reversed(answer["fills"]):
            if fields["material"] == self.market.material:
                lines += self._add_fill(str(fields["id"]), Fill.read(fields))
        return lines

    def _take_market(self, message: Mapping[str, Any]) -> Iterator[str]:
        before = self._book_line()
        had_gap = self.needs_book
        trades = self._new_trades(lambda: self.market.apply(message))
        if self.needs_book and not had_gap:
            yield "messages were lost, re-reading"
        yield from trades
        if (line := self._book_line()) != before:
            yield line

    def _new_trades(self, take: Callable[[], object]) -> list[str]:
        """Return a line for each trade that taking something in brings, oldest first."""
        known = {(trade["sequence"], trade["n"]) for trade in self.market.trades}
        take()
        return [
            f"trade: {trade['quantity']} at {trade['price']}, {str(trade['taker']).lower()}er took"
            for trade in reversed(self.market.trades)
            if (trade["sequence"], trade["n"]) not in known
        ]

    def _take_own(self, message: Mapping[str, Any]) -> Iterator[str]:
        known = dict(self._own.orders)
        self.needs_fills |= self._own.apply(message) is Change.GAP
        if message["material"] != self.market.material:
            return
        for order in message["orders"]:
            if self._own.orders.get(order["order_id"]) == order != known.get(order["order_id"]):
                reason = f" ({order['reason']})" if order["reason"] else ""
                terms = f"{str(order['side']).lower()} order {order['order_id']}"
                amounts = f"{order['filled']} filled, {order['remaining']} left"
                yield f"own {terms}: {order['status']}{reason}, {amounts}"
        for fields in message["fills"]:
            trade = trade_id(self.market.material, fields["sequence"], fields["n"])
            yield from self._add_fill(trade, Fill.read(fields))

    def _add_fill(self, trade: str, fill: Fill) -> list[str]:
        if (trade, fill.side) in self._fills:
            return []
        self._fills[trade, fill.side] = fill
        while len(self._fills) > _MOST_FILLS:
            del self._fills[next(iter(self._fills))]
        return [f"own fill: {fill}"]

    def _book_line(self) -> str:
        best = {
            "bid": self.market.bids[0] if self.market.bids else None,
            "ask": self.market.asks[0] if self.market.asks else None,
        }
        sides = (f"{side} {level[1]} at {level[0]}" if level else f"no {side}" for side, level in best.items())
        return f"book at {self.market.sequence}: {', '.join(sides)}"
