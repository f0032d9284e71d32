"""From placements to commits: each touched order once, in its final state, as few transactions as will hold them.

A commit is what one DynamoDB transaction writes: at most 100 items, one of them the tape's. It is cut only between
orders, with one exception: a taker that sweeps more makers than fit in one transaction is cut inside. Its first parts
leave a bid standing as ``taking``: still the taker, so it goes on at the asks' prices whenever the book is next read.
An ask cut inside needs no mark, for what is left of it still crosses.

Bytes need no counting. The largest item is the tape's: 99 orders make at most 98 fills (each but the last fill of a
commit closes an order), which is under 5 KB of ids and numbers plus the players' ids, at most 2 KB each as they are
partition keys: half of the 400 KB an item may have. All other actions carry one key and a few numbers: 100 of them are
a tenth of the 4 MB a transaction may have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from market.keys import bid_price_key
from market.order_book import Side
from market.tables import Bid, OpenAsk, StandingBid
from market.tape import TradeFill

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.matching import Placement

MOST_ITEMS: Final = 100
"""Actions of one transaction: TransactWriteItems, Amazon DynamoDB API Reference."""


@dataclass(frozen=True, slots=True)
class AskChange:
    """An open ask before a commit, and its open quantity after: 0 removes it from the book."""

    before: OpenAsk
    remaining: int


@dataclass(frozen=True, slots=True)
class StandingChange:
    """A standing bid before and after a commit; None where it does not stand."""

    before: StandingBid | None
    after: StandingBid | None


@dataclass(frozen=True, slots=True)
class BidChange:
    """A buyer's bid: what was filled before a commit and after.

    `arrival` is the bid as the stream brought it, in the commit that handles it first; then `filled_before` is 0.
    """

    buyer: str
    bid_id: str
    quantity: int
    filled_before: int
    filled: int
    arrival: Bid | None

    @property
    def status(self) -> str:
        """Status after the commit: NEW, PARTIALLY_FILLED or FILLED."""
        if self.filled == self.quantity:
            return "FILLED"
        return "PARTIALLY_FILLED" if self.filled else "NEW"


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction: the changes of the book, the bids and the tape that go together."""

    material: str
    sequence: int
    asks: tuple[AskChange, ...]
    standing_bids: tuple[StandingChange, ...]
    bids: tuple[BidChange, ...]
    fills: tuple[TradeFill, ...]

    @property
    def items(self) -> int:
        """Number of items written, the tape's included."""
        return 1 + len(self.asks) + len(self.standing_bids) + len(self.bids)

    @property
    def arrivals(self) -> tuple[Bid, ...]:
        """Bids that this commit handles for the first time, in order of arrival."""
        return tuple(change.arrival for change in self.bids if change.arrival is not None)


def cut_commits(
    material: str, head: int, placements: Iterable[Placement], *, most_items: int = MOST_ITEMS, one_order: bool = False
) -> Iterator[Commit]:
    """Cut a batch's placements into commits.

    Parameters
    ----------
    material
        Whose book it is.
    head
        Sequence of the tape's last commit, 0 for an empty tape; the commits follow it without gaps.
    placements
        As `market.matching.match` yields them; consumed as the commits are.
    most_items
        Items of one commit, the tape's included; at least 5, so that a taker, its standing part and a maker fit.
    one_order
        Cut after every order: isolates one that can not be committed.

    Yields
    ------
    Commit
        In the order to be written. Each item is in a commit at most once; its state before is the one read, or the one
        an earlier commit left.
    """
    ledger = _Ledger(material, head)
    for placement in placements:
        for part in _parts(placement, most_items - 1):
            if ledger.drafted and (one_order or ledger.drafted_with(part) > most_items - 1):
                yield ledger.seal()
            ledger.apply(part)
    if ledger.drafted:
        yield ledger.seal()


@dataclass(frozen=True, slots=True)
class _Part:
    """A placement, or a piece of one: all but the last piece leave a bid standing as `taking`."""

    taker: OpenAsk | StandingBid | Bid
    makers: tuple[OpenAsk | StandingBid, ...]
    quantities: tuple[int, ...]
    last: bool


def _parts(placement: Placement, room: int) -> Iterator[_Part]:
    # A taking bid needs its own item and its standing one; an ask its own, and two for every bid it fills.
    makers_at_once = (room - 1) // 2 if isinstance(placement.taker, OpenAsk) else room - 2
    count = len(placement.makers)
    for start in range(0, max(count, 1), makers_at_once):
        end = start + makers_at_once
        yield _Part(placement.taker, placement.makers[start:end], placement.quantities[start:end], end >= count)


class _Ledger:
    """Current state of every order touched so far, and the changes of the commit being drafted."""

    def __init__(self, material: str, head: int) -> None:
        self._material = material
        self._sequence = head
        self._asks: dict[str, OpenAsk] = {}
        self._standing: dict[str, StandingBid] = {}
        self._clear()

    def _clear(self) -> None:
        self._ask_changes: dict[str, AskChange] = {}
        self._standing_changes: dict[str, StandingChange] = {}
        self._bid_changes: dict[str, BidChange] = {}
        self._fills: list[TradeFill] = []

    @property
    def drafted(self) -> int:
        """Items of the draft, the tape's not included."""
        return len(self._ask_changes) + len(self._standing_changes) + len(self._bid_changes)

    def drafted_with(self, part: _Part) -> int:
        """Items the draft would have with a further part, at most: a bid that stands or stood counts as two."""
        count = self.drafted
        for order in (part.taker, *part.makers):
            if isinstance(order, OpenAsk):
                count += order.ask_id not in self._ask_changes
            else:
                count += order.bid_id not in self._bid_changes
                count += order.bid_id not in self._standing_changes and not self._closes_on_arrival(order, part)
        return count

    def _closes_on_arrival(self, order: StandingBid | Bid, part: _Part) -> bool:
        return isinstance(order, Bid) and order.bid_id not in self._standing and sum(part.quantities) == order.quantity

    def seal(self) -> Commit:
        """Finish the draft as the next commit."""
        self._sequence += 1
        commit = Commit(
            material=self._material,
            sequence=self._sequence,
            asks=tuple(self._ask_changes.values()),
            standing_bids=tuple(self._standing_changes.values()),
            bids=tuple(self._bid_changes.values()),
            fills=tuple(self._fills),
        )
        self._clear()
        return commit

    def apply(self, part: _Part) -> None:
        """Add a part to the draft."""
        for maker, quantity in zip(part.makers, part.quantities, strict=True):
            if isinstance(part.taker, OpenAsk):
                assert isinstance(maker, StandingBid)
                self._record(part.taker, maker, maker.price_minor, quantity, Side.SELL)
                self._fill_ask(part.taker, quantity)
                self._fill_bid(maker, quantity)
            else:
                assert isinstance(maker, OpenAsk)
                self._record(maker, part.taker, maker.price_minor, quantity, Side.BUY)
                self._fill_ask(maker, quantity)
        if not isinstance(part.taker, OpenAsk):
            self._fill_bid(part.taker, sum(part.quantities), taking=not part.last)

    def _record(self, ask: OpenAsk, bid: StandingBid | Bid, price_minor: int, quantity: int, taker_side: Side) -> None:
        number = len(self._fills) + 1
        self._fills.append(
            TradeFill(number, bid.bid_id, bid.buyer, ask.ask_id, ask.seller, price_minor, quantity, taker_side)
        )

    def _fill_ask(self, ask: OpenAsk, quantity: int) -> None:
        before = self._asks.get(ask.ask_id, ask)
        after = replace(before, remaining=before.remaining - quantity)
        drafted = self._ask_changes.get(ask.ask_id)
        self._asks[ask.ask_id] = after
        self._ask_changes[ask.ask_id] = AskChange(drafted.before if drafted else before, after.remaining)

    def _fill_bid(self, bid: StandingBid | Bid, quantity: int, *, taking: bool = False) -> None:
        before = self._standing.get(bid.bid_id, bid if isinstance(bid, StandingBid) else None)
        open_before = before.remaining if before else bid.quantity
        after = _standing(bid, open_before - quantity, taking) if open_before > quantity else None
        drafted = self._standing_changes.get(bid.bid_id)
        if before or after:  # else filled on arrival: it never stands
            self._standing_changes[bid.bid_id] = StandingChange(drafted.before if drafted else before, after)
        if after:
            self._standing[bid.bid_id] = after

        arrival = bid if before is None and isinstance(bid, Bid) else None
        drafted_bid = self._bid_changes.get(bid.bid_id)
        if quantity or arrival:  # a sweep that goes on and finds nothing only stops taking
            self._bid_changes[bid.bid_id] = BidChange(
                buyer=bid.buyer,
                bid_id=bid.bid_id,
                quantity=bid.quantity,
                filled_before=drafted_bid.filled_before if drafted_bid else bid.quantity - open_before,
                filled=bid.quantity - open_before + quantity,
                arrival=drafted_bid.arrival if drafted_bid else arrival,
            )


def _standing(bid: StandingBid | Bid, remaining: int, taking: bool) -> StandingBid:
    return StandingBid(
        material=bid.material,
        price_key=bid_price_key(bid.price_minor, bid.bid_id),
        bid_id=bid.bid_id,
        buyer=bid.buyer,
        price_minor=bid.price_minor,
        quantity=bid.quantity,
        remaining=remaining,
        placed_at_ms=bid.placed_at_ms,
        taking=taking or None,
    )
