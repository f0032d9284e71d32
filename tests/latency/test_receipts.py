"""What clients noticed: repeats are counted, gaps are noticed, and a fault that nobody could notice is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.latency.receipts import MarketFollower, OwnFollower, Receipts
from tests.latency.ways import WATCHERS, mutation, run_of

BOOK: dict[str, Any] = {"material": "copper", "sequence": 4, "asks": [], "bids": []}


def market_message(number: int, sequence: int, *, start: int | None = None, trace_ids: tuple[str, ...] = ()) -> Any:
    return {
        "material": "copper",
        "publisher": "p",
        "number": number,
        "from": sequence - 1 if start is None else start,
        "sequence": sequence,
        "as_of_ms": 1000 + number,
        "published_at_ms": 1000 + number,
        "asks": [["12.50", sequence, 1]],
        "bids": [],
        "asks_complete": True,
        "bids_complete": True,
        "trades": [],
        "trace_ids": list(trace_ids),
    }


def own_message(number: int, trace_id: str) -> Any:
    order = {"order_id": trace_id, "sequence": number, "status": "NEW", "trace_id": trace_id, "hops": {"put_at_ms": 7}}
    return {
        "material": "copper",
        "publisher": "p",
        "number": number,
        "sequence": number,
        "published_at_ms": 9 + number,
        "orders": [order],
        "fills": [],
    }


@pytest.fixture
def receipts() -> Receipts:
    return Receipts()


@pytest.fixture
def follower(receipts: Receipts) -> MarketFollower:
    followed = MarketFollower(WATCHERS[0], "copper", receipts)
    followed.load(BOOK)
    return followed


def test_only_the_first_receipt_of_a_mutation_counts(receipts: Receipts, follower: MarketFollower) -> None:
    follower.take(market_message(1, 5, trace_ids=("a", "b")), 10.0)
    follower.take(market_message(1, 5, trace_ids=("a",)), 20.0)
    follower.take(market_message(2, 6, trace_ids=("b",)), 30.0)
    assert receipts.of("a", None) == receipts.of("b", None) == {WATCHERS[0]: 10.0}
    assert receipts.detection([], WATCHERS).duplicates == 1
    assert receipts.detection([], WATCHERS).messages == 3


def test_the_first_own_message_tells_the_stamps(receipts: Receipts) -> None:
    follower = OwnFollower("client", receipts)
    follower.take(own_message(1, "a"), 1.5)
    follower.take(own_message(2, "a"), 2.5)
    assert receipts.stamps_of("a") == ({"put_at_ms": 7, "published_at_ms": 10}, 1.5)
    assert receipts.of("a", None) == {"client": 1.5}
    assert receipts.stamps_of("unknown") == ({}, None)


def test_an_order_that_traded_before_its_turn_is_told_by_its_id(receipts: Receipts) -> None:
    follower = OwnFollower("client", receipts)
    early = own_message(1, "a")
    order_id = early["orders"][0]["order_id"] = "order"
    early["orders"][0]["trace_id"] = None
    follower.take(early, 1.5)
    assert receipts.of("a", order_id) == {"client": 1.5}
    follower.take(own_message(2, "a"), 2.5)
    assert receipts.of("a", order_id) == {"client": 1.5}
    assert receipts.stamps_of("a")[1] == 2.5, "the stamps are the later message's"
    assert receipts.of("a", None) == {"client": 2.5}
    assert receipts.reached("a", order_id, ["client"])
    assert not receipts.reached("a", order_id, ["client", WATCHERS[0]])


def test_a_gap_is_noticed_once_until_a_snapshot_fills_it(receipts: Receipts, follower: MarketFollower) -> None:
    follower.take(market_message(1, 5), 1)
    assert not follower.needs_snapshot
    for number in (3, 4):
        follower.take(market_message(number, number + 4), 2)
        assert follower.needs_snapshot
    assert receipts.detection([], WATCHERS).gaps == 1
    follower.load({**BOOK, "sequence": 8})
    assert not follower.needs_snapshot


def lost_by_first_watcher() -> Any:
    return replace(mutation(0, 0), receipts={"player 0": 1.0, WATCHERS[1]: 1.0})


def test_a_loss_with_a_noticed_gap_is_a_detectable_one(receipts: Receipts, follower: MarketFollower) -> None:
    follower.take(market_message(1, 5), 1)
    follower.take(market_message(3, 7), 2)
    assert receipts.detection([lost_by_first_watcher()], WATCHERS).undetected == ()


def test_a_loss_that_nobody_noticed_is_named(receipts: Receipts, follower: MarketFollower) -> None:
    follower.take(market_message(1, 5), 1)
    (fault,) = receipts.detection([lost_by_first_watcher()], WATCHERS).undetected
    assert fault == f"{WATCHERS[0]} never heard of 1 mutations in copper and noticed no gap"


def test_what_was_noticed_before_the_run_excuses_nothing_in_it(receipts: Receipts, follower: MarketFollower) -> None:
    follower.lose(5)
    receipts.count_anew()
    detection = receipts.detection([lost_by_first_watcher()], WATCHERS)
    assert (detection.gaps, len(detection.undetected)) == (0, 1)


def test_a_gap_excuses_what_was_sent_before_it_was_noticed_and_nothing_later(
    receipts: Receipts, follower: MarketFollower
) -> None:
    def unnoticed_of(sent_ms: float) -> int:
        lost = replace(lost_by_first_watcher(), sent_ms=sent_ms)
        return len(receipts.detection([lost], WATCHERS).undetected)

    follower.take(market_message(1, 5), 1)
    follower.take(market_message(3, 7), 20)
    assert [unnoticed_of(sent_ms) for sent_ms in (10, 20, 21)] == [0, 0, 1]
    follower.take(market_message(5, 9), 30)
    assert [unnoticed_of(sent_ms) for sent_ms in (21, 31)] == [0, 1], "still the same gap, of more"
    follower.load({**BOOK, "sequence": 9})
    follower.take(market_message(6, 10), 40)
    assert unnoticed_of(35) == 1
    follower.lose(50)
    follower.lose(60, is_back=True)
    assert [unnoticed_of(sent_ms) for sent_ms in (55, 61)] == [0, 1]
    assert receipts.detection([], WATCHERS).gaps == 2


def test_a_players_client_notices_its_own_gaps(receipts: Receipts) -> None:
    own = OwnFollower("player 0", receipts)
    lost = replace(mutation(0, 0), receipts=dict.fromkeys(WATCHERS, 1.0), told_ms=None)
    later = replace(lost, sent_ms=50.0)
    own.take(own_message(1, "a"), 10)
    (fault,) = receipts.detection([lost], WATCHERS).undetected
    assert fault == "player 0 never heard of 1 mutations in own orders and noticed no gap"
    own.take(own_message(3, "c"), 20)
    assert receipts.detection([lost], WATCHERS).undetected == ()
    assert len(receipts.detection([later], WATCHERS).undetected) == 1
    own.lose(60)
    own.lose(70, is_back=True)
    assert receipts.detection([later], WATCHERS).undetected == ()
    assert receipts.detection([], WATCHERS).gaps == 2


@pytest.mark.parametrize("failed", [False, True])
def test_what_the_market_did_not_take_is_nobodys_loss(failed: bool, receipts: Receipts) -> None:
    refused = replace(mutation(0, 0), order_id=None, refusal="no", failed=failed, receipts={}, told_ms=None)
    assert receipts.detection(run_of([refused]).samples, WATCHERS).undetected == ()


LEVEL = {"price": "12.50", "quantity": 5, "orders": 1}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({**BOOK, "sequence": 5, "asks": [LEVEL]}, None),
        ({**BOOK, "sequence": 6, "asks": [LEVEL]}, "is at commit 5, the market's at 6"),
        ({**BOOK, "sequence": 5, "asks": [{**LEVEL, "quantity": 4}]}, "has other asks"),
        ({**BOOK, "sequence": 5}, "has other asks"),
        ({**BOOK, "sequence": 5, "asks": [LEVEL], "bids": [LEVEL]}, None),
        ({**BOOK, "sequence": 4}, None),
    ],
)
def test_a_book_that_is_wrong_unnoticed_is_named(
    answer: dict[str, Any], fault: str | None, follower: MarketFollower
) -> None:
    follower.take(market_message(1, 5), 1)
    found = follower.fault(answer)
    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")


def test_a_book_that_is_known_to_be_wrong_is_no_fault(follower: MarketFollower) -> None:
    follower.take(market_message(1, 5), 1)
    follower.take(market_message(3, 7), 2)
    assert follower.fault(BOOK) is None


def test_after_a_break_the_book_is_what_a_new_snapshot_says(follower: MarketFollower) -> None:
    follower.take(market_message(1, 5), 1)
    follower.lose(2)
    follower.lose(3, is_back=True)
    assert follower.needs_snapshot
    rested_meanwhile = {**BOOK, "sequence": 5, "asks": [LEVEL, {**LEVEL, "price": "13.00"}]}
    follower.load(rested_meanwhile)
    assert follower.fault(rested_meanwhile) is None
    assert "other asks" in (follower.fault({**BOOK, "sequence": 5}) or "")
