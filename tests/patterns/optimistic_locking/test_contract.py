"""What a user of versioned items relies on, on every store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import (
    Backoff,
    ConflictError,
    MissingItemError,
    TransactionConflictError,
    Versioned,
    VersionedTable,
    conflict_metric,
)
from tests.faults import FaultyClient
from tests.patterns.optimistic_locking.accounts import ANN, BOB, accounts, earn, earn_or_start

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item
    from tests.patterns.stores import Store


def test_the_first_write_asserts_absence_and_is_version_1(store: Store) -> None:
    table = accounts(store)
    assert table.get(ANN) is None
    assert table.create(ANN | {"gold": 1}) == Versioned(ANN | {"gold": 1}, 1) == table.get(ANN)
    with pytest.raises(ConflictError) as conflict:
        table.create(ANN | {"gold": 2})
    assert (conflict.value.expected, conflict.value.current) == (None, Versioned(ANN | {"gold": 1}, 1))


@pytest.mark.parametrize("write", ["replace", "delete"])
def test_a_write_under_an_old_version_changes_nothing_and_carries_the_current_item(store: Store, write: str) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 1})
    newer = table.replace(ANN | {"gold": 2}, 1)
    assert newer.version == 2
    counting = FaultyClient(store.client)
    stale: VersionedTable = accounts(store, counting, table_name=table.table_name)
    with pytest.raises(ConflictError) as conflict:
        stale.delete(ANN, 1) if write == "delete" else stale.replace(ANN | {"gold": 9}, 1)
    assert conflict.value.current == newer == table.get(ANN)
    assert counting.calls.total() == 1


def test_a_deleted_item_is_nobodys_version(store: Store) -> None:
    table = accounts(store)
    table.delete(ANN, table.create(ANN).version)
    assert table.get(ANN) is None
    with pytest.raises(ConflictError) as conflict:
        table.replace(ANN, 1)
    assert conflict.value.current is None


def test_an_update_settles_a_collision_with_the_item_that_came_with_it(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    seen: list[ConflictError] = []
    counting = FaultyClient(store.client, {1: lambda: table.update(ANN, earn)})  # a rival, just before the put
    result = accounts(store, counting, table_name=table.table_name, on_conflict=seen.append).update(ANN, earn)
    assert result == Versioned(ANN | {"gold": 2}, 3) == table.get(ANN)
    assert counting.calls == {"get_item": 1, "put_item": 2}
    assert [(conflict.expected, conflict.current and conflict.current.version) for conflict in seen] == [(1, 2)]


def test_conflicts_are_a_metric_that_cloudwatch_reads_from_the_log(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    counting = accounts(
        store, store.client, table_name=table.table_name, on_conflict=conflict_metric(table.table_name, lambda: 7)
    )
    for write in (lambda: counting.create(ANN), lambda: counting.replace(ANN, 5), lambda: counting.delete(ANN, 5)):
        with pytest.raises(ConflictError):
            write()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    directive = {
        "Namespace": "Patterns/OptimisticLocking",
        "Dimensions": [["Table"]],
        "Metrics": [{"Name": "Conflicts", "Unit": "Count"}],
    }
    line = {
        "_aws": {"Timestamp": 7, "CloudWatchMetrics": [directive]},
        "Table": table.table_name,
        "Conflicts": 1,
        "key": "{'player': 'ann'}",
    }
    assert lines == [line] * 3


def test_an_update_of_a_known_item_does_not_read(store: Store) -> None:
    table = accounts(store)
    chest: Item = {"gold": 0}
    known = table.create({**ANN, "chest": chest})

    def fill(account: Item) -> Item:
        account["chest"] = cast("Item", account["chest"])
        account["chest"]["gold"] = 1
        return account

    counting = FaultyClient(store.client)
    assert accounts(store, counting, table_name=table.table_name).update(ANN, fill, known=known).version == 2
    assert counting.calls == {"put_item": 1}
    assert known.item == {**ANN, "chest": {"gold": 0}}, "what the caller holds stays as it was"


def test_in_a_crowd_a_retry_reads_again_and_the_waits_grow_with_the_rivals(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})

    def three_rivals() -> None:
        for _ in range(3):
            table.update(ANN, earn)

    waits: list[float] = []
    counting = FaultyClient(store.client, {1: three_rivals, 3: three_rivals})
    crowded = accounts(
        store,
        counting,
        table_name=table.table_name,
        sleep=waits.append,
        backoff=Backoff(attempts=5, first_wait_ms=100, longest_wait_ms=2000),
    )
    assert crowded.update(ANN, earn).item == ANN | {"gold": 7}
    assert counting.calls == {"get_item": 3, "put_item": 3}
    # random() is 0.5: half of 100 ms × conflicts so far × writes of others since the update began
    assert waits == pytest.approx([0.5 * 0.1 * 1 * 3, 0.5 * 0.1 * 2 * 6])  # pyright: ignore[reportUnknownMemberType]


def test_an_update_gives_up_after_its_attempts_with_the_last_conflict(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    rivals = dict.fromkeys(range(100), lambda: table.update(ANN, earn))
    client = FaultyClient(store.client, rivals)
    with pytest.raises(ConflictError) as conflict:
        accounts(store, client, table_name=table.table_name).update(ANN, earn)
    assert client.calls["put_item"] == 5
    stored = table.get(ANN)
    assert stored is not None
    assert conflict.value.current == stored
    assert read_int(stored.item, "gold") == client.calls.total(), "only the rivals wrote"


def test_an_update_needs_an_item_and_may_leave_it_alone(store: Store) -> None:
    table = accounts(store)
    with pytest.raises(MissingItemError, match="'ann'"):
        table.update(ANN, earn)
    created = table.create(ANN | {"gold": 0})
    assert table.update(ANN, lambda _account: None) == created == table.get(ANN)


def test_an_upsert_writes_without_a_prior_read(store: Store) -> None:
    counting = FaultyClient(store.client)
    seen: list[ConflictError] = []
    table = accounts(store, counting, table_name=store.create_table("player"), on_conflict=seen.append)
    assert table.upsert(ANN, earn_or_start) == Versioned(ANN | {"gold": 1}, 1)
    assert counting.calls == {"put_item": 1}
    assert table.upsert(ANN, earn_or_start) == Versioned(ANN | {"gold": 2}, 2)
    assert counting.calls == {"put_item": 3}, "the stored item came with the refusal"
    assert seen == []


def test_a_merge_always_takes_place_and_is_noticed_by_others(store: Store) -> None:
    table = accounts(store)
    assert table.merge(ANN, {"name": "Ann"}) == Versioned(ANN | {"name": "Ann"}, 1)
    assert table.merge(ANN, {"title": "Dame"}) == Versioned(ANN | {"name": "Ann", "title": "Dame"}, 2)
    with pytest.raises(ConflictError):
        table.replace(ANN, 1)


def test_items_from_before_the_versioning_are_version_0(store: Store) -> None:
    table = accounts(store)
    store.client.put_item(TableName=table.table_name, Item={"player": {"S": "ann"}, "gold": {"N": "4"}})
    assert table.get(ANN) == Versioned(ANN | {"gold": 4}, 0)
    with pytest.raises(ConflictError):
        table.create(ANN)
    assert table.update(ANN, earn) == Versioned(ANN | {"gold": 5}, 1)
    with pytest.raises(ConflictError):
        table.replace(ANN, 0)


def test_a_table_with_a_sort_key_works_as_well(store: Store) -> None:
    name = store.create_table("player", "slot", range_key_type="N")
    table = VersionedTable(store.client, name, "player", "slot")
    key = {"player": "ann", "slot": 3}
    table.create(key | {"item": "axe"})
    assert table.update(key, lambda item: item | {"worn": True}).version == 2
    assert table.get({"player": "ann", "slot": 4}) is None


def test_a_transaction_writes_all_under_their_versions_or_nothing(store: Store) -> None:
    table = accounts(store)
    ann, bob = table.create(ANN | {"gold": 5}), table.create(BOB | {"gold": 0})
    table.transact(
        [
            table.update_action(ANN, ann.version, {"gold": 3}),
            table.replace_action(BOB | {"gold": 2}, bob.version),
            table.create_action({"player": "cid", "gold": 0}),
        ]
    )
    assert table.get(ANN) == Versioned(ANN | {"gold": 3}, 2)
    assert table.get(BOB) == Versioned(BOB | {"gold": 2}, 2)
    with pytest.raises(TransactionConflictError) as refusal:
        table.transact(
            [
                table.delete_action({"player": "cid"}, 1),
                table.check_action(ANN, 1),
                table.create_action(BOB),
            ]
        )
    assert refusal.value.failed == (1, 2)
    assert refusal.value.current == {1: table.get(ANN), 2: table.get(BOB)}
    assert table.get({"player": "cid"}) is not None
    table.transact([table.delete_action({"player": "cid"}, 1), table.check_action(ANN, 2)])
    assert table.get({"player": "cid"}) is None


def test_values_of_every_kind_survive(store: Store) -> None:
    table = accounts(store)
    content: Item = {"list": [1, "two", {"three": None}], "flag": True, "raw": b"\x00", "big": 10**30}
    table.create(ANN | content)
    stored = table.update(ANN, lambda account: account | {"more": []})
    assert stored == table.get(ANN) == Versioned(ANN | content | {"more": []}, 2)
