"""Players list and look up their own orders, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns.dynamodb.page_token import encode_page_token
from tests.api.faults import hooked
from tests.api.front_door import FrontDoor, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.dynamodb.items import Item

SIDES = ["asks", "bids"]
UNKNOWN_ID = "01a1fd1e-8c4e-7e2d-ad84-6a46ff8e50ea"


def place(market: FrontDoor, side: str, player: str = "alice", **fields: object) -> dict[str, Any]:
    """Place an order and return it."""
    body = {"material": "copper", "quantity": 3, "price": "12.50"} | fields
    return market.send("POST", f"/{side}", body, player=player).body


@settings(max_examples=25)
@given(
    side=st.sampled_from(SIDES),
    players=st.lists(st.sampled_from(["alice", "bob"]), max_size=15),
    limits=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_the_pages_together_are_the_players_own_orders_newest_first(
    side: str, players: list[str], limits: list[int]
) -> None:
    with opened() as market:
        placed = [
            place(market, side, player, price=5 + number, client_order_id=f"c-{number}")
            for number, player in enumerate(players)
        ]
        for player in ("alice", "bob"):
            pages = list(market.pages(f"/{side}", side, limits, player=player))
            listed = [order for page in pages for order in page]
            own = [order for order, owner in zip(placed, players, strict=True) if owner == player]
            assert listed == own[::-1]
            assert [len(page) for page in pages[:-1]] == [limits[i % len(limits)] for i in range(len(pages) - 1)]
            assert pages[-1] or len(pages) == 1


@pytest.mark.parametrize("side", SIDES)
def test_a_page_of_a_hundred_orders_is_complete(market: FrontDoor, side: str) -> None:
    ids = [place(market, side)["id"] for _ in range(101)]
    reply = market.send("GET", f"/{side}", query={"limit": "100"})
    assert [order["id"] for order in reply.body[side]] == ids[:0:-1]
    assert {order["status"] for order in reply.body[side]} == {"NEW" if side == "asks" else "PENDING"}
    assert len(market.send("GET", f"/{side}").body[side]) == 50


@pytest.mark.parametrize("side", SIDES)
def test_a_token_is_refused_unless_it_is_this_listings_own(market: FrontDoor, side: str) -> None:
    other = "bids" if side == "asks" else "asks"
    tokens: dict[tuple[str, str], str] = {}
    for which in SIDES:
        for player in ("alice", "bob"):
            for _ in range(2):
                place(market, which, player)
            tokens[which, player] = market.send("GET", f"/{which}", player=player, query={"limit": "1"}).body["next"]
    own = tokens[side, "alice"]
    scope = (side, "alice")
    bad = {
        "flipped": [own[:i] + ("A" if own[i] != "A" else "B") + own[i + 1 :] for i in range(len(own))],
        "cut": [own[:i] for i in range(len(own))],
        "padded": [own + "=", own + "A", " " + own, own + "\n"],
        "another player's": [tokens[side, "bob"]],
        "another listing's": [tokens[other, "alice"]],
        "not a token": ["%00", "ä", "٣", "A" * 5000],
        "forged around a pointer": [encode_page_token("~~", scope), encode_page_token("", scope)],
    }
    for kind, variants in bad.items():
        for token in variants:
            reply = market.send("GET", f"/{side}", query={"next": token})
            assert (kind, reply.status) == (kind, 400)
            assert reply.error == ("invalid_field", "next", "page_token")
    assert market.send("GET", f"/{side}", query={"next": own}).status == 200


@pytest.mark.parametrize("side", SIDES)
def test_another_players_order_cannot_be_told_from_one_that_does_not_exist(market: FrontDoor, side: str) -> None:
    order = place(market, side, "bob", client_order_id="secret")
    wanted = [order["id"], UNKNOWN_ID, order["id"].upper(), "~secret", "1", "a" * 3000]
    replies = [market.send("GET", f"/{side}/{order_id}") for order_id in wanted]
    assert {reply.status for reply in replies} == {404}
    # Told apart by nothing but the echo of what was asked for.
    assert {reply.error for reply in replies} == {("not_found", "id", "own_order")}
    assert len({reply.body["error"]["message"] for reply in replies}) == 1
    assert market.send("GET", f"/{side}/~secret", player="bob").status == 404
    assert market.send("GET", f"/{side}/{order['id']}", player="bob").body == order


@pytest.mark.parametrize(
    ("remaining", "status", "filled"), [(3, "NEW", 0), (2, "PARTIALLY_FILLED", 1), (None, "FILLED", 3)]
)
def test_an_asks_state_is_what_the_book_says(
    market: FrontDoor, remaining: int | None, status: str, filled: int
) -> None:
    ask = place(market, "asks")
    (open_ask,) = market.stored()["asks"]
    if remaining is None:
        key = {name: {"S": str(open_ask[name])} for name in ("material", "price_key")}
        market.client.delete_item(TableName="asks", Key=key)
    else:
        market.put("asks", open_ask | {"remaining": remaining})
    expected = ask | {"status": status, "filled": filled, "remaining": 3 - filled}
    assert market.send("GET", f"/asks/{ask['id']}").body == expected
    assert market.send("GET", "/asks").body["asks"] == [expected]


def test_a_bids_state_is_what_the_matcher_wrote(market: FrontDoor) -> None:
    bid = place(market, "bids")
    noted: Item = {"status": "PARTIALLY_FILLED", "filled": 2, "hops": {"matched_at_ms": 1}}
    market.put("bids", market.stored()["bids"][0] | noted)
    trace = bid["trace"] | {"hops": bid["trace"]["hops"] | {"matched_at_ms": 1}}
    expected = bid | {"status": "PARTIALLY_FILLED", "filled": 2, "remaining": 1, "trace": trace}
    assert market.send("GET", f"/bids/{bid['id']}").body == expected
    assert market.send("GET", "/bids").body["bids"] == [expected]


def test_an_ask_placed_while_a_list_is_read_is_never_shown_as_sold_out(market: FrontDoor) -> None:
    ask = place(market, "asks")

    def place_another(**_kwargs: object) -> None:
        hooks.pop()() if hooks else None

    hooks: list[Callable[[], object]] = [lambda: place(market, "asks")]
    with hooked(market.client, "before-call.dynamodb.BatchGetItem", place_another):
        listed = market.send("GET", "/asks").body["asks"]
    assert listed == [ask]
    assert [order["status"] for order in market.send("GET", "/asks").body["asks"]] == ["NEW", "NEW"]


@pytest.mark.parametrize(("keys_read", "status"), [(2, 200), (1, 503)])
def test_keys_that_dynamodb_leaves_unread_are_asked_for_a_few_times(
    market: FrontDoor, keys_read: int, status: int
) -> None:
    placed = [place(market, "asks") for _ in range(8)]

    def read_some(params: dict[str, Any], context: dict[str, Any], **_kwargs: object) -> None:
        table = params["RequestItems"]["asks"]
        context["unread"] = table["Keys"][keys_read:]
        params["RequestItems"]["asks"] = table | {"Keys": table["Keys"][:keys_read]}

    def put_back(parsed: dict[str, Any], context: dict[str, Any], **_kwargs: object) -> None:
        if context.get("unread"):
            parsed["UnprocessedKeys"] = {"asks": {"Keys": context["unread"], "ConsistentRead": True}}

    with (
        hooked(market.client, "before-parameter-build.dynamodb.BatchGetItem", read_some),
        hooked(market.client, "after-call.dynamodb.BatchGetItem", put_back),
    ):
        reply = market.send("GET", "/asks")
    assert reply.status == status
    assert reply.body.get("asks") == (placed[::-1] if status == 200 else None)
