"""Conditional HTTP requests: 200, 304, 400, 412, 428, each with what the client needs next."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

from patterns.optimistic_locking import (
    IfMatch,
    Refused,
    Versioned,
    Written,
    conditional_requests,
    etag,
    not_modified,
    read_if_match,
    write_if_match,
)
from tests.faults import FaultyClient
from tests.patterns.optimistic_locking.accounts import ANN, BOB, accounts, earn

if TYPE_CHECKING:
    from tests.patterns.stores import Store

TAG = etag(ANN, 1)


def test_the_documented_example_holds() -> None:
    results = doctest.testmod(conditional_requests)
    assert (results.failed, results.attempted) == (0, 1)


def test_a_tag_is_strong_quoted_and_one_per_key_and_version() -> None:
    assert TAG[0] == TAG[-1] == '"'
    assert etag({"id": "a", "at": 1}, 1) == etag({"at": 1, "id": "a"}, 1)
    assert len({etag(ANN, 1), etag(ANN, 2), etag(BOB, 1), etag({"player": b"ann"}, 1)}) == 4


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 428),
        ("", 400),
        ("1", 400),
        (TAG[:-1], 400),
        (f"{TAG}, *", 400),
        (f"W/{TAG}", 412),
        (etag(BOB, 1), 412),
        ('"1-0000000000000000"', 412),
        ('"another-server"', 412),
        ('"no spaces"', 400),
        (",", 400),
        (f"{TAG} {TAG}", 400),
        (f", {TAG},, {etag(ANN, 3)} ,", {1, 3}),
        (TAG, {1}),
        (f' "x" ,{etag(ANN, 3)},W/{etag(ANN, 4)}, {TAG} ', {1, 3}),
        ("*", None),
        (" * ", None),
    ],
)
def test_a_header_is_read_without_a_call(header: str | None, expected: int | set[int] | None) -> None:
    found = read_if_match(header, ANN)
    if isinstance(expected, int):
        assert isinstance(found, Refused)
        assert (found.status, bool(found.rule)) == (expected, True)
    else:
        assert found == IfMatch(None if expected is None else frozenset(expected))


def test_a_matching_request_writes_and_a_stale_one_learns_what_is_stored(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    written = write_if_match(table, ANN, TAG, earn)
    assert written == Written(Versioned(ANN | {"gold": 1}, 2), etag(ANN, 2), 200)
    stale = write_if_match(table, ANN, TAG, earn)
    assert isinstance(stale, Refused)
    assert (stale.status, stale.etag, stale.current) == (412, etag(ANN, 2), table.get(ANN))


def test_a_race_lost_between_read_and_write_is_412(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    racing = FaultyClient(store.client, {1: lambda: table.update(ANN, earn)})
    lost = write_if_match(accounts(store, racing, table_name=table.table_name), ANN, TAG, earn)
    assert isinstance(lost, Refused)
    assert (lost.status, lost.etag) == (412, etag(ANN, 2))
    assert racing.calls == {"get_item": 1, "put_item": 1}


def test_a_star_matches_any_version_of_an_item_that_exists(store: Store) -> None:
    table = accounts(store)
    assert write_if_match(table, ANN, "*", earn) == Refused(412, "the item does not exist")
    assert write_if_match(table, ANN, TAG, earn) == Refused(412, "the item does not exist")
    table.create(ANN | {"gold": 0})
    racing = FaultyClient(store.client, {1: lambda: table.update(ANN, earn)})
    written = write_if_match(accounts(store, racing, table_name=table.table_name), ANN, "*", earn)
    assert isinstance(written, Written)
    assert written.stored.item == ANN | {"gold": 2}


@pytest.mark.parametrize(
    ("header", "answer"),
    [(None, False), (TAG, True), (f"W/{TAG}", True), (etag(ANN, 2), False), ("*", True), ("nonsense", False)],
)
def test_a_get_of_an_unchanged_item_is_304(header: str | None, answer: bool) -> None:
    assert not_modified(header, ANN, 1) is answer
