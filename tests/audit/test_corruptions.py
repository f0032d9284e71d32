"""Whatever is altered behind the market's back is found, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.audit.page import encode_state
from patterns.dynamodb.items import encode_item
from tests.audit.market import AuditedMarket, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Ids = dict[str, str]
Sound = tuple[AuditedMarket, Ids]


@pytest.fixture(scope="module")
def traded_once() -> Iterator[tuple[AuditedMarket, Ids, Any]]:
    """A market with orders of all kinds, and what is stored of it."""
    with opened() as market:
        ids = traded(market)
        yield market, ids, market.snapshot()


@pytest.fixture
def sound(traded_once: tuple[AuditedMarket, Ids, Any]) -> Sound:
    """That market, as it was before the test before altered it."""
    market, ids, snapshot = traded_once
    market.restore(snapshot)
    market.lateness_ms = 10**8
    return market, ids


def traded(market: AuditedMarket) -> Ids:
    """Trades, a resting order of each side, a remainder and a cancelled order; returns the orders' ids by role."""
    market.deposit("alice", "copper", 100)
    market.deposit("bob", "money", "1000.00")

    def place(side: str, player: str, **body: object) -> str:
        reply = market.send("POST", f"/{side}", {"material": "copper", **body}, player=player)
        assert reply.status < 300, reply
        market.match()
        return str(reply.body["id"])

    ids = {
        "sold": place("asks", "alice", quantity=10, price="2.50"),
        "ask": place("asks", "alice", quantity=20, price="3.00"),
        "bought": place("bids", "bob", quantity=15, price="2.50"),
        "bid": place("bids", "bob", quantity=5, price="1.00"),
        "ioc": place("bids", "bob", quantity=12, price="3.00", time_in_force="IOC"),
        "cancelled": place("asks", "alice", quantity=7, price="9.00"),
    }
    assert market.send("DELETE", f"/asks/{ids['cancelled']}").status == 202
    market.match()
    market.settle()
    return ids


def altered(table: str, change: dict[str, Any], **match: object) -> Callable[[AuditedMarket, Ids], None]:
    """Change attributes of the first item that has certain values; numbers are added to what is there."""

    def alter(market: AuditedMarket, ids: Ids) -> None:
        wanted = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in match.items()}
        item = next(item for item in market.items(table) if wanted.items() <= item.items())
        for name, value in change.items():
            was = item.get(name)
            item[name] = was + value if isinstance(was, int) and isinstance(value, int) else value
        market.put(table, item)

    return alter


def deleted(table: str, contains: str) -> Callable[[AuditedMarket, Ids], None]:
    """Delete the first item that has a text in it."""

    def delete(market: AuditedMarket, ids: Ids) -> None:
        item = next(item for item in market.items(table) if ids.get(contains, contains) in str(item))
        market.delete(table, item)

    return delete


def without_its_first_version(role: str) -> Callable[[AuditedMarket, Ids], None]:
    """Delete the first recorded version of an order's record."""

    def delete(market: AuditedMarket, ids: Ids) -> None:
        place = f"{ids[role]}#{1:012d}"
        market.delete("history", next(item for item in market.items("history") if item["version_key"] == place))

    return delete


def entry(change: Callable[[dict[str, Any]], None]) -> Callable[[AuditedMarket, Ids], None]:
    """Change a copy of bob's first entry of a settlement, and store it."""

    def alter(market: AuditedMarket, ids: Ids) -> None:
        item: dict[str, Any] = next(
            dict(item)
            for item in sorted(market.items("journal"), key=lambda item: str(item["entry_key"]))
            if item["player"] == "bob" and str(item["cause"]).startswith("settlement")
        )
        change(item)
        market.put("journal", item)

    return alter


def _twice(item: dict[str, Any]) -> None:
    item["cause"] = item["cause"].replace("#0", "#1")
    item["entry_key"] = item["entry_key"].replace("#0", "#1")


def _lopsided(item: dict[str, Any]) -> None:
    item["postings"][0]["amount"] += 1


def _of_no_commit(item: dict[str, Any]) -> None:
    item["cause"] = "settlement#copper-99#0"
    item["entry_key"] = item["entry_key"].partition("#")[0] + "#settlement#copper-99#0"


def unsettled(market: AuditedMarket, ids: Ids) -> None:
    """A commit that settlement never heard of."""
    market.send("POST", "/bids", {"material": "copper", "quantity": 1, "price": "3.00"}, player="bob")
    market.match()


def parked(market: AuditedMarket, ids: Ids) -> None:
    unsettled(market, ids)
    newest = max(market.commits(), key=lambda commit: commit.sequence)
    settlement = dict(market.items("settlements")[0]) | {
        "transaction_id": f"copper-{newest.sequence}",
        "status": "PARKED",
    }
    market.put("settlements", settlement)


def forgotten_version(market: AuditedMarket, ids: Ids) -> None:
    """A write that the recorder never saw, and one after it that it did."""
    bid = next(item for item in market.items("bids") if item["order_key"] == ids["bid"])
    market.put("bids", bid | {"note": "one"})
    assert market.changes()
    market.put("bids", bid)
    market.record()


@pytest.mark.parametrize(
    ("corrupt", "kind", "where"),
    [
        (altered("accounts", {"available_minor": 5}, player="bob", line="wallet"), "balance", "account bob"),
        (altered("accounts", {"proceeds_minor": -1}, player="alice", line="material#copper"), "balance", "alice"),
        (altered("accounts", {"held": 1}, player="alice", line="material#copper"), "holds", "alice copper"),
        (altered("accounts", {"available_minor": -(10**9)}, player="bob", line="wallet"), "negative", "bob wallet"),
        (altered("accounts", {"available_minor": 5}, player="bob", line="wallet"), "history_behind", "bob wallet"),
        (altered("accounts", {"open_asks": frozenset([bytes(16)])}, player="alice"), "open_orders", "alice copper"),
        (altered("accounts", {"open_asks": frozenset([bytes(16)])}, player="alice"), "order_without_hold", "ask"),
        (altered("bids", {"status": "FILLED"}, order_key="bid"), "status", "bid"),
        (altered("bids", {"filled": 1}, order_key="ioc"), "filled", "ioc"),
        (altered("bids", {"filled": 1}, order_key="ioc"), "history_behind", "ioc"),
        (altered("sell-orders", {"reason": "expired"}, order_key="cancelled"), "status", "cancelled"),
        (altered("sell-orders", {"status": "CANCELED"}, order_key="ask"), "book", "ask"),
        (altered("asks", {"remaining": 1}, ask_id="ask"), "book", "ask"),
        (altered("asks", {"remaining": 1}, ask_id="ask"), "history_behind", "asks copper"),
        (deleted("asks", "ask"), "status", "ask"),
        (deleted("bids", "bid"), "book", "bid"),
        (deleted("bids", "bid"), "entry_without_cause", "bid"),
        (deleted("journal", "'settlement#copper-"), "wrongly_settled", "commit copper-"),
        (deleted("journal", "deposit#gift-2"), "balance", "account bob"),
        (deleted("accounts", "~deposit#gift-1"), "entry_without_cause", "deposit#gift-1"),
        (entry(_twice), "wrongly_settled", "of bob"),
        (entry(_twice), "balance", "account bob"),
        (entry(_lopsided), "unbalanced_entry", "of bob"),
        (entry(_of_no_commit), "entry_without_cause", "copper-99"),
        (altered("bids", {"hold": 1}, order_key="bid"), "wrong_hold", "bid"),
        (deleted("tape", "'sequence': 1,"), "tape_gap", "tape copper"),
        (altered("tape", {"fills": b"\xff"}, sequence=1), "unreadable", "tape copper"),
        (altered("settlements", {"transaction_id": "copper-77"}), "unknown_commit", "copper-77"),
        (unsettled, "unsettled", "commit copper-"),
        (parked, "parked", "commit copper-"),
        (altered("history", {"reason": "mended"}, source="bids"), "history_altered", "bids bob"),
        (altered("history", {"actor": "mallory"}, source="accounts"), "history_altered", "accounts"),
        (without_its_first_version("bought"), "history_missing", "bought"),
        (forgotten_version, "history_gap", "bid"),
    ],
)
def test_an_alteration_is_found_and_named(
    sound: Sound, corrupt: Callable[[AuditedMarket, Ids], None], kind: str, where: str
) -> None:
    market, ids = sound
    corrupt(market, ids)
    found = market.audit()
    assert any(found_kind == kind and ids.get(where, where) in subject for found_kind, subject in found), found


def test_a_sound_market_gives_no_finding(sound: Sound) -> None:
    assert sound[0].audit() == []


def test_what_is_still_to_be_settled_is_no_finding(sound: Sound) -> None:
    market, ids = sound
    unsettled(market, ids)
    assert {kind for kind, _ in market.audit()} == {"unsettled"}
    market.lateness_ms = 0
    assert market.audit() == []
    market.lateness_ms = 10**8
    market.settle()
    assert market.audit() == []


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ({"part": "everything"}, "part", "choice"),
        ({"part": "tape"}, "of", "required"),
        ({"part": "tape", "of": "tulips"}, "of", "known_material"),
        ({"part": "tape", "of": "copper", "next": "abc"}, "next", "page_token"),
        ({"next": "bm8"}, "next", "page_token"),
        ({"part": "tape", "of": "copper", "next": encode_state({"after": 1}, ("tape", "iron"))}, "next", "page_token"),
        ({"part": "lines", "of": "bob", "next": encode_state({"after": 1}, ("orders", "bob"))}, "next", "page_token"),
        (
            {
                "part": "lines",
                "of": "bob",
                "next": encode_state({"line": "wallet", "token": "of another line"}, ("lines", "bob")),
            },
            "next",
            "page_token",
        ),
    ],
)
def test_a_wrong_question_names_field_and_rule(sound: Sound, query: dict[str, str], field: str, rule: str) -> None:
    reply = sound[0].send("GET", "/operator/audit", player="operator", query=query)
    assert (reply.status, reply.error) == (400, ("invalid_field", field, rule))


def test_an_account_without_anything_is_sound(sound: Sound) -> None:
    market, _ = sound
    market.client.put_item(TableName="accounts", Item=encode_item({"player": "ann", "line": "wallet"}))
    market.record()
    assert market.audit() == []
