"""No finding in any market that only the market has written to, whatever its players do, settled or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.audit import trails
from tests.audit.market import AuditedMarket, opened

if TYPE_CHECKING:
    import pytest

PLAYERS = ("alice", "bob", "carol")
PRICES = ("1.00", "1.05", "1.10")

_terms = st.sampled_from(
    [
        {},
        {"post_only": True},
        {"time_in_force": "IOC"},
        {"time_in_force": "FOK"},
        {"type": "market"},
        {"time_in_force": "GTD", "expires_at": "2026-12-01T08:00:00.000Z"},
    ]
)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(PLAYERS),
            st.sampled_from(("asks", "bids")),
            st.integers(1, 9),
            st.sampled_from(PRICES),
            _terms,
        ),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("replace"), st.integers(0, 30), st.integers(1, 9), st.sampled_from((*PRICES, None))),
        st.tuples(st.just("match")),
        st.tuples(st.just("settle")),
        st.tuples(st.just("withdraw"), st.sampled_from(PLAYERS), st.integers(1, 40)),
    ),
    min_size=4,
    max_size=25,
)


def run(market: AuditedMarket, steps: list[Any]) -> None:
    """Do what the steps say; what the market refuses is none."""
    orders: list[tuple[str, str, str]] = []

    def chosen(which: int) -> tuple[str, str, str]:
        return orders[which % len(orders)]

    for player in PLAYERS:
        market.deposit(player, "copper", 40)
        market.deposit(player, "money", "60.00")
    for number, step in enumerate(steps):
        match step:
            case ("place", player, side, quantity, price, terms):
                body: dict[str, object] = {"material": "copper", "quantity": quantity, "price": price, **terms}
                if terms.get("type") == "market":
                    del body["price"]
                reply = market.send("POST", f"/{side}", body, player=player)
                if reply.status < 300:
                    orders.append((player, side, str(reply.body["id"])))
            case ("cancel", which) if orders:
                player, side, order_id = chosen(which)
                market.send("DELETE", f"/{side}/{order_id}", player=player)
            case ("replace", which, quantity, price) if orders:
                player, side, order_id = chosen(which)
                body = {"quantity": quantity} | ({"price": price} if price else {})
                reply = market.send("PATCH", f"/{side}/{order_id}", body, player=player)
                if reply.status < 300 and reply.body["id"] != order_id:
                    orders.append((player, side, str(reply.body["id"])))
            case ("match",):
                market.match()
            case ("settle",):
                market.match()
                market.settle()
            case ("withdraw", player, amount):
                body = {"asset": "copper", "amount": amount, "reference": f"take-{number}"}
                market.send("POST", f"/accounts/{player}/withdrawals", body, player="service")
            case _:
                pass


@settings(max_examples=12)
@given(steps, st.booleans())
def test_whatever_players_do(steps: list[Any], to_the_end: bool) -> None:
    with opened() as market:
        run(market, steps)
        if to_the_end:
            market.match()
            market.settle()
        else:  # orders and commits on their way are no finding
            market.record()
            market.lateness_ms = 0
        assert market.audit() == []


def test_what_moved_nothing_long_ago_is_found_on_the_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that takes the place of one of its size holds nothing more: no journal names the commit."""
    monkeypatch.setattr(trails, "_COMMITS", 1)
    place: tuple[Any, ...] = ("place", "alice", "asks", 5, "1.10", {})
    replace = ("replace", 6, 5, "1.05")
    others = [("place", "bob", "asks", 1, "1.10", {"post_only": True}), ("match",)] * 6
    with opened() as market:
        run(market, [*others, place, ("match",), replace, ("match",), *others, ("settle",)])
        assert any(item.get("reason") == "replaced" for item in market.items("sell-orders"))
        assert market.audit() == []
