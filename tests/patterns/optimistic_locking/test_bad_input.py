"""Wrong input is refused with the value and the rule, before any call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from patterns.optimistic_locking import (
    Backoff,
    EnvironmentVariableError,
    InvalidBackoffError,
    InvalidItemError,
    InvalidKeyError,
    InvalidLeaseError,
    InvalidVersionError,
    Lease,
    LeaseTable,
    Versioned,
    VersionedTable,
    VersionedTableEnvironment,
    etag,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NO_CALLS = cast("Any", None)
TABLE = VersionedTable(NO_CALLS, "items", "id")
SORTED = VersionedTable(NO_CALLS, "items", "id", "at")
LEASES = LeaseTable(NO_CALLS, "leases", "id", lambda: 0)
KEY = {"id": "a"}


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: TABLE.replace(KEY, -1), InvalidVersionError, "version must be an integer of at least 0, got -1"),
        (lambda: TABLE.delete(KEY, True), InvalidVersionError, "at least 0, got True"),
        (lambda: TABLE.check_action(KEY, cast("Any", "1")), InvalidVersionError, "got '1'"),
        (lambda: TABLE.update_action(KEY, -5, {}), InvalidVersionError, "got -5"),
        (lambda: etag(KEY, -1), InvalidVersionError, "got -1"),
        (lambda: TABLE.get(cast("Any", "a")), InvalidKeyError, "key must be a mapping of id, got 'a'"),
        (lambda: TABLE.get({"di": "a"}), InvalidKeyError, "key must have the attribute 'id', got {'di': 'a'}"),
        (lambda: TABLE.get({"id": "a", "at": 1}), InvalidKeyError, "must have no attribute but id"),
        (lambda: SORTED.upsert(KEY, lambda _item: {}), InvalidKeyError, "must have the attribute 'at'"),
        (lambda: TABLE.get({"id": ""}), InvalidKeyError, "key attribute 'id' must have 1 to 2048 bytes, got ''"),
        (lambda: SORTED.get({"id": "a", "at": "ä" * 513}), InvalidKeyError, "must have 1 to 1024 bytes"),
        (lambda: TABLE.get({"id": None}), InvalidKeyError, "must be str, int or bytes, got None"),
        (lambda: TABLE.create({"gold": 1}), InvalidKeyError, "item must have the key attribute 'id'"),
        (lambda: TABLE.create(KEY | {"version": 3}), InvalidItemError, "'version' must be left to the table, got 3"),
        (lambda: TABLE.merge(KEY, {"write_id": "x"}), InvalidItemError, "'write_id' must be left to the table"),
        (
            lambda: TABLE.merge(KEY, {"id": "b"}),
            InvalidItemError,
            "must not be set: it is part of the key, got 'b'",
        ),
        (
            lambda: TABLE.update(KEY, lambda _item: {"id": "b"}, known=Versioned(dict(KEY), 1)),
            InvalidItemError,
            "item must keep its key {'id': 'a'}, got {'id': 'b'}",
        ),
        (
            lambda: TABLE.upsert(KEY, lambda item: item),
            InvalidItemError,
            "result of mutate must be an item where none is stored, got None",
        ),
        (lambda: LEASES.acquire(KEY, "me", 0), InvalidLeaseError, "lease_ms must be an integer of at least 1, got 0"),
        (lambda: LEASES.acquire(KEY, "me", cast("Any", 1.5)), InvalidLeaseError, "got 1.5"),
        (lambda: LEASES.renew(Lease(KEY, "me", 1, 1), -1), InvalidLeaseError, "got -1"),
        (lambda: LEASES.acquire(KEY, "", 1), InvalidLeaseError, "holder must be a name"),
        (lambda: LEASES.condition_check(KEY, 0), InvalidVersionError, "token must be an integer of at least 1, got 0"),
        (lambda: LEASES.acquire({}, "me", 1), InvalidKeyError, "must have the attribute 'id'"),
        (lambda: Backoff(attempts=0), InvalidBackoffError, "attempts must be at least 1, got 0"),
        (lambda: Backoff(first_wait_ms=-1), InvalidBackoffError, "must be 0 to longest_wait_ms = 2000, got -1"),
        (
            lambda: VersionedTableEnvironment.from_environ({"VERSIONED_TABLE_NAME": ""}),
            EnvironmentVariableError,
            "environment variable VERSIONED_TABLE_NAME must be set, got ''",
        ),
    ],
)
def test_wrong_input_is_named_with_its_rule(call: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert isinstance(caught.value, ValueError)
