"""What a fill costs in calls and write units, by DynamoDB's own rule for transactions."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from tests.matching.market_on_moto import KEYS, TABLES, express

if TYPE_CHECKING:
    from tests.matching.market_on_moto import MarketOnMoto


def item_bytes(value: Any) -> int:
    """Size of an item in DynamoDB's attribute form.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    total = 0
    for name, attribute in value.items():
        total += len(name.encode()) + attribute_bytes(attribute)
    return total


def attribute_bytes(attribute: dict[str, Any]) -> int:
    ((kind, content),) = attribute.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return ceil(len(content) / 2) + 1
        case "L":
            return 3 + sum(1 + attribute_bytes(member) for member in content)
        case "M":
            return 3 + len(content) + item_bytes(content)
        case _:
            return 1


@pytest.mark.parametrize(("bids", "asks", "most_calls"), [(90, 10, 0.08), (200, 20, 0.05)])
def test_a_fill_costs_at_most(market: MarketOnMoto, bids: int, asks: int, most_calls: float) -> None:
    def player(number: int) -> str:
        return f"{number:08x}-8694-439b-aea5-966c26f8ad91"

    for number in range(asks):
        market.store_ask(100 + number, bids // asks, seller=player(number))
    for number in range(bids):
        market.store_bid(1000, 1, buyer=player(1000 + number))
    items: dict[str, int] = {}

    def note_sizes() -> None:
        for table, keys in KEYS.items():
            for page in market.client.get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    key = f"{table}{[item[name] for name, _ in keys]}"
                    items[key] = max(items.get(key, 0), item_bytes(item))

    note_sizes()
    written = 0
    transact = market.client.transact_write_items

    def counting(**arguments: Any) -> Any:
        nonlocal written
        answer = transact(**arguments)
        note_sizes()
        for action in arguments["TransactItems"]:
            ((_, body),) = action.items()
            keys = KEYS[body["TableName"]]
            source = body.get("Item") or body["Key"]
            size = items[f"{body['TableName']}{[source[name] for name, _ in keys]}"]
            written += 2 * ceil(size / 1024)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(market.client, "transact_write_items", counting)
        report = market.deliver(market.records)
    assert report.fills == bids
    assert market.calls.total() <= most_calls * bids
    assert written <= 2.7 * bids


def test_looking_costs_the_same_however_much_was_sold(market: MarketOnMoto) -> None:
    costs: list[int] = []
    for _ in range(3):
        market.calls.clear()
        market.store_ask(100, 1)
        market.store_bid(100, 1)
        market.deliver(market.records[-2:])
        costs.append(market.calls.total())
        assert market.items("asks") == []
    assert costs == [4, 4, 4]


def test_the_hops_of_a_traced_order_cost_no_unit(market: MarketOnMoto) -> None:
    """A unit is for each KB: an order that says all it can, and comes by all hops, has one."""
    player = "0190163d-8694-739b-aea5-966c26f8ad91"
    order: dict[str, Any] = {
        "client_order_id": "c" * 64,
        "time_in_force": "GTD",
        "post_only": True,
        "expires_at_ms": 10**15 - 1,
        "fee_bps": 100,
        "hold": 10**24,
        "trace_id": "f" * 32,
        "received_at_ms": market.clock(),
    }
    market.store_bid(100, 10**12, material="m" * 32, buyer=player, **order)
    market.deliver([express(market.records[0], put_at_ms=market.clock())])
    (stored,) = market.client.scan(TableName=TABLES.bids)["Items"]
    assert len(stored["hops"].get("M", {})) == 4
    assert item_bytes(stored) <= 1024


def test_a_warm_matcher_reads_both_sides_and_nothing_else_before_it_commits(market: MarketOnMoto) -> None:
    market.heads = {}
    calls: list[dict[str, int]] = []
    for _ in range(4):
        market.store_ask(100, 2)
        market.store_bid(100, 2)
        market.calls.clear()
        market.deliver(market.records[-2:])
        calls.append(dict(market.calls))
    assert calls == [{"query": reads, "transact_write_items": 1} for reads in (3, 3, 2, 2)]
