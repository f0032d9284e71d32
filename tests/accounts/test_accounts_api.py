"""What players see of their accounts, and what the game's service can do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from market.accounts.bookkeeping import HOUSE, MONEY, AccountChange, Book
from market.accounts.changes import placing_ask, placing_bid
from tests.accounts.commits import order_id
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from tests.accounts.bank import Bank


def test_a_player_sees_what_they_have_and_what_orders_hold(bank: Bank) -> None:
    bank.transfer("deposits", MONEY, "20.50", "d1")
    bank.transfer("deposits", "copper", 7, "d2")
    bank.apply(placing_ask("ann", "copper", 5, order_id(1)), "order#1")
    bank.apply(placing_bid(bank.ledger.account("ann"), "wheat", 2000, order_id(2)), "order#2")
    earned = AccountChange(player="ann", material="wheat", proceeds_minor=7, contra=Book.CLEARING)
    bank.apply([earned], "settlement#wheat-1#0")
    assert bank.send("GET", "/account").body == {
        "money": {"available": "0.57", "held": "20.00"},
        "materials": [
            {"material": "copper", "available": 2, "held": 5, "open_asks": 1, "open_bids": 0},
            {"material": "wheat", "available": 0, "held": 0, "open_asks": 0, "open_bids": 1},
        ],
    }
    nobody = bank.send("GET", "/account", player="bob")
    assert nobody.body == {"money": {"available": "0.00", "held": "0.00"}, "materials": []}
    bank.require_sound("ann")


def test_the_journal_says_what_happened_and_why(bank: Bank) -> None:
    bank.transfer("deposits", MONEY, 20, "d1")
    bank.apply(placing_bid(bank.ledger.account("ann"), "wheat", 1250, order_id(2)), f"order#{order_id(2)}")
    bank.transfer("deposits", "copper", 7, "d2", player="bob")
    entries = bank.send("GET", "/account/journal").body
    assert entries["next"] is None
    assert [
        (entry["cause"], [(p["account"], p["asset"], p["amount"]) for p in entry["postings"]])
        for entry in entries["entries"]
    ] == [
        (f"order#{order_id(2)}", [("held", MONEY, "12.50"), ("available", MONEY, "-12.50")]),
        ("deposit#d1", [("available", MONEY, "20.00"), ("game", MONEY, "-20.00")]),
    ]
    assert entries["entries"][1]["at"] == "2026-11-21T08:00:00.002Z"


def test_pages_of_the_journal_stay_valid_while_entries_arrive(bank: Bank) -> None:
    for number in range(5):
        bank.transfer("deposits", MONEY, 1, f"d{number}")
    seen: list[str] = []
    token: str | None = None
    while True:
        query = {"limit": "2"} | ({"next": token} if token else {})
        page = bank.send("GET", "/account/journal", query=query).body
        seen += [entry["cause"] for entry in page["entries"]]
        token = page["next"]
        if token is None:
            break
        bank.transfer("deposits", MONEY, 1, f"later-{token[:9]}")
    assert seen == [f"deposit#d{number}" for number in (4, 3, 2, 1, 0)]


def test_a_token_of_another_players_journal_is_refused(bank: Bank) -> None:
    for number in range(2):
        bank.transfer("deposits", MONEY, 1, f"d{number}")
    token = bank.send("GET", "/account/journal", query={"limit": "1"}).body["next"]
    reply = bank.send("GET", "/account/journal", query={"next": token}, player="bob")
    assert (reply.status, reply.error) == (400, ("invalid_field", "next", "page_token"))


@pytest.mark.parametrize("collection", ["deposits", "withdrawals"])
@pytest.mark.parametrize(("asset", "amount", "again"), [(MONEY, "2.50", 2.5), ("copper", 2, 2)])
def test_a_reference_is_good_for_one_transfer(
    bank: Bank, collection: str, asset: str, amount: object, again: object
) -> None:
    bank.transfer("deposits", MONEY, "2.50", "before")
    bank.transfer("deposits", "copper", 2, "before-too")
    first = bank.transfer(collection, asset, amount, "ref")
    assert first.status == 200
    stored = bank.stored()
    repeated = bank.transfer(collection, asset, again, "ref")
    assert repeated == first
    for asset_now, amount_now in ((asset, 1), (MONEY if asset == "copper" else "copper", 2)):
        other = bank.transfer(collection, asset_now, amount_now, "ref")
        assert (other.status, other.error) == (409, ("conflict", "reference", "unrepeated_reference"))
    assert bank.stored() == stored
    assert bank.transfer(collection, "copper", 3, "ref", player="bob").status == (
        200 if collection == "deposits" else 409
    )


def test_a_deposit_and_a_withdrawal_may_have_the_same_reference(bank: Bank) -> None:
    assert bank.transfer("deposits", MONEY, 5, "ref").status == 200
    assert bank.transfer("withdrawals", MONEY, 5, "ref").status == 200
    assert bank.ledger.account("ann").available_minor == 0


def test_money_earned_in_any_material_can_be_withdrawn(bank: Bank) -> None:
    bank.transfer("deposits", MONEY, 1, "d1")
    for material in ("copper", "wheat"):
        earned = AccountChange(player="ann", material=material, proceeds_minor=100, contra=Book.CLEARING)
        bank.apply([earned], f"settlement#{material}-1#0")
    assert bank.transfer("withdrawals", MONEY, "2.50", "w1").status == 200
    assert bank.ledger.account("ann").available_minor == 50
    bank.require_sound("ann")


SHORT = {
    MONEY: ("5.01", "insufficient_funds", {"needed": "5.01", "available": "5.00", "missing": "0.01"}),
    "copper": (8, "insufficient_goods", {"needed": 8, "available": 2, "missing": 6}),
}


@pytest.mark.parametrize("asset", SHORT)
def test_more_than_is_available_is_not_withdrawn(bank: Bank, asset: str) -> None:
    bank.transfer("deposits", MONEY, 10, "d1")
    bank.transfer("deposits", "copper", 7, "d2")
    bank.apply(placing_ask("ann", "copper", 5, order_id(1)), "order#1")  # what is held is not available
    bank.apply(placing_bid(bank.ledger.account("ann"), "wheat", 500, order_id(2)), "order#2")
    before = bank.stored()
    amount, code, told = SHORT[asset]
    reply = bank.transfer("withdrawals", asset, amount, "w1")
    assert (reply.status, reply.error) == (409, (code, "amount", "available"))
    assert {name: reply.body["error"][name] for name in ("asset", *told)} == {"asset": asset, **told}
    assert bank.stored() == before


VALID: dict[str, object] = {"asset": MONEY, "amount": "1.00", "reference": "r"}
BAD: dict[str, tuple[object, str | None, str]] = {
    "negative money": (VALID | {"amount": -1}, "amount", "positive"),
    "no money": (VALID | {"amount": "0.00"}, "amount", "positive"),
    "too much money": (VALID | {"amount": 10**12}, "amount", "maximum"),
    "half a cent": (VALID | {"amount": "0.005"}, "amount", "currency_digits"),
    "money in words": (VALID | {"amount": "a lot"}, "amount", "decimal_number"),
    "money as truth": (VALID | {"amount": True}, "amount", "type"),
    "negative goods": (VALID | {"asset": "copper", "amount": -1}, "amount", "positive"),
    "no goods": (VALID | {"asset": "copper", "amount": 0}, "amount", "positive"),
    "half a piece": (VALID | {"asset": "copper", "amount": 0.5}, "amount", "whole_number"),
    "too many pieces": (VALID | {"asset": "copper", "amount": 10**12}, "amount", "maximum"),
    "pieces as text": (VALID | {"asset": "copper", "amount": "1"}, "amount", "type"),
    "an unknown asset": (VALID | {"asset": "gold"}, "asset", "known_material"),
    "no asset": ({"amount": 1, "reference": "r"}, "asset", "required"),
    "one field too many": (VALID | {"note": ""}, "note", "known_field"),
    "an empty reference": (VALID | {"reference": ""}, "reference", "pattern"),
    "a reference with a separator": (VALID | {"reference": "a#b"}, "reference", "pattern"),
    "a long reference": (VALID | {"reference": "r" * 65}, "reference", "pattern"),
    "no JSON": ("{", "body", "json"),
}


@pytest.mark.parametrize("collection", ["deposits", "withdrawals"])
@pytest.mark.parametrize(("body", "field", "rule"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_its_field_and_rule(
    bank: Bank, collection: str, body: object, field: str | None, rule: str
) -> None:
    bank.transfer("deposits", MONEY, 10, "d1")
    before = bank.stored()
    reply = bank.send("POST", f"/accounts/ann/{collection}", body)
    assert (reply.status, reply.error) == (400, ("invalid_field", field, rule))
    assert bank.stored() == before


def test_a_player_has_a_plain_id(bank: Bank) -> None:
    reply = bank.send("POST", "/accounts/ann smith/deposits", VALID)
    assert (reply.status, reply.error) == (400, ("invalid_field", "player", "pattern"))
    for player in (HOUSE, "auth0|5f7c8ec7c33c6c004bbafe82"):
        assert bank.transfer("deposits", MONEY, 1, "d1", player=player).status == 200


@pytest.mark.parametrize("collection", ["deposits", "withdrawals"])
@pytest.mark.parametrize("trouble", ["crash before", "crash after", "lost answer", "throttle", "conflict"])
@pytest.mark.parametrize("call", range(3))
def test_a_transfer_that_is_asked_for_until_it_is_answered_is_made_once(
    bank: Bank, collection: str, trouble: str, call: int
) -> None:
    bank.transfer("deposits", MONEY, 10, "before")
    troubled = bank.troubled(FaultyClient(bank.client, {call: trouble}))
    for _ in range(4):
        try:
            reply = troubled.transfer(collection, MONEY, 10, "ref")
        except Crash:
            continue
        if reply.status == 200:
            break
        assert reply.status == 503
    assert bank.ledger.account("ann").available_minor == (2000 if collection == "deposits" else 0)
    assert bank.transfer(collection, MONEY, 10, "ref").status == 200
    assert len(bank.stored()["journal"]) == 2
    bank.require_sound("ann")


def test_a_withdrawal_looks_again_when_another_was_faster(bank: Bank) -> None:
    bank.transfer("deposits", MONEY, 10, "d1")

    def rival() -> Any:
        bank.transfer("withdrawals", MONEY, 4, "rival")
        earned = AccountChange(player="ann", material="copper", proceeds_minor=300, contra=Book.CLEARING)
        bank.apply([earned], "settlement#copper-1#0")

    racing = bank.troubled(FaultyClient(bank.client, {1: rival}))  # between the query and the transaction
    assert racing.transfer("withdrawals", MONEY, 9, "w1").status == 200
    assert bank.ledger.account("ann").available_minor == 0
    assert racing.transfer("withdrawals", MONEY, 1, "w2").status == 409


def test_a_busy_account_is_reported_as_such(bank: Bank) -> None:
    bank.transfer("deposits", MONEY, 10, "d1")
    numbers = iter(range(100))

    def rival() -> None:  # moves the money to and fro, so that it is always there and never where it was read
        number = next(numbers)
        account = bank.ledger.account("ann")
        to_line = 1 if account.wallet_minor else -1
        bank.apply(
            [
                AccountChange(player="ann", material=None, available_minor=-1000 * to_line),
                AccountChange(player="ann", material="copper", proceeds_minor=1000 * to_line),
            ],
            f"test#{number}",
        )

    racing = bank.troubled(FaultyClient(bank.client, dict.fromkeys(range(1, 10, 2), rival)))
    reply = racing.transfer("withdrawals", MONEY, 10, "w1")
    assert (reply.status, reply.body["error"]["code"]) == (503, "unavailable")
    assert bank.ledger.account("ann").available_minor == 1000
