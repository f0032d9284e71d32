"""Whatever becomes of messages on their way, a client shows the true book or knows that it may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from market.feed.view import Change, MarketView, OwnView

Message = dict[str, Any]


@dataclass
class Publishers:
    """A material whose book is one level that changes with every message, and two matchers that tell of it."""

    sequence: int = 0
    now_ms: int = 0
    trades: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    book: list[list[Any]] = field(default_factory=list[list[Any]])

    def tell(self, publisher: str, commits: int, *, split: bool, net: bool) -> list[Message]:
        """Commit, and return what is published: ``split`` sends the trades ahead, ``net`` tells of them once more."""
        before = self.sequence
        self.now_ms += 1
        told = [{"sequence": before + n, "n": 1, "quantity": before + n} for n in range(1, commits + 1)]
        self.sequence += commits
        self.trades += [(trade["sequence"], trade["n"]) for trade in told]
        self.book = [[f"{self.now_ms}", self.sequence, 1]]
        book = {
            "as_of_ms": self.now_ms,
            "asks": self.book,
            "bids": [],
            "asks_complete": True,
            "bids_complete": True,
        }
        messages: list[Message] = []
        if split and commits:
            messages.append(
                self._stamped(publisher, {"from": before, "sequence": self.sequence, "trades": told, "part": 1})
            )
            messages.append(
                self._stamped(publisher, {"from": before, "sequence": self.sequence, "trades": [], "part": 2, **book})
            )
        else:
            messages.append(
                self._stamped(publisher, {"from": before, "sequence": self.sequence, "trades": told, **book})
            )
        if net and commits:
            messages.append(self._stamped("net", {"sequence": self.sequence, "trades": told}))
        return messages

    def snapshot(self) -> Message:
        """Answer as the book's route does."""
        levels = [{"price": price, "quantity": quantity, "orders": orders} for price, quantity, orders in self.book]
        return {"sequence": self.sequence, "asks": levels, "bids": []}

    def _stamped(self, publisher: str, message: Message) -> Message:
        self.numbers[publisher] = self.numbers.get(publisher, 0) + 1
        return {**message, "material": "copper", "publisher": publisher, "number": self.numbers[publisher]}


FATES = st.sampled_from(["comes", "comes", "comes", "lost", "twice", "late"])
BATCH = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.booleans(), st.booleans(), FATES, FATES)


@settings(max_examples=400, deadline=None)
@given(batches=st.lists(BATCH, min_size=1, max_size=25), late=st.integers(1, 6), slow=st.integers(0, 4))
def test_a_view_is_true_or_says_that_it_has_a_gap(
    batches: list[tuple[str, int, bool, bool, str, str]], late: int, slow: int
) -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    whole = True  # no snapshot since the beginning
    on_the_way: list[tuple[int, Message]] = []
    answers: list[tuple[int, Message]] = []
    for step, (publisher, commits, split, net, fate, other_fate) in enumerate(batches):
        for place, message in enumerate(market.tell(publisher, commits, split=split, net=net)):
            become = fate if place == 0 else other_fate
            copies = {"lost": 0, "twice": 2}.get(become, 1)
            on_the_way += [(step + (late if become == "late" else 0), message)] * copies
        arrived = [message for due, message in on_the_way if due <= step]
        on_the_way = [(due, message) for due, message in on_the_way if due > step]
        for message in arrived:
            if view.apply(message) is Change.GAP and not answers:
                answers.append((step + slow, market.snapshot()))
        for due, answer in answers:
            if due <= step:
                view.load(answer)
                whole = False
        answers = [(due, answer) for due, answer in answers if due > step]
    for _, message in on_the_way:
        view.apply(message)
    (last,) = market.tell("a", 1, split=False, net=False)  # nobody can see that a last message was lost
    view.apply(last)
    assert (view.asks, view.sequence) == ([tuple(market.book[0])], market.sequence) or view.has_gap
    if whole and not view.has_gap:
        assert [(trade["sequence"], trade["n"]) for trade in reversed(view.trades)] == market.trades


def test_a_snapshot_older_than_the_gap_does_not_fill_it() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    old = market.snapshot()
    market.tell("a", 1, split=False, net=False)
    (second,) = market.tell("a", 1, split=False, net=False)
    assert view.apply(second) is Change.GAP
    view.load(old)
    assert view.has_gap
    view.load(market.snapshot())
    assert not view.has_gap
    assert view.apply(second) is Change.DUPLICATE


def test_a_message_that_was_faster_than_the_snapshot_stays() -> None:
    """An ask that came to rest is told at the sequence the book is at: the snapshot may be from before it."""
    market, view = Publishers(), MarketView("copper")
    market.tell("a", 1, split=False, net=False)
    (second,) = market.tell("a", 1, split=False, net=False)
    assert view.apply(second) is Change.GAP
    answer = market.snapshot()
    (rested,) = market.tell("a", 0, split=False, net=False)
    view.apply(rested)
    view.load(answer)
    assert view.asks == [tuple(market.book[0])]
    assert not view.has_gap


def test_the_safety_net_shows_a_last_message_that_was_lost() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    _, net = market.tell("a", 1, split=False, net=True)
    assert view.apply(net) is Change.GAP


def _own(number: int, sequence: int, status: str, publisher: str = "a") -> Message:
    return {
        "material": "copper",
        "publisher": publisher,
        "number": number,
        "sequence": sequence,
        "orders": [{"order_id": "one", "sequence": sequence, "status": status}],
        "fills": [{"sequence": sequence, "n": 1, "order_id": "one"}],
    }


def test_an_own_order_never_goes_back_and_a_fill_counts_once() -> None:
    view = OwnView()
    assert view.apply(_own(1, 5, "NEW")) is Change.APPLIED
    assert view.apply(_own(3, 9, "FILLED")) is Change.GAP
    assert view.apply(_own(2, 7, "PARTIALLY_FILLED")) is Change.APPLIED  # its fill was not known
    assert view.apply(_own(2, 7, "PARTIALLY_FILLED")) is Change.DUPLICATE
    assert view.apply(_own(1, 9, "FILLED", publisher="net")) is Change.DUPLICATE
    assert view.apply(_own(2, 12, "FILLED", publisher="unheard")) is Change.GAP
    assert view.orders["one"]["status"] == "FILLED"
    assert [sequence for _, sequence, _, _ in view.fills] == [5, 9, 7, 12]
