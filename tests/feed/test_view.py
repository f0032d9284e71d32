"""Whatever becomes of messages on their way, a client shows the true book or knows that it may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.feed.view import Change, MarketView, OwnView

Message = dict[str, Any]


def _take(view: MarketView, message: Message) -> Change:
    """Apply a message: without a gap, the book is as new as any that was heard of."""
    change = view.apply(message)
    if not view.has_gap and ("asks" in message or "from" not in message):
        assert view.sequence is not None
        assert view.sequence >= message["sequence"]
    return change


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


@settings(max_examples=400)
@given(
    batches=st.lists(BATCH, min_size=1, max_size=25),
    late=st.integers(1, 6),
    slow=st.sampled_from([0, 1, 2, 3, 4, None]),
    breaks=st.sets(st.integers(0, 24), max_size=2),
)
def test_a_view_is_true_or_says_that_it_has_a_gap(
    batches: list[tuple[str, int, bool, bool, str, str]], late: int, slow: int | None, breaks: set[int]
) -> None:
    """`slow` is what a snapshot takes, None of a client that reads none; at `breaks` it hears nothing."""
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    whole = True  # no snapshot since the beginning
    on_the_way: list[tuple[int, Message]] = []
    answers: list[tuple[int, Message]] = []
    for step, (publisher, commits, split, net, fate, other_fate) in enumerate(batches):
        if step in breaks:
            market.tell(publisher, commits, split=split, net=net)
            view.lose()
            answers = [(step + slow, market.snapshot())] if slow is not None else []
            continue
        for place, message in enumerate(market.tell(publisher, commits, split=split, net=net)):
            become = fate if place == 0 else other_fate
            copies = {"lost": 0, "twice": 2}.get(become, 1)
            on_the_way += [(step + (late if become == "late" else 0), message)] * copies
        arrived = [message for due, message in on_the_way if due <= step]
        on_the_way = [(due, message) for due, message in on_the_way if due > step]
        for message in arrived:
            if _take(view, message) is Change.GAP and not answers and slow is not None:
                answers.append((step + slow, market.snapshot()))
        for due, answer in answers:
            if due <= step:
                view.load(answer)
                whole = False
        answers = [(due, answer) for due, answer in answers if due > step]
    for _, message in on_the_way:
        _take(view, message)
    (last,) = market.tell("a", 0, split=False, net=False)  # nobody can see that a last message was lost
    _take(view, last)
    for _, answer in answers:
        view.load(answer)
        whole = False
    assert (view.asks, view.sequence) == ([tuple(market.book[0])], market.sequence) or view.has_gap
    if whole and not view.has_gap:
        assert [(trade["sequence"], trade["n"]) for trade in reversed(view.trades)] == market.trades


def test_a_snapshot_older_than_the_gap_does_not_fill_it() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    old = market.snapshot()
    market.tell("a", 1, split=False, net=False)
    (second,) = market.tell("a", 1, split=False, net=False)
    assert _take(view, second) is Change.GAP
    view.load(old)
    assert view.has_gap
    view.load(market.snapshot())
    assert not view.has_gap
    assert _take(view, second) is Change.DUPLICATE


def test_a_snapshot_that_is_read_again_unasked_shows_what_came_to_rest_since_the_last_one() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    for commits in (1, 1, 0):
        (message,) = market.tell("a", commits, split=False, net=False)
        if market.sequence == 1:
            _take(view, message)
        view.load(market.snapshot())
        assert view.asks == [tuple(market.book[0])]


def test_a_late_message_does_not_let_an_older_snapshot_fill_the_gap() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    market.tell("a", 1, split=False, net=False)
    (second,) = market.tell("a", 1, split=False, net=False)
    old = market.snapshot()
    _, net = market.tell("a", 1, split=False, net=True)
    assert [_take(view, message) for message in (net, second)] == [Change.GAP, Change.GAP]
    view.load(old)
    assert view.has_gap


def test_a_message_that_was_faster_than_the_snapshot_stays() -> None:
    """An ask that came to rest is told at the sequence the book is at: the snapshot may be from before it."""
    market, view = Publishers(), MarketView("copper")
    market.tell("a", 1, split=False, net=False)
    (second,) = market.tell("a", 1, split=False, net=False)
    assert _take(view, second) is Change.GAP
    answer = market.snapshot()
    (rested,) = market.tell("a", 0, split=False, net=False)
    _take(view, rested)
    view.load(answer)
    assert view.asks == [tuple(market.book[0])]
    assert not view.has_gap


def test_the_safety_net_shows_a_last_message_that_was_lost() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    _, net = market.tell("a", 1, split=False, net=True)
    assert _take(view, net) is Change.GAP


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
    assert view.apply(_own(4, 9, "FILLED")) is Change.DUPLICATE  # number 3 has come before
    assert view.apply(_own(1, 9, "FILLED", publisher="net")) is Change.DUPLICATE
    assert view.apply(_own(2, 12, "FILLED", publisher="unheard")) is Change.GAP
    assert view.orders["one"]["status"] == "FILLED"
    assert [sequence for _, sequence, _, _ in view.fills] == [5, 9, 7, 12]


LEADS = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 5)), min_size=1, max_size=12)


@given(LEADS)
def test_a_gap_that_the_safety_net_was_too_fast_for_closes_by_itself(batches: list[tuple[int, bool, int]]) -> None:
    """Nothing is lost, and each publisher's messages come in order; but the matcher's after so many of the net's."""
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    arrivals: list[tuple[int, int, Message]] = []
    due = 0
    for step, (commits, split, behind) in enumerate(batches):
        due = max(due, step + behind)
        told = market.tell("a", commits, split=split, net=True)
        arrivals += [(step, 0, message) if "from" not in message else (due, 1, message) for message in told]
    for _, _, message in sorted(arrivals, key=lambda arrival: arrival[:2]):
        _take(view, message)
    assert not view.has_gap
    assert (view.asks, view.sequence) == ([tuple(market.book[0])], market.sequence)
    assert [(trade["sequence"], trade["n"]) for trade in reversed(view.trades)] == market.trades


def test_an_ask_that_came_during_a_break_is_in_the_snapshot_after_it() -> None:
    """It takes no commit: the snapshot has the sequence that the view is at."""
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    (heard,) = market.tell("a", 1, split=False, net=False)
    assert _take(view, heard) is Change.APPLIED
    market.tell("a", 0, split=False, net=False)
    view.lose()
    assert view.has_gap
    view.load(market.snapshot())
    assert not view.has_gap
    assert view.asks == [tuple(market.book[0])]
    assert _take(view, heard) is Change.DUPLICATE  # comes late once more
    assert view.asks == [tuple(market.book[0])]


@pytest.mark.parametrize("cause", ["never read", "a break", "a skipped number", "a skipped commit"])
def test_a_gap_of_another_cause_stays_until_a_snapshot(cause: str) -> None:
    """However fast the safety net is afterwards, and whatever else comes."""
    market, view = Publishers(), MarketView("copper")
    if cause != "never read":
        view.load(market.snapshot())
    first, net = market.tell("a", 1, split=False, net=True)
    if cause == "a break":
        _take(view, net)
        view.lose()
    if cause in ("never read", "a break"):
        _take(view, first)
    (second,) = market.tell("b" if cause == "a skipped commit" else "a", 1, split=False, net=False)
    _take(view, second)
    for split in (False, True):
        *told, net = market.tell("a" if cause != "a skipped commit" else "b", 1, split=split, net=True)
        for message in (net, *told, net):
            assert _take(view, message) is Change.GAP
    view.load(market.snapshot())
    assert not view.has_gap


def test_the_safety_nets_message_is_kept_in_mind_until_all_it_tells_of_has_come() -> None:
    market, view = Publishers(), MarketView("copper")
    view.load(market.snapshot())
    told = [market.tell("a", 1, split=True, net=True) for _ in range(2)]
    (trades, book, _), (more_trades, more_book, net) = told
    net["number"] = 1  # a stream's batch holds both commits
    changes = [_take(view, message) for message in (net, trades, book, more_trades, more_book, net)]
    assert changes == [*[Change.GAP] * 4, Change.APPLIED, Change.DUPLICATE]


def test_a_publisher_that_goes_on_is_not_forgotten_for_many_that_came_and_went() -> None:
    for others in range(1, 100):
        market, view = Publishers(), MarketView("copper")
        view.load(market.snapshot())
        for number in range(others):
            for publisher in ("a", f"b{number}"):
                (message,) = market.tell(publisher, 0, split=False, net=False)
                assert _take(view, message) is Change.APPLIED
        market.tell("a", 0, split=False, net=False)
        (message,) = market.tell("a", 0, split=False, net=False)
        assert _take(view, message) is Change.GAP
