"""Working on one material: read, match and commit, again and again until nothing is left to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.matching.errors import (
    DisputedOrdersError,
    InvalidCommitError,
    StaleBookError,
    cancellation,
    is_transient,
)
from functions.matching.images import UnprocessableRecordError
from functions.matching.known_head import KnownHead
from functions.matching.live import Witness
from functions.matching.named_orders import find_orders
from functions.matching.records import NewOrder, Requests, id_of
from functions.matching.tables import open_asks, standing_bids, stored_items
from functions.matching.traces import OrderTraces, span_attribute
from functions.matching.transactions import commit_actions
from functions.matching.turn_order import named_by, turns_of
from functions.tracing import span
from market.endings import Ending
from market.matching.commits import cut_commits
from market.matching.engine import match
from patterns.dynamodb.retries import Retries
from patterns.sequenced_log import SequencedLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.matching.matcher import Matcher
    from functions.matching.named_orders import FoundOrder
    from functions.matching.records import NewAsk
    from functions.matching.tables import StoredItem
    from market.matching.changes import Commit
    from market.matching.turns import Turn
    from market.tables import OpenAsk, StandingBid

MOST_ATTEMPTS = 7
"""Tries in a row without any progress before the material's records are handed back for redelivery."""

LONGEST_RETRYING_MS = 20_000
"""Time after a batch was received in which another try may begin. A call to a silent database takes the client's
timeouts and attempts, 9 s and more: so the function answers for each material before its 60 s end the whole batch."""

_SHORTEST_PAGE = 10
_LONGEST_PAGE = 1000
_FIRST_WAIT_MS = 50


@dataclass(slots=True)
class MaterialOutcome:
    """What became of a material's records.

    `duplicates` counts orders that were handled before, `refused` maps the positions of entries that can never be
    handled to the reason, `retries` counts the times the book was read again, `committed_ms` has the epoch ms of each
    commit, `publishing_ms` is how long it took to tell the feed. `handled` has the ids of what is done: orders whose
    commit is stored, plain asks that were looked at, requests that were met.
    """

    commits: int = 0
    fills: int = 0
    duplicates: int = 0
    retries: int = 0
    refused: dict[int, str] = field(default_factory=dict[int, str])
    committed_ms: list[int] = field(default_factory=list[int])
    publishing_ms: int | None = None
    handled: set[str] = field(default_factory=set[str])


class MaterialWork:
    """The state of one call of `functions.matching.matcher.Matcher.work`; parameters as there."""

    def __init__(
        self,
        matcher: Matcher,
        material: str,
        entries: Sequence[NewOrder | Requests],
        new_asks: Sequence[NewAsk],
        received_at_ms: int,
    ) -> None:
        self.matcher = matcher
        self.material = material
        self.entries = entries
        self.new_asks = new_asks
        self.received_at_ms = received_at_ms
        self.tape = SequencedLog(matcher.client, matcher.tables.tape, partition_key="material")
        self.outcome = MaterialOutcome()
        orders = [entry for entry in entries if isinstance(entry, NewOrder)]
        self.pending = {id_of(order.order): order for order in orders}
        self._requests = [entry for entry in entries if isinstance(entry, Requests)]
        self._traces = OrderTraces(orders, self._requests, new_asks, received_at_ms)
        self._witness = None if matcher.live is None else Witness(matcher.live, matcher, material, self.tape)
        self._stored: dict[str, StoredItem] = {}
        self._refused: set[str] = set()
        self._retries = Retries(
            sleep=matcher.sleep, random=matcher.random, attempts=MOST_ATTEMPTS, first_wait_ms=_FIRST_WAIT_MS
        )
        self._failures = 0  # in a row, without progress
        self._looked_up = False
        self._one_order = False

    def done(self) -> bool:
        """Read, match and commit once; whether all is done. If not, what stood in the way is out of it."""
        try:
            self._match()
        except DisputedOrdersError as disputed:
            self._drop(disputed)
        except InvalidCommitError as invalid:
            self._isolate(invalid)
        except Exception as error:
            if not is_transient(error):
                raise
            self._wait(error)
        else:
            return True
        return False

    def finish(self) -> None:
        """Close the outcome, and tell the feed, when all is done."""
        outcome = self.outcome
        # What `match` left out was read as resting.
        outcome.duplicates += len(self.pending)
        outcome.handled.update(self.pending, (ask.ask_id for ask in self.new_asks))
        for request in self._requests:
            if request.request_id is not None and self._refused.isdisjoint(request.order_ids):
                outcome.handled.add(request.request_id)
        if self._witness is not None:
            outcome.publishing_ms = self._witness.tell(self.new_asks, self._traces)

    def break_off(self) -> None:
        """Tell the feed what is committed: when the rest is delivered again, nobody tells it."""
        if self._witness is not None:
            self._witness.tell(None, self._traces)

    def _match(self) -> None:
        matcher = self.matcher
        commits = self.outcome.commits
        # Whatever stands in the way of this attempt, the next one reads the head.
        known = matcher.heads.pop(self.material, None)
        guess = known.sequence if known is not None and known.held else None
        with span("read", material=self.material):
            # The head comes first: whatever is committed after it takes the number this work would commit under.
            head = self.tape.head(self.material) if guess is None else guess
            held = known is not None and known.sequence == head
            turns, asks, bids = self._read(head)
        steps = match(
            asks,
            bids,
            turns,
            received_at_ms=self.received_at_ms,
            fees=matcher.fees,
            self_trade_prevention=matcher.self_trade_prevention,
        )
        new_for_sure = False
        for commit in cut_commits(self.material, head, steps, one_order=self._one_order):
            if not new_for_sure and _cancels_makers(commit):
                # What an order cancels that meets them may be committed before the order itself. So it must be new:
                # a repeated one would cancel others than it did at first.
                self._require_new()
                new_for_sure = True
            self._write(commit)
            head = commit.sequence
        if guess is not None and self.outcome.commits == commits and self._witness is not None and self.new_asks:
            # Nothing has put the guess to the test, and what was read under it is to be told.
            if self.tape.head(self.material) != head:
                raise StaleBookError("another matcher has committed since this one's last commit")
            self._witness.confirmed()
        matcher.heads[self.material] = KnownHead(head, held)

    def _read(self, head: int) -> tuple[list[Turn], Iterable[OpenAsk], Iterable[StandingBid]]:
        matcher, tables = self.matcher, self.matcher.tables
        standing_page = min(max(len(self.new_asks), 1), _LONGEST_PAGE)
        if self._witness is not None:
            sides = self._witness.open(head, self._asks_page, standing_page)
            return self._turns(), *sides()
        turns = self._turns()
        asks = open_asks(matcher.client, tables.asks, self.material, self._asks_page)
        return turns, asks, standing_bids(matcher.client, tables.standing_bids, self.material, standing_page)

    @property
    def _asks_page(self) -> int:
        return min(max(len(self.pending), _SHORTEST_PAGE), _LONGEST_PAGE)

    def _turns(self) -> list[Turn]:
        named = named_by(self.entries, self.pending.values())
        found = find_orders(self.matcher.client, self.matcher.tables, self.material, named) if named else {}
        for order_id, order in found.items():
            self._take_over(order_id, order)
        return turns_of(self.entries, self.pending, found)

    def _take_over(self, order_id: str, order: FoundOrder) -> None:
        """Make use of what is stored of an order that something is asked of."""
        if order.record is None:
            self._refuse(order_id, "no such order is stored")
            return
        self._stored[order_id] = order.record
        known = self.pending.get(order_id)
        try:
            arrival = order.arrival(known.order.sequenced_at_ms if known else None)
        except UnprocessableRecordError as unprocessable:
            self._refuse(order_id, str(unprocessable))
        else:
            if arrival is not None and order_id not in self._refused:
                self.pending[order_id] = replace(arrival, trace=known.trace) if known else arrival

    def _write(self, commit: Commit) -> None:
        committed_at_ms = self.matcher.clock()
        arriving = {order_id: self.pending[order_id] for order_id in map(id_of, commit.arrivals)}
        images = {order_id: self._traces.with_hops(new, committed_at_ms) for order_id, new in arriving.items()}
        actions = commit_actions(
            commit,
            self._stored | images,
            self.matcher.tables,
            self.tape,
            fees=self.matcher.fees,
            received_at_ms=self.received_at_ms,
            committed_at_ms=committed_at_ms,
        )
        try:
            with span("commit", material=self.material, sequence=commit.sequence, **span_attribute(arriving.values())):
                # botocore adds a ClientRequestToken and keeps it through its own retries.
                self.matcher.client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            raise cancellation(error, commit) from error
        self.outcome.commits += 1
        self.outcome.fills += len(commit.fills)
        self.outcome.committed_ms.append(committed_at_ms)
        self.outcome.handled.update(arriving)
        self._failures = 0
        for order_id in arriving:
            del self.pending[order_id]
        if self._witness is not None:
            self._traces.committed(commit, arriving, committed_at_ms)
            self._witness.committed(commit, committed_at_ms)

    def _drop(self, disputed: DisputedOrdersError) -> None:
        before = len(self.pending)
        for order, stored in disputed.orders:
            self._settle(id_of(order), stored)
        if not self._looked_up and self.pending:
            # One replayed order seldom comes alone: ask for all the others at once, not one failed commit at a time.
            self._looked_up = True
            try:
                self._look_up()
            except Exception as error:
                if not is_transient(error):
                    raise
                # It is only a short cut: each commit's conditions find out as well.
        if len(self.pending) == before:
            self._wait(disputed)

    def _require_new(self) -> None:
        before = len(self.pending)
        self._look_up()
        if len(self.pending) < before:
            raise StaleBookError("some orders of the batch were handled before")

    def _look_up(self) -> None:
        tables = self.matcher.tables
        named = {order_id: new.named for order_id, new in self.pending.items()}
        keys = {order_id: tables.order_key(order.side, order.player, order_id) for order_id, order in named.items()}
        found = stored_items(self.matcher.client, keys.values())
        for order_id, key in keys.items():
            self._settle(order_id, found.get(key))

    def _settle(self, order_id: str, stored: StoredItem | None) -> None:
        if stored is None:
            self._refuse(order_id, "no such order is stored")
        elif "status" in stored and stored["status"]["S"] == "PENDING":
            # Its player has asked for something meanwhile.
            self.pending[order_id] = replace(self.pending[order_id], image=stored)
        else:
            del self.pending[order_id]
            self.outcome.duplicates += 1
            self.outcome.handled.add(order_id)

    def _isolate(self, invalid: InvalidCommitError) -> None:
        if not invalid.orders:
            raise invalid
        if len(invalid.orders) == 1:
            self._refuse(id_of(invalid.orders[0]), f"can not be committed: {invalid.reason}")
        else:
            self._one_order = True

    def _refuse(self, order_id: str, reason: str) -> None:
        self.pending.pop(order_id, None)
        self._refused.add(order_id)
        for position, entry in enumerate(self.entries):
            if order_id in entry.order_ids:
                self.outcome.refused.setdefault(position, reason)
                break

    def _wait(self, error: Exception) -> None:
        self._failures += 1
        retrying_ms = self.matcher.clock() - self.received_at_ms
        if self._failures == self._retries.attempts or retrying_ms > LONGEST_RETRYING_MS:
            raise error
        self._retries.wait(self._failures)


def _cancels_makers(commit: Commit) -> bool:
    return any(
        change.closed is not None and change.closed.reason == Ending.SELF_TRADE.reason and change.arrival is None
        for change in (*commit.bids, *commit.sell_orders)
    )
