"""However a proof is cut into pages, it finds what it finds in one go, in one tier and in two."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patterns.dynamodb.page_token import InvalidPageTokenError, encode_page_token
from patterns.historic import Anchor, Archive, InvalidVersionError, Proof, verify, verify_page
from patterns.historic.version import hash_of, read_version, version_key
from tests.patterns.historic.conftest import archive_on
from tests.patterns.historic.world import TIERS, Source, TieredStore, World, account, stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from patterns.historic.proof import ProofPage
    from tests.patterns.stores import Store

MOST = 9

_tampering = st.lists(
    st.tuples(
        st.sampled_from(("delete", "delete from table", "delete from archive", "alter", "swap", "far")),
        st.integers(1, MOST),
    ),
    max_size=3,
)


def tamper(world: World, how: str, number: int) -> None:
    """Change what is stored of a version, wherever it is."""
    rows = {row["version_key"]["S"]: row for row in stored(world.store, world.table)}
    place = version_key("gold", number)
    archived = world.archive and world.archive.read("accounts#ann", place)
    row = rows.get(place) or (archived and archived.stored)
    if row is None:
        return
    if how in ("delete", "delete from table"):
        remove_row(world, place)
    if how in ("delete", "delete from archive"):
        remove_object(world.archive, place)
    other = version_key("gold", number + 1) if how == "swap" else version_key("gold", 10**9 + number)
    if how == "alter":
        replace(world, {**row, "reason": {"S": "mended"}})
    elif how in ("swap", "far"):
        moved = {**row, "version_key": {"S": other}}
        replace(world, {**moved, "hash": {"B": hash_of(moved)}})


def remove_row(world: World, place: str) -> None:
    key = {"collection": {"S": "accounts#ann"}, "version_key": {"S": place}}
    world.store.client.delete_item(TableName=world.table, Key=key)


def remove_object(archive: Archive | None, place: str) -> None:
    if archive is not None and archive.read("accounts#ann", place) is not None:
        _, _, number = place.partition("#")
        client: Any = archive.client
        name = f"versions/accounts/ann/gold/{10**12 - 1 - int(number):012d}"
        client.delete_object(Bucket=archive.bucket, Key=name)


def replace(world: World, row: dict[str, Any]) -> None:
    """In the archive, where the bucket's policy does not watch; and in the table, if it is there."""
    place = row["version_key"]["S"]
    if world.archive is not None:
        remove_object(world.archive, place)
        world.archive.put(row)
    if any(found["version_key"]["S"] == place for found in stored(world.store, world.table)) or world.archive is None:
        world.store.client.put_item(TableName=world.table, Item=row)


def in_pages(world: World, limits: Iterable[int], **asked: Any) -> tuple[Proof, int]:
    """Prove page by page; returns the whole proof, and the number of pages."""
    findings: list[Any] = []
    token: str | None = None
    for pages, limit in enumerate(limits, 1):
        page = verify_page(world.history, account(), token=token, limit=limit, **asked)
        findings += page.so_far.findings
        token = page.token
        if page.is_last:
            so_far = page.so_far
            return Proof(so_far.versions, so_far.from_birth, so_far.anchor, tuple(findings)), pages
    raise AssertionError("the proof does not end")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_cut_finds_the_same(store: Store, data: st.DataObject) -> None:
    tier = data.draw(st.sampled_from(TIERS))
    world = World(store if tier == "table" else TieredStore(store.name, store.client, archive_on(store), tier))
    versions = data.draw(st.integers(0, MOST))
    for number in range(versions):
        world.source.put(account(), by="ann", balance={"N": str(number)})
    lost = data.draw(st.sets(st.integers(0, max(versions - 1, 0)), max_size=2)) if versions else set[int]()
    arriving = [record for n, record in enumerate(world.source.records) if n not in lost]
    if arriving:
        world.deliver(*arriving)
    late = [world.source.records[n] for n in sorted(lost) if data.draw(st.booleans())]
    if late:
        world.deliver(*late)
    anchor = verify(world.history, account()).anchor
    for how, number in data.draw(_tampering):
        tamper(world, how, number)
    asked: dict[str, Any] = {
        "anchor": data.draw(st.sampled_from((None, anchor))),
        "current": world.source.items.get(str(account())),
    }
    whole, _ = in_pages(world, [1000, 1000, 1000], **asked)
    assert verify(world.history, account(), **asked) == whole
    limits = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    cut, pages = in_pages(world, cycle(limits), **asked)
    assert cut == whole
    assert pages <= 3 * (whole.versions + 2), "a hole takes no page for each number"


@pytest.mark.parametrize("tier", TIERS, indirect=True)
def test_what_is_wrong_at_the_border_of_two_pages_is_found(store: Store) -> None:
    for missing in range(2, 6):
        for limit in range(1, 6):
            world = World(store)
            for number in range(6):
                world.source.put(account(), by="ann", balance={"N": str(number)})
            world.deliver()
            tamper(world, "delete", missing)
            proof, _ = in_pages(world, cycle([limit]))
            assert [(f.label, f.problem) for f in proof.findings] == [(str(missing + 1), "missing")]
        if store.name == "emulator":
            return  # the rest is arithmetic


@pytest.mark.parametrize("tier", TIERS, indirect=True)
def test_an_item_that_never_stands_still_is_not_behind(store: Store) -> None:
    """Its end is proven on and on: what is read of the item behind the end must be in what comes through the stream."""
    world, key = World(store), account()

    def written(balance: int) -> dict[str, Any]:
        return world.source.put(key, by="ann", balance={"N": str(balance)})

    def prove(token: str | None, current: dict[str, Any]) -> ProofPage:
        return verify_page(world.history, key, token=token, current=current)

    first, second = written(1), written(2)
    world.deliver(world.source.records[0])
    end = prove(None, first)
    assert (end.is_last, end.so_far.findings) == (True, ())
    behind = prove(end.token, second)
    assert [(f.label, f.problem) for f in behind.so_far.findings] == [("1", "behind")]
    written(3)
    written(4)
    world.deliver(*world.source.records[1:])
    caught_up = prove(behind.token, second)
    assert (caught_up.so_far.findings, caught_up.so_far.versions) == ((), 4)
    # What it was before the end was reached, it may not be again.
    rolled_back = prove(caught_up.token, second)
    assert [f.problem for f in rolled_back.so_far.findings] == ["behind"]
    assert [f.problem for f in prove(None, second).so_far.findings] == ["behind"]


def test_a_token_is_good_for_its_item_and_its_anchor_only(store: Store) -> None:
    world, anchor = World(store), Anchor(1, b"1")
    for key in (account(), account(name="silver")):
        world.source.put(key, by="ann", balance={"N": "1"})
    world.deliver()
    history = world.history
    token = verify_page(history, account()).token
    scope = ("historic.verify", world.table, "accounts#ann", "gold", "", "")
    refused: tuple[dict[str, Any], ...] = (
        {"key": account(name="silver"), "token": token},
        {"key": account(), "token": token, "anchor": anchor},
        {"key": account(), "token": f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"},
        {"key": account(), "token": history.versions(account(), limit=1).next or "of a listing"},
        *({"key": account(), "token": encode_page_token(text, scope)} for text in ("", "[]", "[1,2]", '["a",0,0,0]')),
    )
    for asked in refused:
        with pytest.raises(InvalidPageTokenError):
            verify_page(history, **asked)
    for limit in (0, 1001, True):
        with pytest.raises(InvalidVersionError, match="limit must be"):
            verify_page(history, account(), limit=limit)


def test_an_insertion_whose_earlier_life_was_recovered_later_is_whole(store: Store) -> None:
    """Inserted and deleted, both recorded only after the insertion that followed."""
    world = World(store, Source())
    world.source.put(account(), by="ann", balance={"N": "1"})
    world.source.delete(account())
    world.source.put(account(), by="ann", balance={"N": "2"})
    world.deliver(world.source.records[2])
    assert world.deliver(*world.source.records[:2]).recovered == 2
    proof = verify(world.history, account(), current=world.source.items[str(account())])
    assert (proof.versions, proof.from_birth, proof.findings) == (3, True, ())
    assert [read_version(row).label[0] for row in stored(store, world.table)] == ["0", "0", "1"]
