"""What an operator reads of orders, accounts and settlements: every write, by whom and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.front_door import Reply
    from tests.audit.market import AuditedMarket


def ask(market: AuditedMarket, kind: str, name: str, **query: str) -> Reply:
    return market.send("GET", f"/operator/history/{kind}/{name}", player="operator", query=query)


def versions(market: AuditedMarket, kind: str, name: str, **query: str) -> list[dict[str, Any]]:
    reply = ask(market, kind, name, **query)
    assert reply.status == 200, reply
    return reply.body["versions"]


def sold(market: AuditedMarket) -> tuple[str, str]:
    """Alice's ask that bob takes a part of and alice cancels; returns the ids of ask and bid."""
    market.deposit("alice", "copper", 10)
    market.deposit("bob", "money", "100.00")
    market.record()
    body = {"material": "copper", "quantity": 10, "price": "2.00"}
    ask_id = str(market.send("POST", "/asks", body).body["id"])
    market.match()
    bid_id = str(market.send("POST", "/bids", body | {"quantity": 4}, player="bob").body["id"])
    market.match()
    market.settle()
    market.send("DELETE", f"/asks/{ask_id}")
    market.match()
    market.settle()
    return ask_id, bid_id


def test_every_write_has_an_author_and_a_cause(market: AuditedMarket) -> None:
    ask_id, bid_id = sold(market)
    told = {(v["part"], v["by"], v["why"]) for v in versions(market, "order", ask_id)}
    assert told == {
        ("order", "alice", "placed"),
        ("order", "alice", "asked to cancel"),
        ("order", "matcher", "canceled: requested"),
        ("book", "alice", "placed"),
        ("book", "matcher", "matched"),
        ("book", "matcher", "left the book"),
    }
    assert [(v["by"], v["why"]) for v in versions(market, "order", bid_id, player="bob")] == [
        ("bob", "placed"),
        ("matcher", "matched"),
    ]
    assert [(v["part"], v["by"], v["why"]) for v in versions(market, "account", "alice")] == [
        ("material#copper", "service", "deposit#gift-1"),
        ("material#copper", "alice", f"order#{ask_id}"),
        ("material#copper", "settlement", "settlement#copper-1#0"),
        ("material#copper", "settlement", "settlement#copper-2#0"),
    ]
    assert [(v["part"], v["by"], v["why"]) for v in versions(market, "account", "bob")] == [
        ("material#copper", "bob", f"order#{bid_id}"),
        ("material#copper", "settlement", "settlement#copper-1#0"),
        ("wallet", "service", "deposit#gift-2"),
        ("wallet", "bob", f"order#{bid_id}"),
    ]
    (settlement,) = versions(market, "settlement", "copper-1")
    assert (settlement["by"], settlement["item"]["status"]) == ("settlement", "COMPLETED")


def test_a_write_past_the_market_has_no_author(market: AuditedMarket) -> None:
    sold(market)
    wallet = next(item for item in market.items("accounts") if item["line"] == "wallet")
    market.put("accounts", wallet | {"available_minor": 10**6})
    market.record()
    last = versions(market, "account", "bob")[-1]
    assert (last["by"], last["why"]) == (None, None)
    assert last["changes"] == [{"field": "available_minor", "before": 9199, "after": 10**6}]


def test_an_account_as_of_a_time_between_two_and_page_by_page(market: AuditedMarket) -> None:
    sold(market)
    everything = versions(market, "account", "bob")
    paged: list[dict[str, Any]] = []
    following: dict[str, str] = {}
    while True:
        page = ask(market, "account", "bob", limit="3", **following).body
        paged += page["versions"]
        if page["next"] is None:
            break
        following = {"next": page["next"]}
    assert paged == everything
    assert [v["part"] for v in versions(market, "account", "bob", as_of="2030-01-01T00:00:00Z")] == [
        "material#copper",
        "wallet",
    ]
    between = versions(market, "account", "bob", **{"from": "2020-01-01T00:00:00Z"})
    assert len(between) == len(everything)
    assert [v["at"] for v in between] == sorted(v["at"] for v in everything)


@pytest.mark.parametrize(
    ("path", "query", "status", "error"),
    [
        ("order/0190163d-8694-739b-aea5-966c26f8ad91", {}, 404, ("not_found", "id", "own_order")),
        ("order/0190163d-8694-739b-aea5-966c26f8ad91", {"player": "bob"}, 404, ("not_found", "id", "own_order")),
        ("account/nobody", {}, 404, ("not_found", "player", "required")),
        ("account/bob", {"as_of": "2020-01-01T00:00:00Z"}, 404, ("not_found", "as_of", "first_version")),
        ("account/bob", {"as_of": "noon"}, 400, ("invalid_field", "as_of", "time")),
        ("account/bob", {"next": "9.x"}, 400, ("invalid_field", "next", "page_token")),
        ("settlement/copper-9", {"limit": "0"}, 400, ("invalid_field", "limit", "page_size")),
    ],
)
def test_a_wrong_question_names_field_and_rule(
    market: AuditedMarket, path: str, query: dict[str, str], status: int, error: tuple[str, str, str]
) -> None:
    market.deposit("bob", "money", "100.00")
    market.record()
    reply = ask(market, *path.split("/"), **query)
    assert (reply.status, reply.error) == (status, error)
