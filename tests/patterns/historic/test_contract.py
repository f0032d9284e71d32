"""What a reader of a history relies on, whichever DynamoDB holds it, and whether it still does or the archive does."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from patterns.dynamodb.page_token import InvalidPageTokenError
from patterns.historic import (
    BeforeFirstVersionError,
    ImageOmittedError,
    ItemKeys,
    NothingToRestoreError,
    RestoreConflictError,
    UnknownItemError,
    UnknownVersionError,
    diff,
    restore,
    sign_and_delete,
    verify,
)
from tests.patterns.historic.world import KEYS, SIGNATURE, START_MS, TIERS, Source, World, account, stored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from patterns.historic import Version
    from tests.patterns.stores import Store

pytestmark = pytest.mark.parametrize("tier", TIERS, indirect=True)


def test_who_when_why_before_and_after(store: Store) -> None:
    world, key = World(store), account()
    opened = world.source.put(key, by="ann", why="opened", balance={"N": "5"})
    spent = world.source.put(key, by="shop", why="bought a sword", balance={"N": "2"})
    world.source.delete(key, {"type": "Service", "principalId": "dynamodb.amazonaws.com"})
    report = world.deliver()
    assert (report.recorded, report.repeated, report.unlinked, report.response()) == (
        3,
        0,
        0,
        {"batchItemFailures": []},
    )

    told = [
        (v.number, v.operation, v.actor, v.reason, v.at_ms - START_MS, v.before, v.after) for v in world.versions(key)
    ]
    assert told == [
        (1, "INSERT", "ann", "opened", 0, None, opened),
        (2, "MODIFY", "shop", "bought a sword", 1000, opened, spent),
        (3, "REMOVE", "dynamodb:time-to-live", "time to live", 2000, spent, None),
    ]
    assert [(d.path, d.before, d.after) for d in diff(opened, spent) if d.path == ("balance",)] == [
        (("balance",), {"N": "5"}, {"N": "2"})
    ]
    proof = verify(world.history, key, current=None)
    assert (proof.holds, proof.from_birth, proof.versions) == (True, True, 3)


def test_a_write_without_a_signature_is_not_put_down_to_the_writer_before(store: Store) -> None:
    world, key = World(store), account()
    signed = world.source.put(key, by="ann", balance={"N": "5"})
    unsigned = {name: value for name, value in signed.items() if name not in key} | {"balance": {"N": "6"}}
    world.source.put(key, by=None, why="", **unsigned)
    world.source.delete(key)
    world.deliver()
    assert [version.actor for version in world.versions(key)] == ["ann", None, None]


def test_every_type_of_value_comes_back_as_it_was(store: Store) -> None:
    world, key = World(store), account()
    image = world.source.put(
        key,
        exact={"N": "1234567890.0123456789"},
        raw={"B": b"\x00\xff"},
        tags={"SS": ["b", "a"]},
        numbers={"NS": ["3", "1"]},
        blobs={"BS": [b"b", b"\x00"]},
        nested={"M": {"SS": {"L": [{"NULL": True}, {"BOOL": False}, {"B": b"x"}]}}},
    )
    world.deliver()
    (version,) = world.versions(key)
    assert not diff(version.after, image)
    assert verify(world.history, key, current=image).holds


def test_a_page_and_a_span_read_no_more_than_they_show(store: Store) -> None:
    """A query without a limit reads a megabyte and is paid for it."""
    world, key = World(store), account()
    for number in range(300):
        world.source.put(key, balance={"N": str(number)})
    world.recorder().record(world.source.records)
    read: list[int] = []

    class Reading:
        def query(self, **request: Any) -> Any:
            answer = store.client.query(**request)
            read.append(answer["Count"])
            return answer

    client: Any = Reading()
    history = replace(world.history, client=client)
    for newest_first in (False, True):
        page = history.versions(key, limit=3, newest_first=newest_first)
        assert (len(page.versions), bool(page.next)) == (3, True)
    assert sum(read) <= 2 * (3 + 2)
    read.clear()
    assert len(history.between(key, START_MS + 9_000, START_MS + 12_000)) == 3
    assert sum(read) < 150


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_show_every_version_once_with_its_image_before(store: Store, limit: int, *, newest_first: bool) -> None:
    world, key = World(store), account()
    for balance in range(7):
        world.source.put(key, balance={"N": str(balance)})
        world.source.put(account(name="gold#x"), balance={"N": "0"})
    world.deliver()
    found: list[tuple[int, Any, Any]] = []
    token: str | None = None
    for _ in count():
        page = world.history.versions(key, newest_first=newest_first, limit=limit, token=token)
        assert len(page.versions) <= limit
        found += [
            (v.number, (v.before or {}).get("balance", {}).get("N"), (v.after or {})["balance"]["N"])
            for v in page.versions
        ]
        token = page.next
        if token is None:
            break
    expected = [(n, str(n - 2) if n > 1 else None, str(n - 1)) for n in range(1, 8)]
    assert found == (expected[::-1] if newest_first else expected)


def test_a_token_is_of_its_listing_only(store: Store) -> None:
    world = World(store)
    for key in (account(), account(name="silver")):
        for _ in range(3):
            world.source.put(key, by="ann")
    world.recorder().record(world.source.records)
    history = world.history
    token = history.versions(account(), limit=1).next
    actors = history.by_actor("ann", limit=1).next
    assert token
    assert actors
    for wrong in (
        lambda: history.versions(account(name="silver"), limit=1, token=token),
        lambda: history.versions(account(), limit=1, token=token, newest_first=True),
        lambda: history.versions(account(), limit=1, token=actors),
        lambda: history.by_actor("ann", token=token),
        lambda: history.by_actor("bob", token=actors),
    ):
        with pytest.raises(InvalidPageTokenError):
            wrong()


def test_as_of_every_millisecond_and_between_any_two(store: Store) -> None:
    """Against a list: every time around every version, every span."""
    world, key = World(store), account()
    times: list[int] = []
    for number in range(20):
        image = world.source.put(key, balance={"N": str(number)})
        world.source.put(account(name="silver"), balance=image["balance"])
        times.append(START_MS + 2000 * number)
    world.deliver()
    history = world.history
    with pytest.raises(BeforeFirstVersionError, match=f"no version at {START_MS - 1} ms"):
        history.as_of(key, START_MS - 1)
    moments = [time + shift for time in times for shift in (-1, 0, 1)][1:]
    for moment in moments:
        assert history.as_of(key, moment).number == sum(time <= moment for time in times)
    for low in moments[::9]:
        for high in moments[::7]:
            if low <= high:
                between = history.between(key, low, high)
                assert [v.number for v in between] == [n + 1 for n, time in enumerate(times) if low <= time < high]
                assert all((v.before or {}).get("balance") != (v.after or {})["balance"] for v in between)


def test_a_collection_and_a_whole_table_as_of_a_time(store: Store) -> None:
    world = World(store)
    source = world.source
    source.put(account("ann", "gold"), balance={"N": "1"})  # 0 s
    source.put(account("ann", "iron"), balance={"N": "2"})
    source.put(account("bob", "gold"), balance={"N": "3"})
    source.put(account("ann", "gold"), balance={"N": "4"})
    source.delete(account("ann", "iron"))  # 4 s
    source.put(account("ann", "zinc"), balance={"N": "7"})  # 5 s: behind the tombstone, in the table's order too
    world.deliver()
    other = World(store, Source(ItemKeys("wallets", "owner", "account")), world.table)
    other.source.put(account("ann", "gold"), balance={"N": "9"})
    other.deliver()

    def balances(versions: Iterable[Version]) -> list[tuple[str, str, str]]:
        return sorted((v.key["owner"]["S"], v.key["account"]["S"], (v.after or {})["balance"]["N"]) for v in versions)

    history = world.history
    assert balances(history.collection_as_of({"S": "ann"}, START_MS + 3500)) == [
        ("ann", "gold", "4"),
        ("ann", "iron", "2"),
    ]
    assert balances(history.collection_as_of({"S": "ann"}, START_MS + 4000)) == [("ann", "gold", "4")]
    assert balances(history.all_as_of(START_MS + 2500)) == [
        ("ann", "gold", "1"),
        ("ann", "iron", "2"),
        ("bob", "gold", "3"),
    ]
    assert balances(history.all_as_of(START_MS - 1)) == []
    after = [("ann", "gold", "4"), ("ann", "zinc", "7")]
    assert balances(history.collection_as_of({"S": "ann"}, START_MS + 5000)) == after
    assert balances(history.all_as_of(START_MS + 5000)) == [*after, ("bob", "gold", "3")]


def test_a_collection_holds_items_of_every_name(store: Store) -> None:
    names = ["\t", "\x01#", " ", "!", "-", "~", "é", "\U0010ffff", "\U0010ffff!"]
    world = World(store)
    for name in names:
        world.source.put(account("ann", name))
    world.deliver()
    then = world.source.now_ms
    found = {version.key["account"]["S"] for version in world.history.collection_as_of({"S": "ann"}, then)}
    assert found == set(names)


def test_by_actor_finds_all_that_somebody_wrote_newest_first(store: Store) -> None:
    world = World(store)
    for number in range(5):
        world.source.put(account(name=f"n{number % 2}"), by="ann" if number % 2 == 0 else "bob")
    world.recorder().record(world.source.records)
    first = world.history.by_actor("ann", limit=2)
    second = world.history.by_actor("ann", limit=2, token=first.next)
    assert [change.at_ms - START_MS for change in first.changes + second.changes] == [4000, 2000, 0]
    world.expire()
    assert [world.history.read(change).number for change in first.changes + second.changes] == [3, 2, 1]
    assert world.history.by_actor("carl").changes == ()


def test_restore_is_one_more_signed_write_under_the_condition_that_nothing_changed(store: Store) -> None:
    world, key = World(store), account()
    table = store.create_table("owner", "account")
    first = world.source.put(key, by="ann", balance={"N": "5"})
    second = world.source.put(key, by="eve", why="cheated", balance={"N": "999"})
    world.deliver()
    history = world.history
    wanted, latest = history.version(key, 1), history.latest(key)
    signature = SIGNATURE.sign("admin", "undo", "undo-1", START_MS + 9000)

    store.client.put_item(TableName=table, Item={**second, "balance": {"N": "998"}})
    with pytest.raises(RestoreConflictError, match="no longer as version 2 left it"):
        restore(store.client, table, KEYS, wanted=wanted, latest=latest, overlay=signature)

    store.client.put_item(TableName=table, Item=second)
    restored = restore(store.client, table, KEYS, wanted=wanted, latest=latest, overlay=signature)
    assert store.client.get_item(TableName=table, Key=key).get("Item") == restored == {**first, **signature}

    world.source.delete(key)
    world.deliver()
    store.client.delete_item(TableName=table, Key=key)
    tombstone = history.latest(key)
    restore(store.client, table, KEYS, wanted=wanted, latest=tombstone, overlay=signature)
    another = SIGNATURE.sign("admin", "undo", "undo-2", START_MS + 9000)
    with pytest.raises(RestoreConflictError):
        restore(store.client, table, KEYS, wanted=wanted, latest=tombstone, overlay=another)
    with pytest.raises(NothingToRestoreError, match="version 2 is the last one"):
        restore(store.client, table, KEYS, wanted=latest, latest=latest, overlay=signature)
    with pytest.raises(NothingToRestoreError, match="version 3 is a deletion"):
        restore(store.client, table, KEYS, wanted=tombstone, latest=tombstone, overlay=signature)


def test_a_signed_deletion_says_who(store: Store) -> None:
    world, key = World(store), account()
    table = store.create_table("owner", "account")
    item = world.source.put(key, by="ann", balance={"N": "5"})
    store.client.put_item(TableName=table, Item=item)
    sign_and_delete(
        store.client, table, key, SIGNATURE, actor="admin", reason="GDPR", change_id="d-1", at_ms=START_MS + 5
    )
    assert "Item" not in store.client.get_item(TableName=table, Key=key)
    world.source.put(
        key, balance={"N": "5"}, change_id_of_deletion={"S": "d-1"}, **SIGNATURE.sign("admin", "GDPR", "d-1", 7)
    )
    world.source.delete(key)
    world.deliver()
    assert [(v.operation, v.actor, v.reason) for v in world.versions(key)[1:]] == [
        ("MODIFY", "admin", "GDPR"),
        ("REMOVE", "admin", "GDPR"),
    ]


def test_an_item_that_is_older_than_its_history_starts_with_what_it_was(store: Store) -> None:
    world, key = World(store), account()
    before = world.source.put(key, balance={"N": "1"})
    after = world.source.put(key, balance={"N": "2"})
    report = world.deliver(world.source.records[1])
    assert report.unlinked == 0
    (version,) = world.versions(key)
    assert (version.number, version.before, version.after) == (1, before, after)
    proof = verify(world.history, key, current=after)
    assert (proof.holds, proof.from_birth) == (True, False)


def test_an_image_above_the_limit_keeps_author_and_digest_and_blocks_nobody(store: Store) -> None:
    world, key = World(store), account()
    large = world.source.put(key, by="ann", text={"S": "x" * 390_000})
    small = world.source.put(key, by="bob", text={"S": "y"})
    assert world.deliver().recorded == 2
    first, second = world.versions(key)
    assert (first.actor, second.actor, second.after) == ("ann", "bob", small)
    with pytest.raises(ImageOmittedError, match="version 1 was above the limit"):
        _ = first.after
    assert verify(world.history, key, current=small).holds
    assert not verify(world.history, key, current=large).holds


def test_what_is_not_there_is_said_so(store: Store) -> None:
    world, key = World(store), account()
    with pytest.raises(UnknownItemError, match="no version of accounts#ann gold"):
        world.history.as_of(key, START_MS)
    with pytest.raises(UnknownItemError):
        world.history.between(key, 0, START_MS)
    with pytest.raises(UnknownVersionError, match="has no version 4"):
        world.history.version(key, 4)
    assert world.history.versions(key).versions == ()
    proof = verify(world.history, key)
    assert (proof.holds, proof.versions, proof.anchor) == (True, 0, None)


def test_a_table_without_a_range_key(store: Store) -> None:
    keys = ItemKeys("games", "id")
    world = World(store, Source(keys))
    world.source.put({"id": {"S": "a"}}, score={"N": "1"})
    world.source.put({"id": {"S": "a"}}, score={"N": "2"})
    world.recorder().record(world.source.records)
    assert world.history.version({"id": {"S": "a"}}, 2).before == {
        "id": {"S": "a"},
        "score": {"N": "1"},
    }
    assert [item["version_key"]["S"] for item in stored(store, world.table)] == ["-#000000000001", "-#000000000002"]
