"""Whatever is done to a history afterwards, `verify` says what and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from patterns.historic import verify
from patterns.historic.version import hash_of
from tests.patterns.historic.world import World, account, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.patterns.stores import Store

Items = list[dict[str, Any]]


def change_balance(items: Items) -> None:
    items[2]["after"]["M"]["balance"] = {"N": "999"}


def change_balance_and_hash(items: Items) -> None:
    change_balance(items)
    items[2]["hash"] = {"B": hash_of(items[2])}


def change_actor(items: Items) -> None:
    items[1]["actor"] = {"S": "bob"}


def change_time(items: Items) -> None:
    items[3]["at_ms"] = {"N": "1"}


def add_attribute(items: Items) -> None:
    items[0]["note"] = {"S": "nothing happened"}


def delete_one(items: Items) -> None:
    del items[2]


def delete_first(items: Items) -> None:
    del items[:2]


def delete_last(items: Items) -> None:
    items.pop()


def swap_two(items: Items) -> None:
    items[1]["version_key"], items[2]["version_key"] = items[2]["version_key"], items[1]["version_key"]
    for item in items[1:3]:
        item["hash"] = {"B": hash_of(item)}


def compute_all_anew(items: Items) -> None:
    change_balance(items)
    previous: bytes | None = None
    for item in items:
        if previous is not None:
            item["previous"] = {"B": previous}
        previous = hash_of(item)
        item["hash"] = {"B": previous}


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (change_balance, {("3", "altered")}),
        (change_balance_and_hash, {("4", "altered")}),
        (change_actor, {("2", "altered")}),
        (change_time, {("4", "altered")}),
        (add_attribute, {("1", "altered")}),
        (delete_one, {("4", "missing")}),
        (delete_first, {("3", "missing")}),
        (delete_last, {("5", "missing"), ("4", "behind")}),
        (swap_two, {("2", "altered"), ("3", "altered"), ("4", "altered"), ("3", "reordered")}),
        (compute_all_anew, {("5", "altered")}),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_tampering_shows(store: Store, tamper: Callable[[Items], None], found: set[tuple[str, str]]) -> None:
    world, key = World(store), account()
    for balance in range(5):
        world.source.put(key, by="ann", balance={"N": str(balance)})
    world.deliver()
    current = world.source.items[str(key)]
    untouched = verify(world.history, key, current=current)
    assert untouched.holds

    items = stored(store, world.table)
    for item in items:
        place = {name: item[name] for name in ("collection", "version_key")}
        store.client.delete_item(TableName=world.table, Key=place)
    tamper(items)
    for item in items:
        store.client.put_item(TableName=world.table, Item=item)

    proof = verify(world.history, key, anchor=untouched.anchor, current=current)
    assert {(finding.label, finding.problem) for finding in proof.findings} == found


def test_a_lost_first_and_a_lost_last_record_show(store: Store) -> None:
    world, key = World(store), account()
    for balance in range(3):
        world.source.put(key, balance={"N": str(balance)})
    world.deliver(*world.source.records[:2])
    proof = verify(world.history, key, current=world.source.items[str(key)])
    assert [(finding.label, finding.problem) for finding in proof.gaps] == [("2", "behind")]

    other = World(store)
    other.source.put(key, balance={"N": "0"})
    other.source.delete(key)
    other.source.put(key, balance={"N": "1"})
    other.deliver(other.source.records[0], other.source.records[2])
    assert [(finding.label, finding.problem) for finding in verify(other.history, key).findings] == [("2", "gap")]
