"""What each commit of the tape must do to accounts, and what it has done by the journal."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from market.accounts.bookkeeping import HOUSE, MONEY, Book

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.accounts.rows import JournalRow
    from market.tape import TapeCommit

_PREFIX = "settlement#"


class Place(NamedTuple):
    """A book of a player, in one asset."""

    player: str
    book: Book
    asset: str


@dataclass(frozen=True, slots=True)
class CommitSettlement:
    """A commit, the amounts it must add to accounts, and those the journal says it has added; zeros are left out."""

    commit: TapeCommit
    due: Counter[Place]
    done: Counter[Place]

    @property
    def commit_id(self) -> str:
        """The id of its settlement."""
        return f"{self.commit.material}-{self.commit.sequence}"

    @property
    def is_done(self) -> bool:
        """Whether everything is done, and nothing else."""
        return self.due == self.done

    def still_held(self) -> Counter[Place]:
        """Return what it has yet to take out of what is held."""
        places = {place for place in (*self.due, *self.done) if place.book is Book.HELD}
        return Counter({place: self.done[place] - self.due[place] for place in places})


def commit_settlements(
    tape: Iterable[TapeCommit], journal: Iterable[JournalRow]
) -> tuple[list[CommitSettlement], set[str]]:
    """Return the settlement of each commit, and the ids of settlements whose commit is not on the tape."""
    done: defaultdict[str, Counter[Place]] = defaultdict(Counter)
    for entry in journal:
        if entry.cause.startswith(_PREFIX):
            commit_id = entry.cause.removeprefix(_PREFIX).rpartition("#")[0]
            for posting in entry.postings:
                if posting.account in (Book.AVAILABLE, Book.HELD):
                    done[commit_id][Place(entry.player, posting.account, posting.asset)] += posting.amount
    found = [
        CommitSettlement(commit, _due(commit), _without_zeros(done.pop(f"{commit.material}-{commit.sequence}", {})))
        for commit in tape
    ]
    return found, set(done)


def _due(commit: TapeCommit) -> Counter[Place]:
    due: Counter[Place] = Counter()
    material = commit.material
    spent: Counter[str] = Counter()
    for fill in commit.fills:
        value_minor = fill.price_minor * fill.quantity
        due[Place(fill.buyer, Book.HELD, MONEY)] -= value_minor + fill.buyer_fee_minor
        due[Place(fill.buyer, Book.AVAILABLE, material)] += fill.quantity
        due[Place(fill.seller, Book.HELD, material)] -= fill.quantity
        due[Place(fill.seller, Book.AVAILABLE, MONEY)] += value_minor - fill.seller_fee_minor
        due[Place(HOUSE, Book.AVAILABLE, MONEY)] += fill.buyer_fee_minor + fill.seller_fee_minor
        spent[fill.bid_id] += value_minor + fill.buyer_fee_minor
        spent[fill.ask_id] += fill.quantity
    for touched in commit.orders:
        asset = MONEY if touched.side == "BUY" else material
        back = touched.released - spent[touched.order_id]
        due[Place(touched.player, Book.HELD, asset)] -= back
        due[Place(touched.player, Book.AVAILABLE, asset)] += back
    return _without_zeros(due)


def _without_zeros(amounts: Counter[Place] | dict[Place, int]) -> Counter[Place]:
    return Counter({place: amount for place, amount in amounts.items() if amount})
