"""No crash, lost answer, throttle or collision loses an update, repeats one, or goes unnoticed."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from patterns.dynamodb.items import read_int
from patterns.optimistic_locking import (
    Backoff,
    ConflictError,
    OutcomeUnknownError,
    TransactionConflictError,
    Versioned,
)
from tests.faults import Crash, FaultyClient
from tests.patterns.optimistic_locking.accounts import ANN, BOB, accounts, earn, earn_or_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.dynamodb.items import Item
    from tests.patterns.stores import Store


@pytest.mark.parametrize("trouble", ["lost answer", "throttle", "conflict"])
def test_trouble_at_any_call_changes_the_item_exactly_once(store: Store, trouble: str) -> None:
    table = accounts(store)
    gold = table.create(ANN | {"gold": 0}).version - 1
    for at in range(3):
        for write in ("update", "upsert"):
            troubled = accounts(store, FaultyClient(store.client, {at: trouble}), table_name=table.table_name)
            gold += 1
            result = troubled.update(ANN, earn) if write == "update" else troubled.upsert(ANN, earn_or_start)
            assert result == Versioned(ANN | {"gold": gold}, gold + 1) == table.get(ANN)


@pytest.mark.parametrize("when", ["crash before", "crash after"])
@pytest.mark.parametrize("at", range(2))
def test_a_message_that_leaves_its_mark_is_applied_once_whenever_its_handler_dies(
    store: Store, at: int, when: str
) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})

    def apply(account: Item) -> Item | None:
        return None if account.get("last_message") == "m-1" else earn(account) | {"last_message": "m-1"}

    with pytest.raises(Crash):
        accounts(store, FaultyClient(store.client, {at: when}), table_name=table.table_name).update(ANN, apply)
    for _delivery in range(2):
        table.update(ANN, apply)
    assert table.get(ANN) == Versioned(ANN | {"gold": 1, "last_message": "m-1"}, 2)


def test_a_rivals_identical_write_is_not_taken_for_ones_own(store: Store) -> None:
    """Both write gold 1 as version 2; only the id says whose it is."""
    table = accounts(store)
    table.create(ANN | {"gold": 0})

    client = FaultyClient(store.client, {1: lambda: table.update(ANN, earn)})
    assert accounts(store, client, table_name=table.table_name).update(ANN, earn).item == ANN | {"gold": 2}


def test_a_lost_answer_that_others_have_buried_is_reported(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    plan: dict[int, Any] = {1: "lost answer", 2: lambda: table.update(ANN, earn)}
    with pytest.raises(OutcomeUnknownError) as unknown:
        accounts(store, FaultyClient(store.client, plan), table_name=table.table_name).update(ANN, earn)
    assert unknown.value.current == Versioned(ANN | {"gold": 2}, 3)


def test_a_lost_request_whose_version_a_rival_made_is_known_not_to_have_happened(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})

    def rival_and_no_answer() -> None:
        table.update(ANN, earn)
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    def two_rivals() -> None:
        table.update(ANN, earn)
        table.update(ANN, earn)

    client = FaultyClient(store.client, {1: rival_and_no_answer, 3: two_rivals})
    assert accounts(store, client, table_name=table.table_name).update(ANN, earn).item == ANN | {"gold": 4}


class _RepeatingClient:
    """Sends each put twice and answers with the second's answer, as botocore does when the first one's was lost."""

    def __init__(self, client: Any, between: Callable[[], object]) -> None:
        self._client, self._between = client, between

    def put_item(self, **arguments: Any) -> Any:
        self._client.put_item(**arguments)
        self._between()
        try:
            return self._client.put_item(**arguments)
        except ClientError as error:
            cast("Any", error.response)["ResponseMetadata"]["RetryAttempts"] = 1
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_put_that_botocore_repeats_recognizes_itself(store: Store) -> None:
    table = accounts(store)
    repeating = accounts(store, _RepeatingClient(store.client, lambda: None), table_name=table.table_name)
    assert repeating.create(ANN | {"gold": 0}).version == 1
    assert repeating.update(ANN, earn) == Versioned(ANN | {"gold": 1}, 2) == table.get(ANN)


def test_a_put_that_botocore_repeats_after_a_rival_is_reported(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    client = _RepeatingClient(store.client, lambda: table.update(ANN, earn))
    with pytest.raises(OutcomeUnknownError):
        accounts(store, client, table_name=table.table_name).replace(ANN | {"gold": 1}, 1)


@pytest.mark.parametrize("write", ["update", "upsert"])
def test_a_lost_answer_about_an_item_that_is_gone_is_reported_and_nothing_is_made_anew(
    store: Store, write: str
) -> None:
    """Whether the write took place before the item was deleted, nobody can tell: once more could be twice."""

    def delete() -> None:
        stored = table.get(ANN)
        assert stored is not None
        table.delete(ANN, stored.version)

    table = accounts(store)
    clients: list[Any] = [
        FaultyClient(store.client, {1: "lost answer", 2: delete}),
        _RepeatingClient(store.client, delete),
    ]
    for client in clients:
        table.create(ANN | {"gold": 0})
        troubled = accounts(store, client, table_name=table.table_name)
        with pytest.raises(OutcomeUnknownError, match="been deleted") as unknown:
            troubled.update(ANN, earn) if write == "update" else troubled.upsert(ANN, earn_or_start)
        assert unknown.value.current is None is table.get(ANN)


def test_a_conflict_of_the_callers_own_making_is_passed_on(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})

    def mutate(_account: Item) -> Item:
        table.create(ANN)
        raise AssertionError

    client = FaultyClient(store.client)
    with pytest.raises(ConflictError):
        accounts(store, client, table_name=table.table_name).update(ANN, mutate)
    assert client.calls == {"get_item": 1}


def test_throttled_to_the_end_is_the_callers_to_know(store: Store) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 0})
    client = FaultyClient(store.client, dict.fromkeys(range(10), "throttle"))
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        accounts(store, client, table_name=table.table_name).update(ANN, earn)
    assert client.calls.total() == 5


@pytest.mark.parametrize("trouble", ["throttle", "conflict"])
def test_a_transaction_is_repeated_through_trouble_but_not_against_a_condition(store: Store, trouble: str) -> None:
    table = accounts(store)
    table.create(ANN | {"gold": 1})
    client = FaultyClient(store.client, {0: trouble})
    conflicts: list[ConflictError] = []
    troubled = accounts(store, client, table_name=table.table_name, on_conflict=conflicts.append)
    actions = [troubled.update_action(ANN, 1, {"gold": 0}), troubled.create_action(BOB | {"gold": 1})]
    troubled.transact(actions)
    assert client.calls["transact_write_items"] == 2
    with pytest.raises(TransactionConflictError):
        troubled.transact(actions)
    assert client.calls["transact_write_items"] == 3
    counted = [(dict(each.key), each.expected, each.current and each.current.version) for each in conflicts]
    assert counted == [(ANN, 1, 2), (BOB, None, 1)]


def test_a_transaction_whose_answer_was_lost_is_not_done_twice(emulator_dynamodb: Any) -> None:
    """On the emulator alone: moto does not know a request by its token."""
    from tests.patterns.stores import Store  # noqa: PLC0415

    store = Store("emulator", emulator_dynamodb)
    table = accounts(store)
    table.create(ANN | {"gold": 1})
    troubled = accounts(store, FaultyClient(store.client, {0: "lost answer"}), table_name=table.table_name)
    troubled.transact([troubled.delete_action(ANN, 1), troubled.create_action(BOB)])
    assert table.get(BOB) == Versioned(dict(BOB), 1)


def test_no_update_of_many_concurrent_writers_is_lost(store: Store) -> None:
    if store.name == "moto":
        pytest.skip("moto's tables are not made for threads")
    table = accounts(store, backoff=Backoff(attempts=100, first_wait_ms=1, longest_wait_ms=20))
    table.create(ANN | {"gold": 0})
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(5):
                table.update(ANN, earn)
        except ConflictError as conflict:
            failures.append(conflict)

    writers = [Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stored = table.get(ANN)
    assert stored is not None
    assert read_int(stored.item, "gold") == 40 - 5 * len(failures)
    assert (failures, stored.version) == ([], 41)
