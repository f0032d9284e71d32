"""What the matcher sees and does of a material in a batch, told to the feed as soon as it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from functions.matching.tables import book_pages, open_ask, standing_bid, stored_items
from functions.tracing import span
from market.feed.messages import MOST_LEVELS, BookTop, market_messages, open_state, own_messages, states_after
from market.feed.seen_side import SeenSide
from market.side import Side
from market.tape import TapeCommit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from functions.feed.feed import Feed
    from functions.matching.matcher import Matcher
    from functions.matching.records import NewAsk
    from functions.matching.tables import Page
    from functions.matching.traces import OrderTraces
    from market.feed.messages import Message, OrderState
    from market.matching.changes import Commit
    from market.tables import OpenAsk, RestingOrder, StandingBid
    from patterns.sequenced_log import SequencedLog

    _Row = TypeVar("_Row", OpenAsk, StandingBid)

_Out = TypeVar("_Out")

SHORTEST_PAGE: Final = 50
"""Orders of a side's first page: usually the levels that are told."""


class Start(Protocol):
    """Starts a call, possibly in another thread, and returns what waits for its result."""

    def __call__(self, call: Callable[[], _Out], /) -> Callable[[], _Out]: ...


@dataclass(frozen=True, slots=True)
class Live:
    """Where the matcher tells what happens, and how: `currency_digits` are the decimal digits of prices."""

    feed: Feed
    currency_digits: int
    start: Start


class Witness:
    """What is to be told of one material in a batch; each attempt at it begins with `open`.

    The book is told as it was read and as the commits have left it since. The tape's head, read before the book, is the
    fence: if a commit after it succeeds, what was read before that commit was the whole truth. A book that
    was read after the last commit is told only if the head has not moved.

    Parameters
    ----------
    live, matcher, material, tape
        Whose, and what of.
    """

    def __init__(self, live: Live, matcher: Matcher, material: str, tape: SequencedLog) -> None:
        self._live = live
        self._matcher = matcher
        self._material = material
        self._tape = tape
        self._sequence = -1
        self._runs: list[tuple[int, list[TapeCommit]]] = []  # a head, and own commits that follow it without a gap
        self._states: list[OrderState] = []
        self._asks, self._bids = SeenSide(), SeenSide()
        self._as_of_ms = 0
        self._is_proven = False

    def open(
        self, head: int, asks_page: int, standing_page: int
    ) -> Callable[[], tuple[Iterator[OpenAsk], Iterator[StandingBid]]]:
        """Begin to read both sides' first pages, side by side.

        Parameters
        ----------
        head
            The tape's head, just read.
        asks_page, standing_page
            Orders of the first pages at least.

        Returns
        -------
        Callable
            Waits for the pages and returns both sides, best first, read on as they are consumed.
        """
        if head != self._sequence:
            self._runs.append((head, []))
            self._sequence = head
        self._as_of_ms = self._matcher.clock()
        self._asks, self._bids, self._is_proven = SeenSide(), SeenSide(), False
        client, tables = self._matcher.client, self._matcher.tables
        asks = book_pages(client, tables.asks, self._material, max(asks_page, SHORTEST_PAGE), open_ask)
        bids = book_pages(client, tables.standing_bids, self._material, max(standing_page, SHORTEST_PAGE), standing_bid)
        first_asks, first_bids = self._live.start(lambda: next(asks)), self._live.start(lambda: next(bids))

        def sides() -> tuple[Iterator[OpenAsk], Iterator[StandingBid]]:
            return self._read(self._asks, first_asks(), asks), self._read(self._bids, first_bids(), bids)

        return sides

    def _read(self, side: SeenSide, first: Page[_Row], following: Iterator[Page[_Row]]) -> Iterator[_Row]:
        # Before the first commit, not when it is consumed: a commit's changes come on top of what was read.
        self._see(side, first)

        def rows() -> Iterator[_Row]:
            yield from first.rows
            for page in following:
                self._see(side, page)
                yield from page.rows

        return rows()

    def _see(self, side: SeenSide, page: Page[RestingOrder]) -> None:
        side.see(page.rows, complete=page.is_last)
        self._is_proven = False

    def confirmed(self) -> None:
        """Take in that the tape's head has not moved since the book was read."""
        self._is_proven = True

    def committed(self, commit: Commit, committed_at_ms: int) -> None:
        """Take in a commit that is stored."""
        self._sequence = commit.sequence
        self._is_proven = True
        told = TapeCommit(
            material=commit.material,
            sequence=commit.sequence,
            committed_at_ms=committed_at_ms,
            received_at_ms=committed_at_ms,  # not told
            fills=commit.fills,
            orders=commit.orders,
        )
        self._runs[-1][1].append(told)
        self._states += states_after(commit)
        for side, changes in ((self._asks, commit.asks), (self._bids, commit.standing_bids)):
            for change in changes:
                side.change(change.before, change.after)

    def tell(self, new_asks: Sequence[NewAsk] | None, traces: OrderTraces) -> int | None:
        """Publish what has happened; never raises.

        Parameters
        ----------
        new_asks
            Plain asks that the batch brought; None if they come again, and only what is committed is to be told.
        traces
            Of its orders.

        Returns
        -------
        int | None
            Milliseconds it took; None if there was nothing to tell.
        """
        if not new_asks and (not self._runs or self._sequence == self._runs[0][0]):
            return None
        started_at_ms = self._matcher.clock()
        with span("publish", material=self._material):
            try:
                self._publish(new_asks, traces)
            except Exception as error:  # whatever it is, what was to be told is committed
                self._live.feed.failed(repr(error))
        return self._matcher.clock() - started_at_ms

    def _publish(self, new_asks: Sequence[NewAsk] | None, traces: OrderTraces) -> None:
        commits = [commit for _, run in self._runs for commit in run]
        is_proven = self._is_proven
        if new_asks is not None:
            is_proven = is_proven or self._tape.head(self._material) == self._sequence
            self._states += self._rested(new_asks)
        digits = self._live.currency_digits
        own = own_messages(
            self._material, self._sequence, self._states, commits, currency_digits=digits, traces=traces.of_order
        )
        self._live.feed.publish(self._material, self._market(traces.trace_ids, is_proven=is_proven), own)

    def _market(self, trace_ids: Sequence[str], *, is_proven: bool) -> list[Message]:
        messages: list[Message] = []
        for head, run in self._runs:
            is_last = run is self._runs[-1][1]
            if not run and not is_last:
                continue
            messages += market_messages(
                self._material,
                run,
                currency_digits=self._live.currency_digits,
                head=head,
                sequence=run[-1].sequence if run else head,
                book=self._book() if is_last and is_proven else None,
                trace_ids=trace_ids if is_last else (),
            )
        return messages

    def _book(self) -> BookTop:
        asks, asks_complete = self._asks.levels(MOST_LEVELS, self._as_of_ms)
        bids, bids_complete = self._bids.levels(MOST_LEVELS, self._as_of_ms)
        return BookTop(self._as_of_ms, asks, bids, asks_complete, bids_complete)

    def _rested(self, new_asks: Sequence[NewAsk]) -> list[OrderState]:
        """Return the plain asks that came into the book and have not traded: those that have, their commits tell."""
        touched = {state.order_id for state in self._states}
        untouched = {ask.price_key: ask for ask in new_asks if ask.ask_id not in touched}
        rows: dict[str, RestingOrder | None] = {key: self._asks.find(key) for key in untouched}
        tables = self._matcher.tables
        behind = [tables.book_key(Side.SELL, self._material, key) for key in untouched if not self._asks.reaches(key)]
        for place, item in stored_items(self._matcher.client, behind).items() if behind else ():
            rows[place.range_value] = open_ask(item)
        return [
            open_state(row, self._sequence)
            for row in rows.values()
            if row is not None and row.remaining == row.quantity
        ]
