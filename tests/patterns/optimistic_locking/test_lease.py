"""At most one holder; and whoever comes late, however late, writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from patterns.optimistic_locking import (
    ConflictError,
    Lease,
    LeaseHeldError,
    LeaseLostError,
    LeaseTable,
    TransactionConflictError,
    VersionedTable,
)
from tests.faults import Crash, FaultyClient

if TYPE_CHECKING:
    from tests.patterns.stores import Store

GATE = {"id": "lease/gate"}


class Clock:
    """Stands still until set."""

    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(store: Store, clock: Clock) -> LeaseTable:
    return LeaseTable(store.client, store.create_table("id"), "id", clock)


def _write(leases: LeaseTable, token: int) -> None:
    items = VersionedTable(leases.client, leases.table_name, leases.partition_key)
    items.transact([items.create_action({"id": f"written-{token}"}), leases.condition_check(GATE, token)])


def test_a_lease_has_one_holder_until_its_stored_deadline(leases: LeaseTable, clock: Clock) -> None:
    lease = leases.acquire(GATE, "ann", 500)
    assert lease == Lease(GATE, "ann", 1, 1_000_500)
    clock.now_ms += 499
    for rival in ("bob", "ann"):
        with pytest.raises(LeaseHeldError) as held:
            leases.acquire(GATE, rival, 500)
        assert (held.value.holder, held.value.token, held.value.expires_at_ms) == ("ann", 1, 1_000_500)
    clock.now_ms += 1
    assert leases.acquire(GATE, "bob", 500).token == 2


def test_renewing_keeps_the_token_and_moves_the_deadline(leases: LeaseTable, clock: Clock) -> None:
    lease = leases.acquire(GATE, "ann", 500)
    clock.now_ms += 400
    assert leases.renew(lease, 500) == replace(lease, expires_at_ms=1_000_900)
    clock.now_ms += 200
    with pytest.raises(LeaseHeldError):
        leases.acquire(GATE, "bob", 500)
    clock.now_ms += 300
    with pytest.raises(LeaseLostError, match="token 1"):
        leases.renew(lease, 500)


def test_the_token_survives_release(leases: LeaseTable) -> None:
    for token in (1, 2, 3):
        lease = leases.acquire(GATE, "ann", 500)
        assert lease.token == token
        leases.release(lease)
        leases.release(lease)  # once more does no harm
        with pytest.raises(LeaseLostError):
            leases.renew(lease, 500)


def test_a_late_release_does_not_take_the_lease_from_its_next_holder(leases: LeaseTable, clock: Clock) -> None:
    late = leases.acquire(GATE, "ann", 500)
    clock.now_ms += 500
    leases.acquire(GATE, "bob", 500)
    leases.release(late)
    with pytest.raises(LeaseHeldError):
        leases.acquire(GATE, "cid", 500)


def test_a_holder_writes_and_a_zombie_does_not(leases: LeaseTable, clock: Clock) -> None:
    zombie = leases.acquire(GATE, "ann", 500)
    _write(leases, zombie.token)
    # The zombie's clock stands still: it does not know that its time is over.
    frozen = replace(leases, clock=lambda: 1_000_000)
    clock.now_ms += 500
    successor = leases.acquire(GATE, "bob", 500)
    with pytest.raises(TransactionConflictError) as refusal:
        _write(frozen, zombie.token)
    assert refusal.value.failed == (0, 1)
    _write(leases, successor.token)
    leases.release(successor)
    with pytest.raises(TransactionConflictError):
        _write(leases, successor.token)


def test_a_lost_lease_is_no_conflict_of_versions(leases: LeaseTable) -> None:
    conflicts: list[ConflictError] = []
    items = VersionedTable(leases.client, leases.table_name, leases.partition_key, on_conflict=conflicts.append)
    items.create({"id": "stored"})
    lease = leases.acquire(GATE, "ann", 500)
    leases.release(lease)
    with pytest.raises(TransactionConflictError) as refusal:
        items.transact(
            [
                leases.condition_check(GATE, lease.token),
                items.create_action({"id": "stored"}),
                items.check_action({"id": "none"}, 0),
            ]
        )
    assert refusal.value.failed == (0, 1, 2)
    assert [dict(conflict.key) for conflict in conflicts] == [{"id": "stored"}, {"id": "none"}]


def test_a_lease_is_checked_in_a_transaction_of_the_callers_own(leases: LeaseTable, clock: Clock) -> None:
    lease = leases.acquire(GATE, "ann", 500)
    put: Any = {"Put": {"TableName": leases.table_name, "Item": {"id": {"S": "own"}}}}
    leases.client.transact_write_items(TransactItems=[put, leases.condition_check(GATE, lease.token)])
    clock.now_ms += 500
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        leases.client.transact_write_items(TransactItems=[put, leases.condition_check(GATE, lease.token)])


def test_an_expired_holder_does_not_write_even_before_the_takeover(leases: LeaseTable, clock: Clock) -> None:
    lease = leases.acquire(GATE, "ann", 500)
    clock.now_ms += 500
    with pytest.raises(TransactionConflictError):
        _write(leases, lease.token)


TROUBLE = {"crash before": 1, "throttle": 1, "crash after": 2, "lost answer": 2}
"""Trouble of an acquisition → the next one's token."""
FAILURES = (Crash, ClientError, ReadTimeoutError)


@pytest.mark.parametrize(("trouble", "token"), TROUBLE.items())
def test_an_acquisition_nobody_knows_of_blocks_no_longer_than_its_lease(
    leases: LeaseTable, clock: Clock, trouble: str, token: int
) -> None:
    client: Any = FaultyClient(leases.client, {0: trouble})
    with pytest.raises(FAILURES):
        replace(leases, client=client).acquire(GATE, "ann", 500)
    clock.now_ms += 500
    assert leases.acquire(GATE, "ann", 500).token == token


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_renewal_and_a_release_that_failed_can_be_made_again(leases: LeaseTable, trouble: str) -> None:
    lease = leases.acquire(GATE, "ann", 500)

    def troubled() -> LeaseTable:
        client: Any = FaultyClient(leases.client, {0: trouble})
        return replace(leases, client=client)

    with pytest.raises(FAILURES):
        troubled().renew(lease, 900)
    assert leases.renew(lease, 900) == replace(lease, expires_at_ms=1_000_900)
    with pytest.raises(LeaseHeldError):
        leases.acquire(GATE, "bob", 500)
    with pytest.raises(FAILURES):
        troubled().release(lease)
    leases.release(lease)
    assert leases.acquire(GATE, "bob", 500).token == 2


def test_a_claim_that_botocore_repeats_recognizes_itself(leases: LeaseTable) -> None:
    again = replace(leases, new_claim_id=lambda: "one claim")
    assert again.acquire(GATE, "ann", 500) == again.acquire(GATE, "ann", 500)
