"""One material's share of a batch, from reading the book to the last commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.matching.errors import DisputedBidsError, InvalidCommitError, cancellation, is_transient
from functions.matching.tables import open_asks, standing_bids, stored_statuses
from functions.matching.transactions import commit_actions
from market.commits import cut_commits
from market.matching import match
from patterns.sequenced_log import SequencedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock
    from functions.matching.records import NewBid
    from functions.matching.tables import Tables
    from market.commits import Commit
    from market.tables import Bid

MOST_ATTEMPTS = 7
"""Tries in a row without any progress before the material's records are handed back for redelivery."""

LONGEST_RETRYING_MS = 20_000
"""Time after a batch was received in which another try may begin. A call to a silent database takes the client's
timeouts and attempts, 9 s and more: so the function answers for each material before its 60 s end the whole batch."""

_SHORTEST_PAGE = 10
_LONGEST_PAGE = 1000
_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0


@dataclass(slots=True)
class MaterialOutcome:
    """What became of a material's records.

    `duplicates` counts bids delivered more than once, `refused` maps the ids of bids that can never be handled to the
    reason, `retries` counts the times the book was read again.
    """

    commits: int = 0
    fills: int = 0
    duplicates: int = 0
    retries: int = 0
    refused: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Matches new orders of a material against its book, safely beside any number of others doing the same.

    Parameters
    ----------
    client, tables
        Where everything is stored.
    clock
        Epoch ms, for the times on tape and bids.
    sleep
        Waits so many seconds.
    random
        Uniform in [0, 1), spreads the waits of competing matchers.
    """

    client: DynamoDBClient
    tables: Tables
    clock: Clock
    sleep: Callable[[float], None]
    random: Callable[[], float]

    def work(self, material: str, bids: Iterable[NewBid], new_asks: int, received_at_ms: int) -> MaterialOutcome:
        """Match until nothing is left to do.

        Parameters
        ----------
        material
            Whose book.
        bids
            Bids in order of arrival; repeated ones are handled once.
        new_asks
            Number of asks known to be new, only a hint of how much to read at first.
        received_at_ms
            Epoch ms at which the batch was received.

        Returns
        -------
        MaterialOutcome
            Every bid is committed now or was before, or is refused; no unseen ask crosses a standing bid.

        Raises
        ------
        Exception
            After `MOST_ATTEMPTS` tries without progress, or `LONGEST_RETRYING_MS`, the last one's error; at once an
            error that no further try can change. What is committed by then stays, and the rest can be delivered again.
        """
        work = _Work(self, material, received_at_ms, new_asks)
        for new in bids:
            if work.pending.setdefault(new.bid.bid_id, new) is not new:
                work.outcome.duplicates += 1
        while not work.done():
            work.outcome.retries += 1
        # What `match` left out was read as standing.
        work.outcome.duplicates += len(work.pending)
        return work.outcome


class _Work:
    """The state of one call of `Matcher.work`."""

    def __init__(self, matcher: Matcher, material: str, received_at_ms: int, new_asks: int) -> None:
        self.matcher = matcher
        self.material = material
        self.received_at_ms = received_at_ms
        self.new_asks = new_asks
        self.tape = SequencedLog(matcher.client, matcher.tables.tape, partition_key="material")
        self.pending: dict[str, NewBid] = {}
        self.outcome = MaterialOutcome()
        self._failures = 0  # in a row, without progress
        self._looked_up = False
        self._one_order = False

    def done(self) -> bool:
        """Read, match and commit once; whether all is done. If not, what stood in the way is out of it."""
        try:
            self._match()
        except DisputedBidsError as disputed:
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

    def _match(self) -> None:
        client, tables = self.matcher.client, self.matcher.tables
        # The head comes first: whatever is committed after this line takes the number this work would commit under.
        head = self.tape.head(self.material)
        bids = [new.bid for new in self.pending.values()]
        asks_page = min(max(len(bids), _SHORTEST_PAGE), _LONGEST_PAGE)
        standing_page = min(max(self.new_asks, 1), _LONGEST_PAGE)
        placements = match(
            open_asks(client, tables.asks, self.material, asks_page),
            standing_bids(client, tables.standing_bids, self.material, standing_page),
            bids,
        )
        for commit in cut_commits(self.material, head, placements, one_order=self._one_order):
            self._write(commit)

    def _write(self, commit: Commit) -> None:
        actions = commit_actions(
            commit,
            {bid.bid_id: self.pending[bid.bid_id].image for bid in commit.arrivals},
            self.matcher.tables,
            self.tape,
            received_at_ms=self.received_at_ms,
            committed_at_ms=self.matcher.clock(),
        )
        try:
            # botocore adds a ClientRequestToken and keeps it through its own retries.
            self.matcher.client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            raise cancellation(error, commit) from error
        self.outcome.commits += 1
        self.outcome.fills += len(commit.fills)
        self._failures = 0
        for bid in commit.arrivals:
            del self.pending[bid.bid_id]

    def _drop(self, disputed: DisputedBidsError) -> None:
        before = len(self.pending)
        for bid, stored_status in disputed.bids:
            self._settle(bid, stored_status)
        if not self._looked_up and self.pending:
            # One replayed bid seldom comes alone: ask for all the others at once, not one failed commit at a time.
            self._looked_up = True
            self._look_up()
        if len(self.pending) == before:
            self._wait(disputed)

    def _look_up(self) -> None:
        bids = [new.bid for new in self.pending.values()]
        try:
            found = stored_statuses(self.matcher.client, self.matcher.tables.bids, bids)
        except Exception as error:
            if not is_transient(error):
                raise
            return  # only a short cut: each commit's conditions find out as well
        for bid in bids:
            self._settle(bid, found.get(bid.bid_id))

    def _settle(self, bid: Bid, stored_status: str | None) -> None:
        if stored_status is None:
            self._refuse(bid, "no such bid is stored")
        elif stored_status != bid.status:
            del self.pending[bid.bid_id]
            self.outcome.duplicates += 1

    def _isolate(self, invalid: InvalidCommitError) -> None:
        if not invalid.bids:
            raise invalid
        if len(invalid.bids) == 1:
            self._refuse(invalid.bids[0], f"can not be committed: {invalid.reason}")
        else:
            self._one_order = True

    def _refuse(self, bid: Bid, reason: str) -> None:
        del self.pending[bid.bid_id]
        self.outcome.refused[bid.bid_id] = reason

    def _wait(self, error: Exception) -> None:
        self._failures += 1
        retrying_ms = self.matcher.clock() - self.received_at_ms
        if self._failures == MOST_ATTEMPTS or retrying_ms > LONGEST_RETRYING_MS:
            raise error
        # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        longest = min(_FIRST_BACKOFF_S * 2 ** (self._failures - 1), _LONGEST_BACKOFF_S)
        self.matcher.sleep(self.matcher.random() * longest)
