"""Whatever crashes, is repeated or overtaken: every record once, one completing write, one effect."""

from __future__ import annotations

from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import pytest

from patterns.aggregator import (
    Added,
    Aggregator,
    ByCount,
    ByPredicate,
    ByTimeout,
    ClaimLostError,
    CompleteGroup,
    ContendedGroupError,
    Fired,
    GroupBusyError,
    GroupState,
    LatePolicy,
    Outcome,
    OutcomeRefusedError,
)
from patterns.aggregator.group import INDEX_SHARDS
from patterns.dynamodb.items import decode_item
from tests.faults import Crash, FaultyClient
from tests.patterns.aggregator.groups import START_MS, Clock, aggregator_on, new_table, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from tests.patterns.stores import Store

TROUBLES = ("crash before", "crash after", "lost answer", "throttle", "conflict")


def effect(table: str) -> Callable[[CompleteGroup], Outcome]:
    """An action whose effect is counted in the table itself."""
    write: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": table,
            "Key": {"group_id": {"S": "effects"}, "entry": {"S": "count"}},
            "UpdateExpression": "ADD #effects :one",
            "ExpressionAttributeNames": {"#effects": "effects"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    return lambda group: Outcome({"records": sum(1 for _ in group.records())}, [write])


def effects(store: Store, table: str) -> str:
    answer = store.client.get_item(TableName=table, Key={"group_id": {"S": "effects"}, "entry": {"S": "count"}})
    return str(decode_item(answer.get("Item", {})).get("effects", 0))


def until_it_works(work: Callable[[Aggregator], object], client: FaultyClient, table: str, **settings: Any) -> object:
    """Deliver the same work again, to a new invocation, until one gets through."""
    clock = Clock()
    for _ in range(20):
        try:
            return work(aggregator_on(client, table, clock=clock, **settings))
        except (Crash, Exception):  # as Lambda does, whatever it was
            clock.now_ms += 1
    raise AssertionError("the work never got through")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_at_any_call_changes_nothing(store: Store, trouble: str) -> None:
    def work(groups: Aggregator) -> None:
        for number in (1, 2, 3, 2):
            groups.add("g", f"r{number}", {"number": number})
        groups.fire("g", effect(groups.table_name), owner="event-1")
        groups.fire("g", effect(groups.table_name), owner="event-1")

    for number in range(12):
        table = new_table(store)
        client = FaultyClient(store.client, {number: trouble})
        until_it_works(work, client, table)
        groups = aggregator_on(store.client, table)
        progress = groups.progress("g")
        assert progress is not None
        assert progress.state is GroupState.DONE
        assert (progress.records, progress.outcome) == (3, {"records": 3})
        assert [entry.record_id for entry in groups.records("g")] == ["r1", "r2", "r3"]
        assert effects(store, table) == "1"
        store.client.delete_table(TableName=table)  # moto copies all of its tables for each transaction
        if client.calls.total() <= number:
            return
    raise AssertionError("no run without trouble")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_around_a_timeout_and_a_late_record_changes_nothing(store: Store, trouble: str) -> None:
    rule = ByPredicate(lambda progress: progress.records >= 9)

    def work(groups: Aggregator) -> None:
        groups.add("g", "r1", {"number": 1})
        cast("Clock", groups.clock).now_ms = START_MS + 60_000
        groups.complete_overdue()
        groups.add("g", "r2", {"number": 2})
        groups.fire("g", effect(groups.table_name), owner="event-1")

    for number in range(20):
        table = new_table(store)
        client = FaultyClient(store.client, {number: trouble})
        settings: dict[str, Any] = {"completion": rule, "timeout_ms": 30_000, "late": LatePolicy.KEEP}
        until_it_works(work, client, table, **settings)
        groups = aggregator_on(store.client, table, rule, late=LatePolicy.KEEP)
        progress = groups.progress("g")
        assert progress is not None
        assert (progress.state, progress.completed_by) == (GroupState.DONE, "timeout")
        assert (progress.records, progress.outcome) == (1, {"records": 1})
        assert [(entry.record_id, entry.late) for entry in groups.records("g")] == [("r1", False), ("r2", True)]
        assert effects(store, table) == "1"
        assert [*groups.overdue(0), *groups.unfired(0)] == []
        store.client.delete_table(TableName=table)
        if client.calls.total() <= number:
            return
    raise AssertionError("no run without trouble")


def test_any_order_and_repetition_gives_one_completing_write(store: Store) -> None:
    random = Random(7)
    for _ in range(3):
        deliveries = [f"r{n}" for n in range(6)] * 2
        random.shuffle(deliveries)
        groups = aggregator_on(store.client, new_table(store), ByCount(6))
        adds = [groups.add("g", record_id, {}) for record_id in deliveries]
        assert adds.count(Added.COMPLETED) == 1
        assert adds.count(Added.DUPLICATE) == 6


@pytest.mark.parametrize("rule", [ByCount(24), ByPredicate(lambda progress: progress.records >= 24)])
def test_writers_side_by_side_lose_nothing(store: Store, rule: ByCount | ByPredicate) -> None:
    if store.name == "moto":
        pytest.skip("moto's tables are not made for threads")
    table = new_table(store)
    adds: list[Added] = []

    def write(writer: int) -> None:
        groups = aggregator_on(store.client, table, rule)
        for number in range(6):
            while True:
                try:
                    adds.append(groups.add("g", f"{writer}-{number}", {}))
                except ContendedGroupError:
                    continue
                break

    writers = [Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert adds.count(Added.COMPLETED) == 1
    assert adds.count(Added.ADDED) == 23


def test_contention_gives_up_after_bounded_jittered_waits(store: Store) -> None:
    table, clock = new_table(store), Clock()
    groups = aggregator_on(FaultyClient(store.client, dict.fromkeys(range(50), "conflict")), table, clock=clock)
    with pytest.raises(ContendedGroupError, match="add in batches"):
        groups.add("g", "r1", {})
    assert len(clock.waits_s) == 9
    assert max(clock.waits_s) <= 0.5  # half of a second, for the random number is a half
    assert groups.client.calls["transact_write_items"] == 10  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_whoever_loses_to_others_again_and_again_waits_with_jitter(store: Store) -> None:
    table, clock = new_table(store), Clock()
    rule = ByPredicate(lambda progress: progress.records >= 99)
    other = aggregator_on(store.client, table, rule)
    # The first call reads; before each of the next three, another writer is faster.
    plan = {call: lambda call=call: other.add("g", f"other{call}", {}) for call in (1, 2, 3)}
    groups = aggregator_on(FaultyClient(store.client, plan), table, rule, clock=clock)
    assert groups.add("g", "r1", {}) is Added.ADDED
    assert len(clock.waits_s) == 2


@pytest.mark.parametrize("trouble", ["throttle", "conflict"])
def test_trouble_makes_no_duplicate_late(store: Store, trouble: str) -> None:
    table = new_table(store)
    rule = ByPredicate(lambda progress: progress.records >= 2)
    aggregator_on(store.client, table, rule).add_all("g", numbered(1, 2))
    groups = aggregator_on(FaultyClient(store.client, {1: trouble}), table, rule)
    assert groups.add_all("g", numbered(2, 3)) == [Added.DUPLICATE, Added.LATE]


def test_a_second_owner_waits_for_the_lease_and_the_zombie_writes_nothing(store: Store) -> None:
    table, clock = new_table(store), Clock()
    groups = aggregator_on(store.client, table, clock=clock, lease_ms=1000)
    groups.add_all("g", numbered(1, 2, 3))
    act = effect(table)

    def paused(group: CompleteGroup) -> Outcome:
        with pytest.raises(GroupBusyError, match="claimed by another invocation"):
            groups.fire("g", act, owner="event-2")
        clock.now_ms += 1001
        assert groups.fire("g", act, owner="event-2") is Fired.FIRED
        return act(group)

    with pytest.raises(ClaimLostError, match="taken over"):
        groups.fire("g", paused, owner="event-1")
    assert effects(store, table) == "1"


def test_a_zombie_writes_nothing_while_its_successor_acts(store: Store) -> None:
    table, clock = new_table(store), Clock()
    groups = aggregator_on(store.client, table, clock=clock, lease_ms=1000)
    groups.add_all("g", numbered(1, 2, 3))
    act = effect(table)

    def overtaken(group: CompleteGroup) -> Outcome:
        clock.now_ms += 1001
        with pytest.raises(Crash):
            groups.fire("g", dies, owner="event-2")
        return act(group)

    def dies(_group: CompleteGroup) -> Outcome:
        raise Crash

    with pytest.raises(ClaimLostError):
        groups.fire("g", overtaken, owner="event-1")
    assert effects(store, table) == "0"
    assert groups.fire("g", act, owner="event-2") is Fired.FIRED
    assert effects(store, table) == "1"


def test_an_outcome_whose_answer_is_lost_is_written_and_told_as_such(store: Store) -> None:
    table = new_table(store)
    aggregator_on(store.client, table).add_all("g", numbered(1, 2, 3))
    # Claim, read the records, write the outcome.
    groups = aggregator_on(FaultyClient(store.client, {2: "lost answer"}), table)
    assert groups.fire("g", effect(table), owner="event-1") is Fired.FIRED
    assert effects(store, table) == "1"


def test_a_repeated_delivery_goes_on_at_once(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store))
    groups.add_all("g", numbered(1, 2, 3))

    def dies(_group: CompleteGroup) -> None:
        raise Crash

    with pytest.raises(Crash):
        groups.fire("g", dies, owner="event-1")
    assert [group.group_id for group in groups.unfired(0)] == ["g"]
    assert groups.fire("g", lambda _group: None, owner="event-1") is Fired.FIRED


def test_an_effect_whose_condition_fails_is_told_and_leaves_the_group_unfired(store: Store) -> None:
    table = new_table(store)
    groups = aggregator_on(store.client, table)
    groups.add_all("g", numbered(1, 2, 3))
    refused: TransactWriteItemTypeDef = {
        "ConditionCheck": {
            "TableName": table,
            "Key": {"group_id": {"S": "nobody"}, "entry": {"S": "here"}},
            "ConditionExpression": "attribute_exists(#group)",
            "ExpressionAttributeNames": {"#group": "group_id"},
        }
    }
    with pytest.raises(OutcomeRefusedError) as error:
        groups.fire("g", lambda _group: Outcome(writes=[refused]), owner="event-1")
    assert error.value.positions == [0]
    assert [group.group_id for group in groups.unfired(0)] == ["g"]


def test_a_timeout_and_the_last_record_complete_the_group_only_once(store: Store) -> None:
    table, clock = new_table(store), Clock()
    settings: dict[str, Any] = {"clock": clock, "timeout_ms": 1000}
    groups = aggregator_on(store.client, table, ByCount(2), **settings)
    groups.add("g", "r1", {})
    clock.now_ms += 1000
    # The last record arrives between the index's answer and the timeout's write.
    client = FaultyClient(store.client, {crc32(b"g") % INDEX_SHARDS + 1: lambda: groups.add("g", "r2", {})})
    assert aggregator_on(client, table, ByCount(2), **settings).complete_overdue() == 0
    progress = groups.progress("g")
    assert progress is not None
    assert progress.completed_by == "records"

    groups = aggregator_on(store.client, new_table(store), ByTimeout(), **settings)
    groups.add("g", "r1", {})
    clock.now_ms += 1000
    assert [groups.complete_overdue(), groups.complete_overdue()] == [1, 0]
    assert groups.add("g", "r2", {}) is Added.LATE
