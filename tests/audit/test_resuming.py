"""A request of the audit does one bounded step at least, and all of them together find what one long one would."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.audit import account_part, history_parts, holds_part, material_parts, orders_part, trails
from functions.audit.page import BUDGET_MS
from patterns.historic import proof
from tests.audit.market import AuditedMarket, opened
from tests.audit.test_sound_markets import run, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from patterns.dynamodb.items import Item

PAGES = (
    (account_part, "_ENTRIES"),
    (holds_part, "_COMMITS"),
    (history_parts, "_SETTLEMENTS"),
    (material_parts, "_COMMITS"),
    (material_parts, "_ORDERS"),
    (orders_part, "_ORDERS"),
    (trails, "_ENTRIES"),
    (trails, "_COMMITS"),
)


@pytest.fixture
def paged() -> Iterator[Callable[[int], None]]:
    """Sets the size of every page."""
    with pytest.MonkeyPatch.context() as patch:

        def set_size(size: int) -> None:
            for module, name in PAGES:
                patch.setattr(module, name, size)
            patch.setitem(proof.verify_page.__kwdefaults__ or {}, "limit", size)

        yield set_size


def alter(market: AuditedMarket, table: str, which: int, how: str) -> None:
    """Delete an item, or change its largest number."""
    items = sorted(market.items(table), key=str)
    if not items:
        return
    item: Item = items[which % len(items)]
    numbers = sorted(name for name, value in item.items() if type(value) is int and name not in ("sequence", "at_ms"))
    if how == "delete" or not numbers:
        market.delete(table, item)
    else:
        name = numbers[which % len(numbers)]
        market.put(table, {**item, name: item[name] + 1})  # pyright: ignore[reportOperatorIssue]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps,
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.sampled_from(("accounts", "journal", "history", "bids", "sell-orders", "asks", "tape", "settlements")),
            st.integers(0, 99),
            st.sampled_from(("delete", "change")),
        ),
        max_size=2,
    ),
)
def test_many_short_requests_find_what_a_long_one_finds(
    paged: Callable[[int], None], steps: list[Any], size: int, alterations: list[tuple[str, int, str]]
) -> None:
    with opened() as market:
        run(market, steps)
        market.record()
        for table, which, how in alterations:
            alter(market, table, which, how)
        paged(1000)
        whole = Counter(market.audit())
        market.budget_operator(0)
        paged(size)
        assert Counter(market.audit()) == whole


def trade(market: AuditedMarket, times: int) -> str:
    """Alice's one ask is sold to bob bit by bit, a commit each, between other orders; returns its id."""
    if not market.items("accounts"):
        market.deposit("alice", "copper", 10_000)
        market.deposit("bob", "money", "10000.00")
    body = {"material": "copper", "quantity": 900, "price": "2.00"}
    ask_id = str(market.send("POST", "/asks", body).body["id"])
    market.match()
    for number in range(times):
        assert market.send("POST", "/bids", body | {"quantity": 1}, player="bob").status < 300
        if number % 6 == 0:
            bid = market.send("POST", "/bids", body | {"quantity": 1, "price": "1.00"}, player="bob").body["id"]
            market.match()
            market.send("DELETE", f"/bids/{bid}", player="bob")
        market.match()
    return ask_id


def test_however_many_commits_wait_for_settlement() -> None:
    with opened() as market:
        ask_id = trade(market, 54)
        assert len(market.commits()) > 60
        market.budget_operator(0)
        market.lateness_ms = 0
        assert market.audit() == []
        market.budget_operator(BUDGET_MS)
        market.lateness_ms = 10**8
        assert {kind for kind, _ in market.audit()} == {"unsettled"}
        market.lateness_ms = 0
        ask = next(item for item in market.items("asks"))
        market.put("asks", {**ask, "remaining": ask["remaining"] + 1})  # pyright: ignore[reportOperatorIssue]
        line = next(i for i in market.items("accounts") if (i["player"], i["line"]) == ("bob", "material#copper"))
        market.put("accounts", {**line, "held_minor": line["held_minor"] + 1})  # pyright: ignore[reportOperatorIssue]
        found = market.audit()
        assert ("book", f"order {ask_id}") in found
        assert ("holds", "account bob copper") in found


def test_a_request_reads_no_more_of_a_market_that_is_older(paged: Callable[[int], None]) -> None:
    class Counting:
        """Counts the calls of a request."""

        def __init__(self, client: Any) -> None:
            self.client = client
            self.calls = 0

        def __getattr__(self, name: str) -> Any:
            self.calls += 1
            return getattr(self.client, name)

    paged(5)
    with opened() as market:
        counting: Any = Counting(market.client)
        market.budget_operator(0, counting)
        most: list[dict[str, int]] = []
        for _ in range(2):
            trade(market, 7)
            market.settle()
            trade(market, 4)
            market.lateness_ms = 10**8
            reads: dict[str, int] = {}
            for part in market.parts():
                counting.calls = 0
                for _page in market.pages(part):
                    reads[part["part"]] = max(reads.get(part["part"], 0), counting.calls)
                    counting.calls = 0
            most.append(reads)
        young, old = most
        assert all(old[part] <= young[part] + 3 for part in young), most
        assert max(old.values()) < 80, old
